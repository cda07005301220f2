# The example in workerd, with a clock that a test moves.
using Workerd = import "/workerd/workerd.capnp";
using Example = import "../../../examples/worker/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "clock", disk = (writable = false)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "workerd-clock.mjs", esModule = embed "workerd-clock.mjs"),
    (name = "worker.mjs", esModule = embed "../../../examples/worker/worker.mjs"),
    Example.javascript,
    Example.wasm,
  ],
  bindings = [
    (name = "CLOCK", service = "clock"),
    (name = "CLOCK_FILE", fromEnvironment = "CLOCK_FILE"),
    (name = "LOGTO_ENDPOINT", fromEnvironment = "LOGTO_ENDPOINT"),
    (name = "LOGTO_APP_ID", fromEnvironment = "LOGTO_APP_ID"),
    (name = "LOGTO_APP_SECRET", fromEnvironment = "LOGTO_APP_SECRET"),
    (name = "LOGTO_BASE_URL", fromEnvironment = "LOGTO_BASE_URL"),
    (name = "LOGTO_RESOURCES", fromEnvironment = "LOGTO_RESOURCES"),
    (name = "LOGTO_SCOPES", fromEnvironment = "LOGTO_SCOPES"),
    (name = "LOGTO_COOKIE_KEY", fromEnvironment = "LOGTO_COOKIE_KEY"),
  ],
);

# The example in workerd, the runtime of Cloudflare Workers:
#   npx workerd serve workerd.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    # A Logto for development is on this machine, which a worker does not reach by default.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:3000", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    .javascript,
    .wasm,
  ],
  bindings = .variables,
);

const javascript :Workerd.Worker.Module =
  (name = "pkg/logto_example_worker.js", esModule = embed "pkg/logto_example_worker.js");

const wasm :Workerd.Worker.Module =
  (name = "pkg/logto_example_worker_bg.wasm", wasm = embed "pkg/logto_example_worker_bg.wasm");

const variables :List(Workerd.Worker.Binding) = [
  (name = "LOGTO_ENDPOINT", fromEnvironment = "LOGTO_ENDPOINT"),
  (name = "LOGTO_APP_ID", fromEnvironment = "LOGTO_APP_ID"),
  (name = "LOGTO_APP_SECRET", fromEnvironment = "LOGTO_APP_SECRET"),
  (name = "LOGTO_BASE_URL", fromEnvironment = "LOGTO_BASE_URL"),
  (name = "LOGTO_RESOURCES", fromEnvironment = "LOGTO_RESOURCES"),
  (name = "LOGTO_SCOPES", fromEnvironment = "LOGTO_SCOPES"),
  (name = "LOGTO_COOKIE_KEY", fromEnvironment = "LOGTO_COOKIE_KEY"),
];

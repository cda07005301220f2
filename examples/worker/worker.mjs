// The example in a worker of Cloudflare.
import { waitUntil } from "cloudflare:workers";
import { initSync, Worker } from "./pkg/logto_example_worker.js";
import module from "./pkg/logto_example_worker_bg.wasm";

initSync({ module });
let worker;

export default {
  async fetch(request, env) {
    worker ??= await Worker.start(env, waitUntil);
    return worker.fetch(request);
  },
};

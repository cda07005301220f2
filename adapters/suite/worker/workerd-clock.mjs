// The worker of the example. Its time is what a file contains, in seconds since 1970.
import worker from "worker.mjs";

export default {
  async fetch(request, env) {
    const response = await env.CLOCK.fetch(`http://clock/${env.CLOCK_FILE}`);
    const time = Number(await response.text()) * 1000;
    Date.now = () => time;
    return worker.fetch(request, env);
  },
};

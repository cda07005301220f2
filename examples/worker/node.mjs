#!/usr/bin/env node
// The example in Node.js: `node node.mjs`, with the variables of a tenant and PORT.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { initSync, Worker } from "./pkg/logto_example_worker.js";

const wasm = new URL("./pkg/logto_example_worker_bg.wasm", import.meta.url);
initSync({ module: readFileSync(wasm) });
const worker = await Worker.start(process.env);

const server = createServer(async (incoming, outgoing) => {
  try {
    const { method, rawHeaders } = incoming;
    const headers = new Headers();
    for (let index = 0; index < rawHeaders.length; index += 2) {
      headers.append(rawHeaders[index], rawHeaders[index + 1]);
    }
    const body = method === "GET" || method === "HEAD" ? undefined : Readable.toWeb(incoming);
    const url = `http://${incoming.headers.host}${incoming.url}`;
    const response = await worker.fetch(new Request(url, { method, headers, body, duplex: "half" }));
    outgoing.statusCode = response.status;
    outgoing.setHeaders(response.headers);
    for await (const chunk of response.body ?? []) outgoing.write(chunk);
  } catch (error) {
    console.error(error);
    if (!outgoing.headersSent) outgoing.statusCode = 500;
  }
  outgoing.end();
});
server.listen(process.env.PORT ?? 3000, "127.0.0.1");

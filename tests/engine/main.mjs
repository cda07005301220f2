// node main.mjs ['{"ttl":{"refreshToken":20}}']: prints one line of JSON when ready, ends with its input.
import { Engine } from './engine.mjs';
import { parseOptions } from './options.mjs';

const engine = new Engine(parseOptions(process.argv[2]));
await engine.start();
console.log(JSON.stringify({ issuer: engine.issuer }));
process.stdin.resume().once('close', () => process.exit(0));

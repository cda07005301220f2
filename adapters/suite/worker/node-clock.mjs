// The time of Node.js is what a file contains, in seconds since 1970: `node --import node-clock.mjs PROGRAM`.
import { readFileSync } from "node:fs";

const file = process.env.LOGTO_TEST_CLOCK;
Date.now = () => Number(readFileSync(file, "utf8")) * 1000;

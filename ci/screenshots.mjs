// Takes the pictures of the README: the quickstart with a user who has signed in, in light and in dark.
//
//     cargo run -p quickstart &
//     tests/engine/node_modules/.bin/node ci/screenshots.mjs http://localhost:3000
//
// Needs Chromium, and Node.js 22, which `npm ci` in tests/engine fetches.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [application] = process.argv.slice(2);
const images = new URL('../docs/images/', import.meta.url);
const templates = new URL('../examples/quickstart/templates/', import.meta.url);
const profile = await mkdtemp(join(tmpdir(), 'screenshots-'));
const chromium = spawn(
  'chromium',
  ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--hide-scrollbars',
    '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
  { stdio: ['ignore', 'ignore', 'pipe'] },
);

/** The address at which Chromium takes commands. */
const address = await new Promise((resolve, reject) => {
  let text = '';
  chromium.stderr.on('data', (data) => {
    text += data;
    const found = text.match(/listening on (ws:\S+)/);
    if (found) resolve(new URL(found[1]));
  });
  chromium.on('exit', () => reject(new Error(text)));
});
const pages = await (await fetch(`http://${address.host}/json`)).json();
const socket = new WebSocket(pages.find((page) => page.type === 'page').webSocketDebuggerUrl);
await once(socket, 'open');

let id = 0;
const command = (method, params = {}) => new Promise((resolve, reject) => {
  const own = ++id;
  const answer = ({ data }) => {
    const message = JSON.parse(data);
    if (message.id !== own) return;
    socket.removeEventListener('message', answer);
    message.error ? reject(new Error(`${method}: ${message.error.message}`)) : resolve(message.result);
  };
  socket.addEventListener('message', answer);
  socket.send(JSON.stringify({ id: own, method, params }));
});
const loaded = () => new Promise((resolve) => {
  const wait = ({ data }) => {
    if (JSON.parse(data).method !== 'Page.loadEventFired') return;
    socket.removeEventListener('message', wait);
    resolve();
  };
  socket.addEventListener('message', wait);
});
const run = (expression) => command('Runtime.evaluate', { expression });

await command('Page.enable');
await command('Emulation.setDeviceMetricsOverride', { width: 900, height: 640, deviceScaleFactor: 1, mobile: false });
let page = loaded();
await command('Page.navigate', { url: `${application}/sign-in` });
await page;
page = loaded();
await run(`identifier.value = 'alice'; password.value = 'password'; document.forms[0].submit()`);
await page;
for (const scheme of ['light', 'dark']) {
  await command('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  const { data } = await command('Page.captureScreenshot', { format: 'png' });
  await writeFile(new URL(`quickstart-${scheme}.png`, images), Buffer.from(data, 'base64'));
}

// A test of the quickstart compares it: pictures that are older than the page are taken again.
const hash = createHash('sha256');
for (const name of (await readdir(templates)).sort()) hash.update(await readFile(new URL(name, templates)));
await writeFile(new URL('quickstart.sha256', images), `${hash.digest('hex')}\n`);

chromium.removeAllListeners('exit');
chromium.kill();
await once(chromium, 'exit');
await rm(profile, { recursive: true, force: true, maxRetries: 5 });

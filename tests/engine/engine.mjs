import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { CONTROL_PATH, control } from './control.mjs';
import { INTERACTION_PATH, interact } from './interaction.mjs';
import { signingKey } from './keys.mjs';
import { createProvider } from './provider.mjs';
import { RequestLog } from './requests.mjs';
import { Store } from './store.mjs';

const MOUNT = '/oidc';

/// A provider on a loopback port, its keys and its memory.
export class Engine {
  requests = new RequestLog();
  store = new Store();
  issuer;
  #options;
  #keys;
  #cookieKey = randomBytes(32).toString('hex');
  #provider;
  #answer;

  constructor(options) {
    this.#options = options;
  }

  /// Listens on `options.port`, 0 for any free one.
  async start() {
    const server = createServer((req, res) => this.#serve(req, res));
    server.keepAliveTimeout = 60_000;
    await new Promise((resolve, reject) => {
      server.once('error', reject).listen(this.#options.port, '127.0.0.1', resolve);
    });
    this.issuer = `http://127.0.0.1:${server.address().port}${MOUNT}`;
    this.#use([await signingKey()]);
  }

  /// A new key signs at once, the one before it stays published, older ones are gone.
  async rotateKeys(type) {
    this.#use([await signingKey(type), this.#keys[0]]);
  }

  #use(keys) {
    this.#keys = keys;
    this.#provider = createProvider(this.issuer, {
      options: this.#options,
      keys,
      store: this.store,
      cookieKey: this.#cookieKey,
      requests: this.requests,
    });
    this.#answer = this.#provider.callback();
  }

  async #serve(req, res) {
    try {
      await this.#route(req, res);
    } catch (error) {
      console.error(error);
      res.writeHead(500).end(String(error));
    }
  }

  #route(req, res) {
    if (req.url.startsWith(CONTROL_PATH)) return control(this, req, res);
    if (req.url.startsWith(INTERACTION_PATH)) {
      return interact(this.#provider, this.#options, req, res);
    }
    if (req.url.startsWith(`${MOUNT}/`)) {
      req.originalUrl = req.url;
      req.url = req.url.slice(MOUNT.length);
      return this.#answer(req, res);
    }
    return res.writeHead(404).end('Not Found');
  }
}

import { clientKey } from './clients.mjs';

/// Where tests look behind the provider and steer it. Real Logto has nothing like this.
export const CONTROL_PATH = '/test/';

/// Answers one control request with JSON.
export async function control(engine, req, res) {
  const url = new URL(req.url, engine.issuer);
  const action = ACTIONS[`${req.method} ${url.pathname}`];
  const [status, body] = action
    ? [200, await action(engine, url.searchParams)]
    : [404, { error: `no control endpoint ${req.method} ${url.pathname}` }];
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body ?? {}));
}

const ACTIONS = {
  'GET /test/requests': ({ requests }) => requests.entries,
  'DELETE /test/requests': ({ requests }) => requests.clear(),
  'GET /test/refresh-tokens': ({ store }) =>
    rows(store, 'RefreshToken', ({ clientId, accountId, grantId, consumed = false }) => ({
      clientId,
      accountId,
      grantId,
      consumed,
    })),
  'GET /test/grants': ({ store }) =>
    rows(store, 'Grant', ({ clientId, accountId }) => ({ clientId, accountId })),
  'GET /test/client-key': () => clientKey,
  'POST /test/rotate-keys': (engine, query) => engine.rotateKeys(query.get('type') ?? 'EC'),
};

function rows(store, model, describe) {
  return store
    .table(model)
    .entries()
    .map(([id, payload]) => ({ id, ...describe(payload) }));
}

const DAY = 86_400;

/// Logto's lifetimes in seconds.
const TTL = {
  accessToken: 3600,
  authorizationCode: 60,
  deviceCode: 600,
  grant: 180 * DAY,
  idToken: 3600,
  refreshToken: 14 * DAY,
  session: 14 * DAY,
};

const PRODUCTS = 'read:products write:products';

/// API resources by indicator. `accessTokenTtl` is in seconds and defaults to `ttl.accessToken`.
const RESOURCES = {
  'https://shopping.your-app.com/api': { scope: PRODUCTS },
  'https://billing.your-app.com/api': { scope: 'read:bills' },
  'https://api.test/short': { scope: PRODUCTS, accessTokenTtl: 20 },
  'https://api.test/p1': { scope: PRODUCTS },
  'https://api.test/p2': { scope: PRODUCTS },
  'https://api.test/p3': { scope: PRODUCTS },
  'https://api.test/p4': { scope: PRODUCTS },
};

/// The options of a run: the JSON object of the command line over the defaults.
export function parseOptions(json = '{}') {
  const given = JSON.parse(json);
  return {
    port: 0,
    redirectUris: ['http://127.0.0.1:4000/callback'],
    postLogoutRedirectUris: ['http://127.0.0.1:4000/'],
    backchannelLogoutUri: undefined,
    signInPage: false,
    ...given,
    ttl: { ...TTL, ...given.ttl },
    resources: { ...RESOURCES, ...given.resources },
  };
}

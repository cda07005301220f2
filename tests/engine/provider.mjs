import { Provider, errors } from 'oidc-provider';

import { claimsByScope, findAccount } from './accounts.mjs';
import { clients } from './clients.mjs';
import { answerLikeLogto } from './answers.mjs';
import { INTERACTION_PATH } from './interaction.mjs';

/// oidc-provider with the configuration that Logto gives it. Where the default of oidc-provider is
/// Logto's rule (PKCE, rotation at 70 %, refresh tokens only with `offline_access`) nothing is said here.
export function createProvider(issuer, { options, keys, store, cookieKey, requests }) {
  const [{ alg }] = keys;
  const provider = new Provider(issuer, {
    adapter: (model) => store.table(model),
    claims: claimsByScope,
    clientDefaults: { id_token_signed_response_alg: alg },
    clients: clients(options),
    conformIdTokenClaims: false,
    cookies: { keys: [cookieKey] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'ES384', 'ES512'] },
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true, successSource: showDeviceSuccess },
      dPoP: { enabled: false },
      introspection: { enabled: true },
      resourceIndicators: resourceIndicators(options, alg),
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: submitLogoutForm },
    },
    fetch: fetchFromLoopback,
    findAccount,
    interactions: { url: (_ctx, { uid }) => `${INTERACTION_PATH}${uid}` },
    jwks: { keys },
    renderError: (ctx, out) => {
      ctx.body = out;
    },
    revokeGrantPolicy: () => true,
    ttl: lifetimes(options.ttl),
  });
  provider.use(requests.record);
  provider.use(answerLikeLogto);
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider;
}

function resourceIndicators({ resources, ttl }, alg) {
  return {
    enabled: true,
    defaultResource: (ctx) => {
      if (ctx.oidc.params.grant_type === 'client_credentials') {
        throw new errors.InvalidTarget('both `resource` and `organization_id` are not provided');
      }
      return undefined;
    },
    getResourceServerInfo: (_ctx, indicator) => {
      const resource = resources[indicator];
      if (!resource) throw new errors.InvalidTarget();
      return {
        scope: resource.scope,
        accessTokenFormat: 'jwt',
        accessTokenTTL: resource.accessTokenTtl ?? ttl.accessToken,
        jwt: { sign: { alg } },
      };
    },
  };
}

function lifetimes(ttl) {
  const accessToken = (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ttl.accessToken;
  return {
    AccessToken: accessToken,
    AuthorizationCode: ttl.authorizationCode,
    ClientCredentials: accessToken,
    DeviceCode: ttl.deviceCode,
    Grant: ttl.grant,
    IdToken: ttl.idToken,
    Interaction: 3600,
    RefreshToken: (ctx, _token, client) => {
      const rotated = ctx.oidc.entities.RotatedRefreshToken;
      const singlePage = client.applicationType === 'web' && client.clientAuthMethod === 'none';
      return rotated && singlePage ? rotated.remainingTTL : ttl.refreshToken;
    },
    Session: ttl.session,
  };
}

/// oidc-provider refuses to connect to loopback addresses, where every client of a test lives.
function fetchFromLoopback(url, { dispatcher: _guard, ...options }) {
  return fetch(url, options);
}

/// Like Logto's, this page asks nobody.
function submitLogoutForm(ctx, form) {
  ctx.body = `<!DOCTYPE html><title>Signing out</title>${form}
<input type="hidden" form="op.logoutForm" name="logout" value="yes"/>
<script>document.forms[0].submit()</script>`;
}

function showDeviceSuccess(ctx) {
  ctx.body = '<!DOCTYPE html><title>Device connected</title><h1>Device connected</h1>';
}

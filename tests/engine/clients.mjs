import { generateKeyPairSync } from 'node:crypto';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/// The key pair of the client `private-key-jwt`, made anew for every process.
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/// Its private half in PEM, for the tests.
export const clientKey = privateKey.export({ format: 'pem', type: 'pkcs8' });

/// One client for each of Logto's application types, and for each way to authenticate. The secret needs the form encoding that
/// RFC 6749 section 2.3.1 asks for in HTTP Basic authentication.
export function clients({ redirectUris, postLogoutRedirectUris, backchannelLogoutUri }) {
  const browser = {
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
  const secret = {
    client_secret: 's3cr3t+/ :%',
    token_endpoint_auth_method: 'client_secret_basic',
  };
  const backchannel = backchannelLogoutUri && {
    backchannel_logout_uri: backchannelLogoutUri,
    backchannel_logout_session_required: true,
  };
  return [
    { client_id: 'traditional', ...secret, ...browser, ...backchannel },
    { client_id: 'spa', token_endpoint_auth_method: 'none', ...browser },
    { client_id: 'm2m', ...secret, ...machine },
    {
      client_id: 'client-secret-post',
      client_secret: secret.client_secret,
      token_endpoint_auth_method: 'client_secret_post',
      ...machine,
    },
    {
      client_id: 'client-secret-jwt',
      client_secret: 'a secret of at least thirty-two bytes',
      token_endpoint_auth_method: 'client_secret_jwt',
      ...machine,
    },
    {
      client_id: 'private-key-jwt',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
      token_endpoint_auth_method: 'private_key_jwt',
      ...machine,
    },
    {
      client_id: 'device',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: [],
      response_types: [],
      grant_types: [DEVICE_CODE, 'refresh_token'],
    },
  ];
}

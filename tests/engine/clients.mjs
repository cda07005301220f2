const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/// One client for each of Logto's application types. The secret needs the form encoding that
/// RFC 6749 section 2.3.1 asks for in HTTP Basic authentication.
export function clients({ redirectUris, postLogoutRedirectUris, backchannelLogoutUri }) {
  const browser = {
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const headless = { redirect_uris: [], response_types: [] };
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
    { client_id: 'm2m', ...secret, ...headless, grant_types: ['client_credentials'] },
    {
      client_id: 'device',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      ...headless,
      grant_types: [DEVICE_CODE, 'refresh_token'],
    },
  ];
}

/// Where the provider sends a browser that has to sign in or to consent.
export const INTERACTION_PATH = '/sign-in/';

/// Signs in and consents: at once, or after the page when `signInPage` is set, unless somebody cancels
/// there. The user is the authorization request's `login_hint`, else the name typed on the page, else `alice`.
export async function interact(provider, options, req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'consent') {
    const grant = await grantMissing(provider, prompt.details, session, params.client_id, grantId);
    return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  }
  if (options.signInPage && req.method !== 'POST') {
    res.setHeader('content-type', 'text/html; charset=utf-8');
    return res.end(SIGN_IN_PAGE);
  }
  const typed = req.method === 'POST' ? await form(req) : new URLSearchParams();
  if (typed.has('cancel')) {
    return provider.interactionFinished(req, res, { error: 'access_denied' });
  }
  const accountId = params.login_hint || typed.get('username') || 'alice';
  return provider.interactionFinished(req, res, { login: { accountId } });
}

async function grantMissing(provider, details, session, clientId, grantId) {
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId });
  if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
  if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return grant;
}

async function form(req) {
  const chunks = await req.toArray();
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

const SIGN_IN_PAGE = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in</title>
<h1>Sign in</h1>
<form method="post">
  <label>Username <input name="username" value="alice" autofocus></label>
  <button type="submit">Sign in</button>
  <button type="submit" name="cancel" value="yes">Cancel</button>
</form>
</html>`;

//! The URL of the authorization endpoint. Only this file uses the `oauth2` crate, which builds the URL and
//! the PKCE challenge.

use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};
use url::Url;

/// The mandatory parameters of an authorization request ([RFC 6749 section
/// 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).
pub(super) struct AuthorizationRequest<'a> {
    pub(super) endpoint: &'a Url,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a Url,
    pub(super) state: &'a str,
    pub(super) code_verifier: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) parameters: &'a [(String, String)],
}

impl AuthorizationRequest<'_> {
    /// The URL to send the browser to: `response_type=code` with an S256 challenge, added to the query that
    /// the endpoint already has.
    pub(super) fn url(&self) -> Url {
        let client = BasicClient::new(ClientId::new(self.client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(self.endpoint.clone()))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new(self.state.to_owned()))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(s256(self.code_verifier));
        for (name, value) in self.parameters {
            request = request.add_extra_param(name, value);
        }
        request.url().0
    }
}

/// The S256 challenge of [RFC 7636 section 4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2).
/// The verifier comes from [`crate::sign_in`], which guarantees its length.
fn s256(code_verifier: &str) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(code_verifier.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_challenge_matches_rfc_7636_appendix_b() {
        let challenge = s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge.as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(challenge.method().as_str(), "S256");
    }
}

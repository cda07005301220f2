//! Signing out at the provider
//! ([OpenID Connect RP-Initiated Logout 1.0](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).

use std::fmt;

use url::Url;

use crate::{
    config::LogtoConfig,
    error::{Endpoint, UsageError},
    metadata::ProviderMetadata,
    secret::Secret,
};

/// A sign-out: the URL that ends the user's session at Logto, for all applications.
///
/// End the local session first, and revoke its refresh token with
/// [`RevokeRefreshToken`](crate::revocation::RevokeRefreshToken): a refresh token with `offline_access`
/// outlives the user's session at Logto.
#[derive(Clone, Default)]
pub struct SignOut {
    redirect_uri: Option<Url>,
    id_token_hint: Option<Secret>,
    state: Option<String>,
    ui_locales: Vec<String>,
}

impl SignOut {
    /// A sign-out that returns to the configured URI.
    pub fn new() -> Self {
        Self::default()
    }

    /// A URI to return to, instead of the configured one. It must be registered at Logto as a post sign-out
    /// redirect URI. Never take it from a request.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: Url) -> Self {
        self.redirect_uri = Some(redirect_uri);
        self
    }

    /// Identifies the user by the ID token. Not sent by default: Logto only needs the client id; the token of
    /// a user with many organizations is too long for a URL; and Logto shows an error page if the token's
    /// signing key has been withdrawn.
    #[must_use]
    pub fn id_token_hint(mut self, id_token: Secret) -> Self {
        self.id_token_hint = Some(id_token);
        self
    }

    /// A value that is returned with the redirect. It proves nothing.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// The languages of the sign-out page, best first.
    #[must_use]
    pub fn ui_locales<S: Into<String>>(mut self, locales: impl IntoIterator<Item = S>) -> Self {
        self.ui_locales = locales.into_iter().map(Into::into).collect();
        self
    }

    /// The URL to send the browser to.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`].
    pub fn url(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
    ) -> Result<Url, UsageError> {
        let mut url = metadata.endpoint(Endpoint::EndSession)?.clone();
        let redirect_uri = self
            .redirect_uri
            .as_ref()
            .or_else(|| config.post_sign_out_redirect_uri());
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", config.app_id());
        if let Some(redirect_uri) = redirect_uri {
            query.append_pair("post_logout_redirect_uri", redirect_uri.as_str());
        }
        if let Some(id_token) = &self.id_token_hint {
            query.append_pair("id_token_hint", id_token.expose());
        }
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        if !self.ui_locales.is_empty() {
            query.append_pair("ui_locales", &self.ui_locales.join(" "));
        }
        drop(query);
        Ok(url)
    }
}

impl fmt::Debug for SignOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignOut")
            .field("redirect_uri", &self.redirect_uri.as_ref().map(Url::as_str))
            .field("id_token_hint", &self.id_token_hint)
            .field("ui_locales", &self.ui_locales)
            .finish_non_exhaustive()
    }
}

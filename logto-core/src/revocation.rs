//! Token revocation ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::{
    config::{ClientAuthentication, LogtoConfig},
    error::{Endpoint, Error, OAuthErrorCode, UsageError},
    exchange::{self, Exchange},
    metadata::ProviderMetadata,
    oauth,
    secret::Secret,
    time::UnixTime,
};

/// Revokes a refresh token, and with it the whole grant: every token that came of the same sign-in,
/// except JWT access tokens, which live until they expire.
///
/// There is no such exchange for access tokens. Logto revokes the refresh token along with an opaque
/// access token, which is never what somebody wants who only clears a cache.
#[derive(Clone, Debug)]
pub struct RevokeRefreshToken {
    endpoint: Url,
    client_id: String,
    authentication: ClientAuthentication,
    refresh_token: Secret,
}

impl RevokeRefreshToken {
    /// Revokes `refresh_token`.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`].
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        refresh_token: Secret,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            endpoint: metadata.endpoint(Endpoint::Revocation)?.clone(),
            client_id: config.app_id().to_owned(),
            authentication: config.client_authentication().clone(),
            refresh_token,
        })
    }
}

impl Exchange for RevokeRefreshToken {
    type Output = ();

    fn request(&self) -> Request<Bytes> {
        oauth::form_request(
            &self.endpoint,
            &self.client_id,
            &self.authentication,
            &[
                ("token", self.refresh_token.expose()),
                ("token_type_hint", "refresh_token"),
            ],
        )
    }

    /// Success also for a token that the server does not know or cannot revoke: it is not usable, or
    /// no longer ours to end.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<(), Error> {
        match exchange::success(Endpoint::Revocation, &response, now) {
            Err(Error::Server(error)) if error.error == OAuthErrorCode::UnsupportedTokenType => {
                Ok(())
            }
            other => other,
        }
    }
}

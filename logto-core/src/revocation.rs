//! Token revocation ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, OAuthErrorCode, UsageError},
    exchange::{self, Exchange},
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
};

/// Revokes a refresh token, and with it the whole grant: every token from the same sign-in, except JWT access
/// tokens, which remain valid until they expire.
///
/// There is no such exchange for access tokens: Logto revokes the refresh token together with an opaque access
/// token, which is not intended by an application that only clears a cache.
#[derive(Clone, Debug)]
pub struct RevokeRefreshToken {
    endpoint: ClientEndpoint,
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
            endpoint: ClientEndpoint::new(metadata.endpoint(Endpoint::Revocation)?, config),
            refresh_token,
        })
    }
}

impl Exchange for RevokeRefreshToken {
    const ENDPOINT: Endpoint = Endpoint::Revocation;

    /// A token that is already revoked is not an error ([RFC 7009 section
    /// 2.2](https://www.rfc-editor.org/rfc/rfc7009#section-2.2)).
    const IS_REPEATABLE: bool = true;

    type Output = ();

    fn request(&self) -> Request<Bytes> {
        self.endpoint.post(&[
            ("token", self.refresh_token.expose()),
            ("token_type_hint", "refresh_token"),
        ])
    }

    /// Also succeeds for a token that the server does not know or cannot revoke: that token is unusable, or
    /// belongs to another client.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<(), Error> {
        match exchange::success(Self::ENDPOINT, &response, now) {
            Err(Error::Server(error)) if error.error == OAuthErrorCode::UnsupportedTokenType => {
                Ok(())
            }
            other => other,
        }
    }
}

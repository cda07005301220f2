//! The client credentials grant
//! ([RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).

use bytes::Bytes;
use http::{Request, Response};

use super::{TokenResponse, target_parameters};
use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, UsageError},
    exchange::Exchange,
    metadata::ProviderMetadata,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Requests an access token for the application itself: machine-to-machine, without a user
/// ([Logto's guide](https://docs.logto.io/quick-starts/m2m)).
///
/// Logto grants what the application's roles permit, limited to the scopes of the target; a target without
/// scopes gets a token without any. There is no refresh token: request a new access token when the old one is
/// about to expire. Requesting twice is harmless.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    endpoint: ClientEndpoint,
    target: TokenTarget,
    requested_at: UnixTime,
}

impl ClientCredentials {
    /// Requests, at `now`, a token for an API resource, an organization, or a resource within an
    /// organization.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] for [`TokenTarget::user_info`]: there is no user.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        target: TokenTarget,
        now: UnixTime,
    ) -> Result<Self, UsageError> {
        if target.resource_indicator().is_none() && target.organization_id().is_none() {
            return Err(UsageError::InvalidParameter(
                "client credentials need an API resource or an organization to ask for".to_owned(),
            ));
        }
        Ok(Self {
            endpoint: ClientEndpoint::new(metadata.token_endpoint(), config),
            target,
            requested_at: now,
        })
    }

    /// The target of the token.
    pub fn target(&self) -> &TokenTarget {
        &self.target
    }
}

impl Exchange for ClientCredentials {
    const ENDPOINT: Endpoint = Endpoint::Token;

    /// Nothing is spent: a token whose response was lost is never used.
    const IS_REPEATABLE: bool = true;

    type Output = AccessToken;

    fn request(&self) -> Request<Bytes> {
        let mut parameters = vec![("grant_type", "client_credentials".into())];
        parameters.extend(target_parameters(&self.target));
        self.endpoint.post(&parameters)
    }

    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<AccessToken, Error> {
        let response = TokenResponse::read(&response, now)?;
        Ok(response.access_token(
            &self.target,
            &response.scopes_in_token(self.target.scopes()),
            self.requested_at,
        )?)
    }
}

//! The refresh token grant ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response};

use super::{TokenResponse, target_parameters};
use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, ResponseError},
    exchange::Exchange,
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Spends a refresh token for an access token.
///
/// Logto keeps the refresh token of a confidential client until 70 % of its life has passed, then
/// rotates it; a public client's on every use. Sending a spent one more than three seconds after its
/// last use ends the whole grant, so a request whose answer was lost must not be repeated later.
#[derive(Clone, Debug)]
pub struct RefreshTokens {
    endpoint: ClientEndpoint,
    refresh_token: Secret,
    target: TokenTarget,
    implied_scopes: BTreeSet<String>,
    requested_at: UnixTime,
}

/// The answer to [`RefreshTokens`].
///
/// A new refresh token stands apart from the rest because it must be kept whatever the rest is worth:
/// the old one is spent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// The refresh token to use from now on; `None` means that the old one stays good.
    pub refresh_token: Option<Secret>,
    /// A new ID token, not verified yet.
    pub id_token: Option<Secret>,
    /// The access token, or what is wrong with it.
    pub access_token: Result<AccessToken, ResponseError>,
}

impl RefreshTokens {
    /// Asks for a token for `target` at `now`. `implied_scopes` are the token's scopes should the
    /// server not say: what the sign-in asked for, unless `target` narrows it.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        refresh_token: Secret,
        target: TokenTarget,
        implied_scopes: &BTreeSet<String>,
        now: UnixTime,
    ) -> Self {
        let implied_scopes = if target.scopes().is_empty() {
            implied_scopes
        } else {
            target.scopes()
        }
        .clone();
        Self {
            endpoint: ClientEndpoint::new(metadata.token_endpoint(), config),
            refresh_token,
            target,
            implied_scopes,
            requested_at: now,
        }
    }

    /// The refresh token that is spent.
    pub fn refresh_token(&self) -> &Secret {
        &self.refresh_token
    }

    /// What the token is for.
    pub fn target(&self) -> &TokenTarget {
        &self.target
    }
}

impl Exchange for RefreshTokens {
    const ENDPOINT: Endpoint = Endpoint::Token;

    type Output = Refreshed;

    fn request(&self) -> Request<Bytes> {
        let mut parameters = vec![
            ("grant_type", "refresh_token".into()),
            ("refresh_token", self.refresh_token.expose().into()),
        ];
        parameters.extend(target_parameters(&self.target));
        self.endpoint.post(&parameters)
    }

    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<Refreshed, Error> {
        let response = TokenResponse::read(&response, now)?;
        Ok(Refreshed {
            refresh_token: response.refresh_token(),
            id_token: response.id_token(),
            access_token: response.access_token(
                &self.target,
                &self.implied_scopes,
                self.requested_at,
            ),
        })
    }
}

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

/// Spends a refresh token to get an access token.
///
/// Logto keeps the refresh token of a confidential client until 70 % of its lifetime has passed, and then
/// rotates it; a public client's at every use. A rotated token that is used more than three seconds after its
/// last use ends the whole grant. Do not repeat a request later because its response was lost.
#[derive(Clone, Debug)]
pub struct RefreshTokens {
    endpoint: ClientEndpoint,
    refresh_token: Secret,
    target: TokenTarget,
    implied_scopes: BTreeSet<String>,
    requested_at: UnixTime,
}

/// The response to [`RefreshTokens`].
///
/// The new refresh token is separate from the rest, because it must be stored even if the rest is unusable:
/// the old one is spent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// The refresh token to use from now on; `None` if the old one remains valid.
    pub refresh_token: Option<Secret>,
    /// A new ID token, not yet verified.
    pub id_token: Option<Secret>,
    /// The access token, or what is wrong with it.
    pub access_token: Result<AccessToken, ResponseError>,
}

impl RefreshTokens {
    /// Requests a token for `target` at `now`. `implied_scopes` are the token's scopes if the response does
    /// not name any: those that the sign-in requested, unless `target` narrows them.
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

    /// The refresh token that this request spends.
    pub fn refresh_token(&self) -> &Secret {
        &self.refresh_token
    }

    /// The target of the access token.
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

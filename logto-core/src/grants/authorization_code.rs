//! The authorization code grant
//! ([RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3) with PKCE).

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use url::Url;

use super::TokenResponse;
use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, Unavailable},
    exchange::{self, Exchange},
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Redeems the authorization code of a callback.
///
/// Only [`PendingSignIn::resume`](crate::sign_in::PendingSignIn::resume) creates it, so a code is redeemed
/// once and only for a checked callback. Do not repeat a request whose response was lost: a code that is sent
/// twice ends the grant and every token issued from it.
#[derive(Debug)]
pub struct RedeemCode {
    endpoint: ClientEndpoint,
    code: Secret,
    code_verifier: Secret,
    redirect_uri: Url,
    requested_scopes: BTreeSet<String>,
    requested_at: UnixTime,
}

/// The tokens that start a session, for a code or an approved device. Do not use any of them before the ID
/// token is verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnverifiedTokens {
    /// The ID token, not yet verified.
    pub id_token: Secret,
    /// The opaque access token for userinfo.
    pub access_token: AccessToken,
    /// The refresh token, if `offline_access` was granted or the application always gets one.
    pub refresh_token: Option<Secret>,
}

impl RedeemCode {
    pub(crate) fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        code: Secret,
        code_verifier: Secret,
        redirect_uri: Url,
        requested_scopes: BTreeSet<String>,
        now: UnixTime,
    ) -> Self {
        Self {
            endpoint: ClientEndpoint::new(metadata.token_endpoint(), config),
            code,
            code_verifier,
            redirect_uri,
            requested_scopes,
            requested_at: now,
        }
    }

    /// The error of a response that certainly left the code unspent: 429, which turns a request away without
    /// looking at it. Any other failure may come after the code was spent, also one that a proxy reports.
    pub(crate) fn turned_away(response: &Response<Bytes>, now: UnixTime) -> Option<Unavailable> {
        if response.status() != StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        match exchange::success(Self::ENDPOINT, response, now) {
            Err(Error::Unavailable(error)) => Some(error),
            _ => None,
        }
    }
}

impl Exchange for RedeemCode {
    const ENDPOINT: Endpoint = Endpoint::Token;

    type Output = UnverifiedTokens;

    fn request(&self) -> Request<Bytes> {
        self.endpoint.post(&[
            ("grant_type", "authorization_code"),
            ("code", self.code.expose()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", self.code_verifier.expose()),
        ])
    }

    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<UnverifiedTokens, Error> {
        UnverifiedTokens::read(&response, &self.requested_scopes, self.requested_at, now)
    }
}

impl UnverifiedTokens {
    /// Reads the response that starts a session.
    pub(crate) fn read(
        response: &Response<Bytes>,
        requested_scopes: &BTreeSet<String>,
        requested_at: UnixTime,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let response = TokenResponse::read(response, now)?;
        Ok(Self {
            id_token: response
                .id_token()
                .ok_or_else(|| response.unusable("`id_token` is missing or not a string"))?,
            access_token: response.access_token(
                &TokenTarget::user_info(),
                requested_scopes,
                requested_at,
            )?,
            refresh_token: response.refresh_token(),
        })
    }
}

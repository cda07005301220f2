//! Token exchange ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)): impersonation, delegation,
//! personal access tokens.

use bytes::Bytes;
use http::{Request, Response};

use super::{TokenResponse, target_parameters};
use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error},
    exchange::Exchange,
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Exchanges a token that represents a user for an access token of that user.
///
/// | to | give |
/// |---|---|
/// | [impersonate a user](https://docs.logto.io/developers/user-impersonation) | [`TypedToken::access_token`]
/// with a subject token of the Management API, which is valid once |
/// | use a [personal access token](https://docs.logto.io/user-management/personal-access-token) | [`TypedToken::personal_access_token`] |
/// | name the user who acts (`act`) | additionally an [`actor_token`](Self::actor_token) |
///
/// The application must be allowed to exchange tokens; otherwise Logto responds with `invalid_request`. The
/// response contains no ID token and no refresh token.
#[derive(Clone, Debug)]
pub struct ExchangeToken {
    endpoint: ClientEndpoint,
    subject: TypedToken,
    actor: Option<TypedToken>,
    target: TokenTarget,
    requested_at: UnixTime,
}

/// A token and the URI of its type
/// ([RFC 8693 section 3](https://www.rfc-editor.org/rfc/rfc8693#section-3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedToken {
    token: Secret,
    token_type: String,
}

impl TypedToken {
    /// An access token, or a subject token that the Management API issued for an impersonation:
    /// `urn:ietf:params:oauth:token-type:access_token`.
    pub fn access_token(token: impl Into<Secret>) -> Self {
        Self::of_type(token, "urn:ietf:params:oauth:token-type:access_token")
    }

    /// A user's personal access token: `urn:logto:token-type:personal_access_token`.
    pub fn personal_access_token(token: impl Into<Secret>) -> Self {
        Self::of_type(token, "urn:logto:token-type:personal_access_token")
    }

    /// A token of another type, identified by its URI.
    pub fn of_type(token: impl Into<Secret>, token_type: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            token_type: token_type.into(),
        }
    }
}

impl ExchangeToken {
    /// Exchanges `subject` at `now` for a token for `target`.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        subject: TypedToken,
        target: TokenTarget,
        now: UnixTime,
    ) -> Self {
        Self {
            endpoint: ClientEndpoint::new(metadata.token_endpoint(), config),
            subject,
            actor: None,
            target,
            requested_at: now,
        }
    }

    /// The user who acts for the subject. The new token names them in `act` ([RFC 8693 section
    /// 4.1](https://www.rfc-editor.org/rfc/rfc8693#section-4.1)). Logto expects the actor's opaque access
    /// token: the one for [`TokenTarget::user_info`] with the scope `openid`.
    #[must_use]
    pub fn actor_token(mut self, actor: TypedToken) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The target of the token.
    pub fn target(&self) -> &TokenTarget {
        &self.target
    }
}

impl Exchange for ExchangeToken {
    const ENDPOINT: Endpoint = Endpoint::Token;

    type Output = AccessToken;

    fn request(&self) -> Request<Bytes> {
        let mut parameters = vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange".into(),
            ),
            ("subject_token", self.subject.token.expose().into()),
            (
                "subject_token_type",
                self.subject.token_type.as_str().into(),
            ),
        ];
        if let Some(actor) = &self.actor {
            parameters.push(("actor_token", actor.token.expose().into()));
            parameters.push(("actor_token_type", actor.token_type.as_str().into()));
        }
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

//! Typed ways to ask for the session of a request.

use std::{ops::Deref, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use logto_client::{
    Error, ReadOnlySession, WritableSession,
    core::{api_token::ApiTokenClaims, claims::IdTokenClaims},
    resource_server::Refusal,
    web::RequestSession,
};

/// The claims of the signed-in user.
#[derive(Clone, Debug)]
pub struct User(pub Arc<IdTokenClaims>);

/// The session of the signed-in user, to refresh and store.
#[derive(Clone, Debug)]
pub struct Session(pub WritableSession);

/// The session of the signed-in user, to look at.
#[derive(Clone, Debug)]
pub struct ReadOnly(pub ReadOnlySession);

/// The session of the request before it is opened: for pages that stream, and for what comes before the
/// handlers.
#[derive(Clone, Debug)]
pub struct Request(pub RequestSession);

/// The claims of the access token of a request to an API, which a [`Guard::token`](crate::Guard::token) has
/// verified.
#[derive(Clone, Debug)]
pub struct Token(pub Arc<ApiTokenClaims>);

/// The response to a request that an extractor refuses.
#[derive(Debug)]
pub struct Refused(Box<Response>);

impl Refused {
    fn new(response: impl IntoResponse) -> Self {
        Self(Box::new(response.into_response()))
    }

    fn failed(request: &RequestSession, error: &Error) -> Self {
        Self::new(request.refusal(error).map(Body::from))
    }

    fn signed_out(request: &RequestSession) -> Self {
        Self::new(request.ask_to_sign_in().map(Body::from))
    }
}

/// For a handler of an API that verifies the token itself, because its path names the organization.
impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.response().map(Body::from))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let session = logto_tower::session_of(&parts.extensions).cloned();
        let missing = || {
            let problem = "The route is not below `with_logto`: call it after adding the routes.";
            Refused::new((StatusCode::INTERNAL_SERVER_ERROR, problem))
        };
        session.map(Self).ok_or_else(missing)
    }
}

impl<S: Sync> FromRequestParts<S> for Token {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let claims = parts.extensions.get::<Arc<ApiTokenClaims>>();
        let missing = || {
            let problem = "The route is not behind `Guard::token`.";
            Refused::new((StatusCode::INTERNAL_SERVER_ERROR, problem))
        };
        claims.cloned().map(Self).ok_or_else(missing)
    }
}

/// An extractor that needs a user, and its optional form.
macro_rules! extractor {
    ($name:ident, $open:expr) => {
        impl<S: Sync> OptionalFromRequestParts<S> for $name {
            type Rejection = Refused;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &S,
            ) -> Result<Option<Self>, Refused> {
                let Request(request) = Request::from_request_parts(parts, state).await?;
                let opened = $open(&request).await;
                let opened = opened.map_err(|error| Refused::failed(&request, &error))?;
                Ok(opened.map(Self))
            }
        }

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = Refused;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
                let Request(request) = Request::from_request_parts(parts, state).await?;
                let opened =
                    <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
                opened.ok_or_else(|| Refused::signed_out(&request))
            }
        }
    };
}

extractor!(User, RequestSession::claims);
extractor!(Session, RequestSession::session);
extractor!(ReadOnly, RequestSession::read_only);

impl Deref for User {
    type Target = IdTokenClaims;

    fn deref(&self) -> &IdTokenClaims {
        &self.0
    }
}

impl Deref for Token {
    type Target = ApiTokenClaims;

    fn deref(&self) -> &ApiTokenClaims {
        &self.0
    }
}

impl Deref for Session {
    type Target = WritableSession;

    fn deref(&self) -> &WritableSession {
        &self.0
    }
}

impl Deref for ReadOnly {
    type Target = ReadOnlySession;

    fn deref(&self) -> &ReadOnlySession {
        &self.0
    }
}

impl Deref for Request {
    type Target = RequestSession;

    fn deref(&self) -> &RequestSession {
        &self.0
    }
}

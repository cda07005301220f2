//! Extractors for the session of a request.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use logto_client::{
    Error, core::api_token::ApiTokenClaims, resource_server::Refusal, web::RequestSession,
};

logto_adapter_common::session_types!();

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

/// For a handler of an API that verifies the token itself, because its path contains the organization.
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

//! Extractors for the session of a request and for its access token.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
};

use crate::{convert, failure::Error};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::{ErrorInternalServerError, InternalError},
    middleware::Next,
};
use logto_adapter_common::Pending;
use logto_client::{
    core::api_token::AccessTokenVerification,
    resource_server::ResourceServer,
    web::{RequestSession, Requirement},
};

logto_adapter_common::session_types!();

/// Limits a scope to users who meet a requirement: `.wrap(from_fn(|request, next| require(Requirement::user(),
/// request, next)))`.
///
/// # Errors
/// As the extractor [`Session`], 403 for other users, and what the scope itself fails with.
pub async fn require<B: MessageBody>(
    requirement: Requirement,
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let (session, pending) = begin(request.request())?;
    let opened = session.session_as(&requirement).await;
    pending.require(opened).map_err(Error)?;
    next.call(request).await
}

/// Limits a scope of an API to requests with an access token that meets `demands`. Its handlers can use
/// [`Token`]. No [`LogtoMiddleware`](crate::LogtoMiddleware) is needed.
///
/// # Errors
/// As [`authorize`], and what the scope itself fails with.
pub async fn require_token<B: MessageBody>(
    server: ResourceServer,
    demands: AccessTokenVerification,
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let token = authorize(request.request(), &server, &demands).await?;
    request.extensions_mut().insert(token);
    next.call(request).await
}

/// The claims of the access token of a request, for a handler whose path contains the organization, or for your
/// own extractor.
///
/// # Errors
/// 400, 401 or 403 with `WWW-Authenticate` for a request without a valid token, and 503 if no key can be
/// fetched to verify it with.
pub async fn authorize(
    request: &HttpRequest,
    server: &ResourceServer,
    demands: &AccessTokenVerification,
) -> actix_web::Result<Token> {
    let head = convert::head(request);
    let claims = server.authorize(&head.headers, demands).await;
    claims.map(Token).map_err(|refusal| {
        let response = convert::response(refusal.response());
        InternalError::from_response("the access token is refused", response).into()
    })
}

fn begin(request: &HttpRequest) -> actix_web::Result<(RequestSession, Rc<Pending>)> {
    let pending: Option<Rc<Pending>> = request.extensions().get().cloned();
    let pending = pending
        .ok_or_else(|| ErrorInternalServerError("`LogtoMiddleware` does not wrap this route"))?;
    Ok((convert::begin(&pending, request).clone(), pending))
}

impl FromRequest for Request {
    type Error = actix_web::Error;
    type Future = Ready<actix_web::Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(begin(request).map(|(session, _)| Self(session)))
    }
}

macro_rules! extractors {
    ($($name:ident: $open:ident,)*) => { $(
        impl FromRequest for $name {
            type Error = actix_web::Error;
            type Future = Pin<Box<dyn Future<Output = actix_web::Result<Self>>>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let begun = begin(request);
                Box::pin(async move {
                    let (session, pending) = begun?;
                    let opened = session.$open().await;
                    Ok(Self(pending.require(opened).map_err(Error)?))
                })
            }
        }
    )* };
}

extractors! {
    User: claims,
    Session: session,
    ReadOnly: read_only,
}

impl FromRequest for Token {
    type Error = actix_web::Error;
    type Future = Ready<actix_web::Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = request.extensions().get().cloned();
        let missing = || ErrorInternalServerError("`require_token` does not wrap this route");
        ready(token.ok_or_else(missing))
    }
}

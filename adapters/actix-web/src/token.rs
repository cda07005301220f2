//! Access tokens of the requests to an API.

use std::{
    future::{Ready, ready},
    ops::Deref,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, Result,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::{ErrorInternalServerError, InternalError},
    middleware::Next,
};
use logto_client::{
    core::api_token::{AccessTokenVerification, ApiTokenClaims},
    resource_server::ResourceServer,
};

use crate::convert;

/// The claims of the access token of a request, which [`require_token`] has verified.
#[derive(Clone, Debug)]
pub struct Token(pub Arc<ApiTokenClaims>);

/// Lets only requests with an access token that meets `demands` pass to a scope of an API. Its handlers take a
/// [`Token`]. No [`LogtoMiddleware`](crate::LogtoMiddleware) is needed.
///
/// # Errors
/// As [`authorize`], and what the scope itself fails with.
pub async fn require_token<B: MessageBody>(
    server: ResourceServer,
    demands: AccessTokenVerification,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>> {
    let token = authorize(request.request(), &server, &demands).await?;
    request.extensions_mut().insert(token);
    next.call(request).await
}

/// The claims of the access token of a request, for a handler whose path names the organization, or an extractor of
/// the application's own.
///
/// # Errors
/// 400, 401 or 403 with `WWW-Authenticate` for a request without a good token, and 503 if no key can be fetched to
/// verify it with.
pub async fn authorize(
    request: &HttpRequest,
    server: &ResourceServer,
    demands: &AccessTokenVerification,
) -> Result<Token> {
    let head = convert::head(request);
    let claims = server.authorize(&head.headers, demands).await;
    claims.map(Token).map_err(|refusal| {
        let response = convert::response(refusal.response());
        InternalError::from_response("the access token is refused", response).into()
    })
}

impl FromRequest for Token {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = request.extensions().get().cloned();
        let missing = || ErrorInternalServerError("`require_token` does not wrap this route");
        ready(token.ok_or_else(missing))
    }
}

impl Deref for Token {
    type Target = ApiTokenClaims;

    fn deref(&self) -> &ApiTokenClaims {
        &self.0
    }
}

//! Between axum and [`LogtoWeb`]: both speak `http`, so a few lines are enough.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, request::Parts};
use logto::{
    Error, WritableSession,
    core::{error::UsageError, sign_in::Callback},
    web::LogtoWeb,
};

/// An answer of [`LogtoWeb`] as axum wants it.
pub fn respond(web: &LogtoWeb, answer: Result<http::Response<Bytes>, Error>) -> Response {
    answer
        .unwrap_or_else(|error| web.error_response(&error))
        .map(Body::from)
}

/// A request as [`LogtoWeb::callback`] and [`LogtoWeb::back_channel_logout`] want it. A body that is
/// longer than either's is left out.
pub async fn buffered(request: Request) -> (Parts, Bytes) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, Callback::MAX_LENGTH)
        .await
        .unwrap_or_default();
    (parts, body)
}

/// The response to an error, as axum's `?` wants it.
#[derive(Debug)]
pub struct Refused(Box<Response>);

/// Turns an error into its response: `.map_err(refused(&web))?`.
pub fn refused(web: &LogtoWeb) -> impl Fn(Error) -> Refused {
    |error| Refused(Box::new(web.error_response(&error).map(Body::from)))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The session of a request that cannot do without one.
///
/// # Errors
/// `not_authenticated`, which is answered with 401.
pub fn signed_in<T>(session: &Option<T>) -> Result<&T, Error> {
    session
        .as_ref()
        .ok_or_else(|| UsageError::NotSignedIn.into())
}

/// The response of a handler that opened a session for writing: brings the browser up to date.
pub fn finish(
    web: &LogtoWeb,
    request: &HeaderMap,
    session: Option<&WritableSession>,
    answer: Result<impl IntoResponse, Error>,
) -> Response {
    let mut response = match answer {
        Ok(answer) => answer.into_response(),
        Err(error) => respond(web, Err(error)),
    };
    match web.finish(request, session, response.headers_mut()) {
        Ok(()) => response,
        Err(error) => respond(web, Err(error)),
    }
}

//! Errors of the SDK as responses.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use logto_client::web::Failure;

use crate::convert;

/// What a handler returns that uses the session.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SDK. Its response is a page for a browser and JSON for a script, with a fixed sentence for
/// each code; the details go to the observer.
#[derive(Clone, Debug)]
pub struct Error(pub logto_client::Error);

impl<E: Into<logto_client::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        convert::status(self.0.status().as_u16())
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        // The middleware knows the request, and replaces the response.
        response.extensions_mut().insert(Failure(self.0.clone()));
        response
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! Errors of the SDK as responses.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use logto_client::web::Failure;

use crate::convert;

logto_adapter_common::error_type!();

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

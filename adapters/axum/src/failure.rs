//! Errors of the SDK as responses.

use axum::response::{IntoResponse, Response};
use logto_client::web::Failure;

logto_adapter_common::error_type!();

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        // The layer knows the request, and replaces the response.
        response.extensions_mut().insert(Failure(self.0));
        response
    }
}

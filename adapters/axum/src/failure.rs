//! Errors of the SDK as responses.

use axum::response::{IntoResponse, Response};
use logto_client::web::Failure;

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

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        // The layer knows the request, and replaces the response.
        response.extensions_mut().insert(Failure(self.0));
        response
    }
}

//! Errors of the SDK as responses.

use http::Response;
use logto_client::web::Failure;

use crate::Body;

logto_adapter_common::error_type!();

impl Error {
    /// [`RequestSession::finish`](logto_client::web::RequestSession::finish) fills it in.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        response.extensions_mut().insert(Failure(self.0));
        response
    }
}

//! Errors of the SDK in pages and server functions.

use std::fmt;

use bytes::Bytes;
use leptos::server_fn::{
    Encodes,
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use logto_client::web::public_description;
use serde::{Deserialize, Serialize};

use crate::use_request;

/// The result of a page or a server function that uses the session.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SDK, or of Leptos when it calls a server function.
///
/// A page shows it where it occurs. For a server function that returns it, the response has the status of the
/// error: a page for a browser, and JSON for a script. It contains only a code and the fixed sentence for that
/// code, because both are sent to browsers; the details go to the observer.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error {
    /// A stable, lower-case code.
    pub error: String,
    /// A sentence for the user.
    pub error_description: String,
    #[serde(skip)]
    cause: Option<logto_client::Error>,
}

impl<E: Into<logto_client::Error>> From<E> for Error {
    fn from(cause: E) -> Self {
        let cause = cause.into();
        Self {
            error: cause.code().to_owned(),
            error_description: public_description(&cause).to_owned(),
            cause: Some(cause),
        }
    }
}

impl FromServerFnError for Error {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self {
            error: "server_function".to_owned(),
            error_description: error.to_string(),
            cause: None,
        }
    }

    /// Leptos encodes the error of a server function, and responds to all errors with 500, or with a redirect
    /// to the page of the form.
    fn ser(&self) -> Bytes {
        if let (Some(cause), Ok(request)) = (&self.cause, use_request()) {
            request.answer_with(|request| request.refusal(cause));
        }
        JsonEncoding::encode(self).unwrap_or_default()
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error_description)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.error).finish()
    }
}

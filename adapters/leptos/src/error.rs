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

/// What a page or a server function returns that uses the session.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SDK, or of Leptos on the way to a server function.
///
/// A page shows it where it occurs. A server function that returns it is answered with the status that fits: a
/// page for a browser, and JSON for a script. It holds a code and a fixed sentence for each code, because both
/// go to browsers; the details go to the observer.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error {
    /// A stable, lower-case word.
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

    /// Leptos encodes an error when it is the answer of a server function, and answers all of them with 500, or
    /// with a redirect to where a form was.
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

//! Authorization requests that lead to an error.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{callback::Callback, error::OAuthError, reply};

/// Why there will be no code.
pub(crate) enum Refusal {
    /// Nobody may be redirected: the redirect URI or the client is not known.
    Page {
        error: OAuthError,
        state: Option<String>,
        issuer: String,
    },
    Callback {
        error: OAuthError,
        callback: Callback,
    },
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<Bytes> {
        match self {
            Self::Callback { callback, .. } => callback.into_response(),
            Self::Page {
                error,
                state,
                issuer,
            } => {
                let body = error.body().with_some("state", state).with("iss", issuer);
                reply::no_store(reply::json(StatusCode::BAD_REQUEST, &body))
            }
        }
    }
}

//! What to do about an error.

use std::time::Duration;

use http::StatusCode;

/// What an application does about an error: the one classification of the whole SDK.
///
/// [`Error::advice`](super::Error::advice) gives it for every error of the protocol, the client's error
/// for everything else. An error is never a reason to drop a session, except with
/// [`SignInAgain`](Self::SignInAgain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Try the same call again. Nothing has changed: whoever was signed in still is.
    Retry {
        /// How long to wait first: the server's `Retry-After`, at most one hour; `None` when it gave
        /// none.
        after: Option<Duration>,
    },
    /// This request is refused, and would be refused again. The session, if there is one, is as good as
    /// before.
    Refused,
    /// Send the user through sign-in again: there is no session, the session has ended, or the sign-in
    /// that was under way cannot be completed.
    SignInAgain,
    /// Somebody has to correct the configuration, in the program or in the Logto Console. Sessions
    /// survive until then.
    FixConfiguration,
}

impl Advice {
    /// Whether the same call may succeed later.
    pub const fn is_retry(self) -> bool {
        matches!(self, Self::Retry { .. })
    }

    /// The status for the response to a request that failed with such an error: 503, 403, 401 or 500, in
    /// the order of the variants.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Retry { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::SignInAgain => StatusCode::UNAUTHORIZED,
            Self::FixConfiguration => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

//! What to do about an error.

use std::time::Duration;

use http::StatusCode;

/// What an application does about an error: the one classification of the SDK.
///
/// [`Error::advice`](super::Error::advice) gives it for every error of the protocol; the client's error gives
/// it for all others. Only [`SignInAgain`](Self::SignInAgain) is a reason to drop a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Try the same call again. Nothing has changed: a signed-in user remains signed in.
    Retry {
        /// How long to wait first: the server's `Retry-After`, at most one hour; `None` if it sent none.
        after: Option<Duration>,
    },
    /// This request is refused, and would be refused again. The session, if there is one, is still valid.
    Refused,
    /// Start a new sign-in: there is no session, the session has ended, or the pending sign-in cannot be
    /// completed.
    SignInAgain,
    /// The configuration must be corrected, in the program or in the Logto Console. Sessions survive.
    FixConfiguration,
}

impl Advice {
    /// Whether the same call may succeed later.
    pub const fn is_retry(self) -> bool {
        matches!(self, Self::Retry { .. })
    }

    /// The HTTP status for a request that failed with this error: 503, 403, 401 or 500, in the order of the
    /// variants.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Retry { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::SignInAgain => StatusCode::UNAUTHORIZED,
            Self::FixConfiguration => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

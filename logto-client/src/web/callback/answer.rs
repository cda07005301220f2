//! The response to a callback.

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use logto_core::error::CallbackError;
use url::Url;

use crate::{client::CompletedSignIn, error::Error, web::respond};

/// The result of a callback.
#[derive(Debug)]
#[must_use]
pub struct CallbackAnswer {
    /// How the sign-in ended, or why it failed.
    pub outcome: Result<CallbackOutcome, Error>,
    /// The cookies of the response, also in case of an error. They contain the new session, and record that
    /// this callback was completed.
    pub headers: HeaderMap,
}

/// How a callback ended without an error.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "destructured right after it is returned"
)]
#[non_exhaustive]
pub enum CallbackOutcome {
    /// The user is signed in.
    SignedIn(CompletedSignIn),
    /// The same sign-in starts again at this URL of Logto, once, because it cannot be completed as it was
    /// started: its code may be spent although no user is signed in, another tab took the browser's cookie at
    /// the same moment, or the configuration of the application has changed. It requests the same as the first
    /// sign-in, without the one-time token. Because of the session at Logto, the user usually does not notice
    /// it.
    StartsAgain(Url),
    /// This callback was completed before, and the user is signed in: the page was reloaded, or opened from the
    /// history.
    AlreadySignedIn {
        /// Where the user wanted to go: a path on the application's own origin.
        return_to: String,
    },
    /// The user cancelled, or a rule at Logto denied access (`access_denied`). A previous session remains
    /// valid. Show a page that explains it, with a link to continue.
    Cancelled {
        /// Where the user wanted to go: a path on the application's own origin. A page that needs a session
        /// sends the user to Logto again.
        return_to: String,
        /// Logto's error.
        error: Error,
    },
}

impl CallbackAnswer {
    /// The whole response: a redirect to where the user wanted to go, or the error. For a cancelled sign-in,
    /// that is an error with the code `access_denied`; to show a page instead, check [`outcome`](Self::outcome)
    /// first.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = match &self.outcome {
            Ok(CallbackOutcome::SignedIn(completed)) => respond::see_other(&completed.return_to),
            Ok(CallbackOutcome::StartsAgain(url)) => respond::see_other(url.as_str()),
            Ok(CallbackOutcome::AlreadySignedIn { return_to }) => respond::see_other(return_to),
            Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) => respond::refusal(error),
        };
        response.headers_mut().remove(header::VARY);
        response.headers_mut().extend(self.headers);
        response
    }

    /// Whether a silent sign-in failed because the user must interact. This is not an error, and no reason to
    /// end a session.
    pub fn needs_interaction(&self) -> bool {
        use logto_core::error::OAuthErrorCode as Code;
        let Err(Error::Protocol(logto_core::Error::Callback(CallbackError::Server(error)))) =
            &self.outcome
        else {
            return false;
        };
        matches!(
            error.error,
            Code::LoginRequired
                | Code::ConsentRequired
                | Code::InteractionRequired
                | Code::AccountSelectionRequired
        )
    }
}

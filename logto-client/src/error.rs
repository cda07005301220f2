//! The errors of the client.

use std::{sync::Arc, time::Duration};

pub use logto_core::error::Advice;
use logto_core::error::{CallbackError, Endpoint, OAuthErrorCode, ServerError, TokenError};

pub use logto_core::refresh::SessionEnd;

use crate::{entropy::EntropyError, http::TransportError, storage::StorageError};

/// An error of the client. Clones share their cause, because every caller that waited for a failed refresh
/// receives the same error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The protocol: a refused callback, an error response, an invalid response or token, or incorrect use.
    #[error(transparent)]
    Protocol(#[from] logto_core::Error),
    /// The provider could not be reached, or its response was lost.
    #[error("{endpoint} endpoint: {source}")]
    Transport {
        /// Which endpoint.
        endpoint: Endpoint,
        /// What happened.
        source: TransportError,
    },
    /// The session storage failed. No user is signed out because of it.
    #[error("{0}")]
    Storage(Arc<StorageError>),
    /// The session has ended: the provider reported it, or the session was removed.
    #[error("the session has ended ({0}); sign in again")]
    SessionEnded(SessionEnd),
    /// A sign-in on a device ended without the user's approval.
    #[error("the sign-in on the device has ended: {0}")]
    Device(DeviceEnd),
    /// The web layer refuses the request before processing it.
    #[error("{0}")]
    Request(RequestError),
    /// The application refuses the user who has just signed in; see
    /// [`SignInHook`](crate::web::SignInHook). The session has ended.
    #[error("{0}")]
    SignInRefused(SignInRefused),
    /// The response has begun, so no cookie can be set any more, and the session is in cookies: it cannot be
    /// opened for writing, and no token can be fetched.
    ///
    /// A page that asks for a token too late fails each time. Fetch its tokens before the response begins, with
    /// [`RequestSession::refresh_ahead`](crate::web::RequestSession::refresh_ahead). A connection that stays
    /// open, such as a WebSocket or server-sent events, also receives this error when its token has expired,
    /// often after an hour. Close it and let the client connect again: the new request can fetch tokens before
    /// its response begins.
    #[error("the response has begun; a session in cookies can only be read now")]
    ResponseBegun,
    /// The random source failed.
    #[error("{0}")]
    Entropy(Arc<EntropyError>),
    /// The key of a token is not among the cached keys of the provider, and they may not be fetched again yet,
    /// because of too many tokens with unknown keys. The token may be valid.
    #[error("unknown signing key; the keys can be fetched again in {} seconds", .retry_after.as_secs())]
    KeyUnknown {
        /// When they can be fetched again.
        retry_after: Duration,
    },
    /// The calls on this session value have used up their shared time to wait for the provider: see
    /// [`Context::waiting_budget`](crate::Context::waiting_budget). Nothing has changed, and a refresh in
    /// flight continues.
    #[error("the calls on this session have waited for the provider for {} seconds in total; try again", .budget.as_secs_f32())]
    WaitingBudgetSpent {
        /// How long they may wait.
        budget: Duration,
    },
    /// Another process has been refreshing this session for too long.
    #[error("the session is being refreshed elsewhere; try again")]
    Busy,
    /// The cookie of this request is stale: another process has refreshed its session, or the provider has
    /// ended it. The refresh token was not used, because that would end a session that may still be valid.
    /// The next request of the browser carries its newest cookie.
    #[error("the session was refreshed elsewhere after this request was sent; try again")]
    Superseded,
}

/// Why a sign-in on a device has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceEnd {
    /// The user, or the provider, denied the sign-in.
    #[error("denied")]
    Denied,
    /// The user did not decide in time.
    #[error("the code has expired")]
    Expired,
    /// The code was used before: the user approved, and the session was returned to an earlier call.
    #[error("the code was used before")]
    Spent,
}

/// Why an application refuses a user who has signed in at Logto.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application refuses the user: {reason}")]
pub struct SignInRefused {
    /// A sentence that the user is shown.
    pub reason: String,
}

impl SignInRefused {
    /// A refusal with this sentence for the user.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// Why the web layer refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It would change something, and the browser does not report that the application's own pages or the user
    /// caused it.
    #[error("another site may have caused this request")]
    CrossSite,
    /// It would start a sign-in that no user could complete: a prefetch, a frame of another site, or a request
    /// of a script or for a part of a page.
    #[error("a sign-in starts only with a page that a user opens")]
    NotANavigation,
    /// The route does not accept its method.
    #[error("the route does not accept the method of the request")]
    MethodNotAllowed,
    /// The user is signed in and lacks what the page [requires](crate::web::Requirement).
    #[error("the user lacks a role or a membership that the page requires")]
    Forbidden,
}

impl Error {
    /// What to do next.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Protocol(error) => error.advice(),
            Self::SessionEnded(_) | Self::Device(DeviceEnd::Expired | DeviceEnd::Spent) => {
                Advice::SignInAgain
            }
            Self::Device(DeviceEnd::Denied) | Self::Request(_) | Self::SignInRefused(_) => {
                Advice::Refused
            }
            Self::Storage(error) => match **error {
                StorageError::Unavailable(_) => Advice::Retry { after: None },
                StorageError::TooLarge { .. } | StorageError::Misconfigured(_) => {
                    Advice::FixConfiguration
                }
            },
            Self::KeyUnknown { retry_after } => Advice::Retry {
                after: Some(*retry_after),
            },
            Self::Transport { .. }
            | Self::Entropy(_)
            | Self::WaitingBudgetSpent { .. }
            | Self::Busy
            | Self::Superseded => Advice::Retry { after: None },
            // A page fails each time, until the application fetches its tokens earlier. The error cannot tell
            // whether it is on a connection that has outlived its token and only needs to connect again.
            Self::ResponseBegun => Advice::FixConfiguration,
        }
    }

    /// A stable, lower-case code for this error: the OAuth error code if the server sent one.
    pub fn code(&self) -> &str {
        match self {
            Self::Protocol(error) => error.code(),
            Self::Transport { .. }
            | Self::KeyUnknown { .. }
            | Self::WaitingBudgetSpent { .. }
            | Self::Busy
            | Self::Superseded => "temporarily_unavailable",
            Self::ResponseBegun => "response_begun",
            Self::SignInRefused(_) => "sign_in_refused",
            Self::Storage(error) => match **error {
                StorageError::Unavailable(_) => "storage_unavailable",
                StorageError::TooLarge { .. } => "session_too_large",
                StorageError::Misconfigured(_) => "storage_misconfigured",
            },
            Self::SessionEnded(SessionEnd::LifetimeReached) => "session_lifetime_reached",
            Self::SessionEnded(_) => "session_ended",
            Self::Request(RequestError::CrossSite) => "cross_site_request",
            Self::Request(RequestError::NotANavigation) => "not_a_navigation",
            Self::Request(RequestError::MethodNotAllowed) => "method_not_allowed",
            Self::Request(RequestError::Forbidden) => "forbidden",
            Self::Device(DeviceEnd::Denied) => "access_denied",
            Self::Device(DeviceEnd::Expired) => "expired_token",
            Self::Device(DeviceEnd::Spent) => "invalid_grant",
            Self::Entropy(_) => "no_entropy",
        }
    }

    /// The status for the response to a request that failed with this error: that of its [`Advice`]; 400 for a
    /// callback that is refused, 405 for a method that a route does not accept.
    pub fn status(&self) -> http::StatusCode {
        match (self.advice(), self) {
            // The request is at fault, not the user: 401 would make a script sign in, and 403 would mean that
            // the user lacks a permission.
            (
                Advice::SignInAgain | Advice::Refused,
                Self::Protocol(logto_core::Error::Callback(_)),
            ) => http::StatusCode::BAD_REQUEST,
            (_, Self::Request(RequestError::MethodNotAllowed)) => {
                http::StatusCode::METHOD_NOT_ALLOWED
            }
            (advice, _) => advice.status(),
        }
    }

    /// How long the server asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.advice() {
            Advice::Retry { after } => after,
            _ => None,
        }
    }

    /// The server's error response, if there is one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Protocol(error) => error.server(),
            _ => None,
        }
    }

    /// Whether the server responded with this OAuth error code.
    pub(crate) fn is_oauth(&self, code: &OAuthErrorCode) -> bool {
        self.server().is_some_and(|error| error.error == *code)
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<SignInRefused> for Error {
    fn from(refused: SignInRefused) -> Self {
        Self::SignInRefused(refused)
    }
}

impl From<EntropyError> for Error {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(Arc::new(error))
    }
}

impl From<CallbackError> for Error {
    fn from(error: CallbackError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<logto_core::error::UsageError> for Error {
    fn from(error: logto_core::error::UsageError) -> Self {
        Self::Protocol(error.into())
    }
}

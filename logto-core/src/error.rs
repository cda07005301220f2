//! Errors that say what failed and what to do about it.

mod advice;
mod callback;
mod config;
mod server;
mod token;
mod usage;

use std::{
    fmt,
    hash::{Hash, Hasher},
    time::Duration,
};

pub(crate) use self::callback::MAX_CALLBACK_LENGTH;
pub use self::{
    advice::Advice,
    callback::CallbackError,
    config::{ConfigError, ConfigProblem, SigningError},
    server::{OAuthErrorCode, ServerError},
    token::TokenError,
    usage::UsageError,
};

/// Everything that can fail in a step of the protocol.
///
/// An error carries the endpoint, the status and the OAuth fields, never a body, a token or a secret.
/// [`Error::advice`] says what to do about it; [`Error::code`] is a stable code for logs and JSON responses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The callback does not belong to a sign-in that was started here.
    #[error("callback refused: {0}")]
    Callback(#[from] CallbackError),
    /// The server understood the request and refused it.
    #[error("{0}")]
    Server(#[from] ServerError),
    /// The server, or a proxy in front of it, cannot respond now. The session has not changed; the same call
    /// may succeed later.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The request has no response, as the caller of a [`Machine`](crate::Machine) reported.
    #[error("{endpoint} endpoint: {failure}")]
    NoResponse {
        /// The endpoint of the request.
        endpoint: Endpoint,
        /// Whether the provider may have received the request.
        failure: NoResponse,
    },
    /// The response has a success status but violates the protocol.
    #[error("{0}")]
    Response(#[from] ResponseError),
    /// The discovery document cannot be used, and fetching it again does not help.
    #[error("{0}")]
    Discovery(#[from] DiscoveryError),
    /// A token did not pass its checks.
    #[error("token refused: {0}")]
    Token(#[from] TokenError),
    /// The application requested something that its configuration or this session does not allow.
    #[error("{0}")]
    Usage(#[from] UsageError),
}

/// For state fingerprints of machines that hold an error. Errors with the same text have the same hash; `==`
/// distinguishes them.
impl Hash for Error {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

impl Error {
    /// What to do next.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Callback(error) => error.advice(),
            Self::Server(error) => error.advice(),
            Self::Unavailable(error) => Advice::Retry {
                after: error.retry_after,
            },
            Self::Response(_) | Self::NoResponse { .. } => Advice::Retry { after: None },
            Self::Discovery(_) => Advice::FixConfiguration,
            // Signing in again does not make a provider's tokens valid, and an invalid token in a refresh
            // does not end the session.
            Self::Token(_) => Advice::Refused,
            Self::Usage(error) => error.advice(),
        }
    }

    /// A stable, lower-case code for this error: the OAuth error code if the server sent one.
    pub fn code(&self) -> &str {
        match self {
            Self::Callback(error) => error.code(),
            Self::Server(error) => error.error.as_str(),
            Self::Unavailable(_) | Self::NoResponse { .. } => "temporarily_unavailable",
            Self::Response(_) => "invalid_response",
            Self::Discovery(_) => "invalid_discovery_document",
            Self::Token(_) => "invalid_token",
            Self::Usage(error) => error.code(),
        }
    }

    /// The server's error response, if there is one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            Self::Callback(CallbackError::Server(error)) => Some(error),
            _ => None,
        }
    }
}

/// The endpoints of a provider, as named in errors and caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// The discovery document.
    Discovery,
    /// The key set (`jwks_uri`).
    Keys,
    /// The authorization endpoint, reached by the browser.
    Authorization,
    /// The token endpoint.
    Token,
    /// The userinfo endpoint.
    UserInfo,
    /// The revocation endpoint.
    Revocation,
    /// The introspection endpoint.
    Introspection,
    /// The pushed authorization request endpoint.
    PushedAuthorization,
    /// The device authorization endpoint.
    DeviceAuthorization,
    /// The end-session endpoint, reached by the browser.
    EndSession,
}

impl Endpoint {
    /// The name used in metadata, without the `_endpoint` suffix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Keys => "jwks",
            Self::Authorization => "authorization",
            Self::Token => "token",
            Self::UserInfo => "userinfo",
            Self::Revocation => "revocation",
            Self::Introspection => "introspection",
            Self::PushedAuthorization => "pushed_authorization_request",
            Self::DeviceAuthorization => "device_authorization",
            Self::EndSession => "end_session",
        }
    }

    /// Whether a request to this endpoint changes nothing at the provider, so that it can be sent again if
    /// its response was lost.
    pub(crate) const fn only_reads(self) -> bool {
        matches!(
            self,
            Self::Discovery | Self::Keys | Self::UserInfo | Self::Introspection
        )
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request has no response. It decides whether the request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoResponse {
    /// The request was not sent: the name does not resolve, the connection was refused, TLS failed.
    #[error("could not connect")]
    NotSent,
    /// The provider may have processed the request: a reset, a timeout, an unreadable response.
    #[error("the response was lost")]
    Lost,
}

/// The server cannot respond now: 5xx, 429, or a proxy's page instead of JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} endpoint is unavailable (HTTP {status}); nothing has changed, try again later")]
#[non_exhaustive]
pub struct Unavailable {
    /// The endpoint that failed.
    pub endpoint: Endpoint,
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, given in seconds or as a date, at most one hour. Invalid values are ignored.
    pub retry_after: Option<Duration>,
}

/// A response with a success status that violates the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "{endpoint} endpoint answered HTTP {status} with an unusable body ({length} bytes): {problem}"
)]
#[non_exhaustive]
pub struct ResponseError {
    /// The endpoint that responded.
    pub endpoint: Endpoint,
    /// The HTTP status.
    pub status: u16,
    /// The length of the body, in bytes.
    pub length: usize,
    /// What is wrong with it. Quotes at most the origin that a redirect leads to.
    pub problem: String,
}

/// The URL of the discovery document returns something else, or the document of another issuer: the endpoint is
/// misconfigured here or at the provider, or something in between answers for it.
///
/// The document is fetched again nevertheless, after a pause that grows to a minute, so that a captive portal
/// or a proxy that answers temporarily does no lasting harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the discovery document cannot be used (HTTP {status}): {problem}")]
#[non_exhaustive]
pub struct DiscoveryError {
    /// The HTTP status.
    pub status: u16,
    /// What was found: the issuer, the origin that a redirect leads to, the content type, or the member
    /// that is wrong.
    pub problem: String,
}

/// Received text made safe to log: at most `limit` characters, control characters replaced. A log that shows
/// it raw would let a server or a browser forge lines or reorder them.
pub(crate) fn sanitized(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|c| if is_unsafe_to_print(c) { '\u{FFFD}' } else { c })
        .collect()
}

fn is_unsafe_to_print(c: char) -> bool {
    // Line and paragraph separators, and everything that changes the direction of writing.
    c.is_control()
        || matches!(
            c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        )
        || matches!(c, '\u{2066}'..='\u{2069}')
}

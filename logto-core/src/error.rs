//! Errors that name whose fault it is and say what to do next.

use std::{fmt, time::Duration};

use crate::{
    config::{ConfigError, SigningError},
    jwt::TokenError,
    sign_in::CallbackError,
};

/// Everything that can go wrong in one step of the protocol.
///
/// An error carries the endpoint, the status and the OAuth fields, never a body, a token or a secret.
/// [`Error::advice`] says what an application can do; [`Error::code`] is a stable word for logs and
/// JSON answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The browser came back with something that is not the answer to a sign-in we started.
    #[error("callback refused: {0}")]
    Callback(#[from] CallbackError),
    /// The server understood the request and said no.
    #[error("{0}")]
    Server(#[from] ServerError),
    /// The server, or something in front of it, could not answer now. Nothing about the session has
    /// changed; the same call may succeed later.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The server answered with success but the answer breaks the protocol.
    #[error("{0}")]
    Response(#[from] ResponseError),
    /// A token did not pass its checks.
    #[error("token refused: {0}")]
    Token(#[from] TokenError),
    /// The application asks for something that its configuration or this session cannot give.
    #[error("{0}")]
    Usage(#[from] UsageError),
}

/// What an application can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Try the same again, not before this much time has passed when the server said so.
    Retry {
        /// The server's `Retry-After`, at most one hour.
        after: Option<Duration>,
    },
    /// Send the user through sign-in again.
    SignInAgain,
    /// A person has to correct the application's configuration, at Logto or in the program.
    FixConfiguration,
    /// This one request is refused; the session is as good as before.
    Refused,
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
            Self::Response(_) => Advice::Retry { after: None },
            Self::Token(_) => Advice::SignInAgain,
            Self::Usage(error) => error.advice(),
        }
    }

    /// A stable, lower-case word for this error: an OAuth error code where the server gave one.
    pub fn code(&self) -> &str {
        match self {
            Self::Callback(error) => error.code(),
            Self::Server(error) => error.error.as_str(),
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::Response(_) => "invalid_response",
            Self::Token(_) => "invalid_token",
            Self::Usage(error) => error.code(),
        }
    }

    /// The server's verdict, when there is one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            Self::Callback(CallbackError::Server(error)) => Some(error),
            _ => None,
        }
    }
}

/// The endpoints of a provider, as errors and caches name them.
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
    /// The name as it is used in metadata, without the `_endpoint` suffix.
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
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An OAuth error object: the server's verdict on a request, or on a sign-in when it came through the
/// browser ([RFC 6749 sections 4.1.2.1 and 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
///
/// Text from the wire is cut to 2,048 characters and freed of control characters. It may be shown to
/// a developer; escape it before it goes into HTML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} endpoint answered {error}{}", .description.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
#[non_exhaustive]
pub struct ServerError {
    /// Who said so.
    pub endpoint: Endpoint,
    /// The HTTP status; `None` for an error that came through the browser.
    pub status: Option<u16>,
    /// The `error` member.
    pub error: OAuthErrorCode,
    /// The `error_description` member.
    pub description: Option<String>,
    /// The `error_uri` member.
    pub uri: Option<String>,
    /// Logto's own `code` member, for example `oidc.invalid_grant`. It has nothing to do with an
    /// authorization code.
    pub logto_code: Option<String>,
    /// Logto's `message` member, in the language of the request.
    pub message: Option<String>,
}

impl ServerError {
    fn advice(&self) -> Advice {
        use OAuthErrorCode as Code;
        match self.error {
            Code::InvalidClient | Code::UnauthorizedClient | Code::UnsupportedGrantType => {
                Advice::FixConfiguration
            }
            Code::InvalidGrant
            | Code::LoginRequired
            | Code::ConsentRequired
            | Code::InteractionRequired
            | Code::AccountSelectionRequired
            | Code::InvalidToken => Advice::SignInAgain,
            Code::TemporarilyUnavailable | Code::ServerError => Advice::Retry { after: None },
            _ => Advice::Refused,
        }
    }
}

macro_rules! oauth_error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// An OAuth 2 or OpenID Connect error code.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OAuthErrorCode {
            $($(#[$doc])* $variant,)+
            /// A code that this version does not know, cut to 128 characters. Characters that no
            /// code may have are replaced.
            Other(String),
        }

        impl OAuthErrorCode {
            /// The code as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for OAuthErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(error_code(other)),
                }
            }
        }
    };
}

oauth_error_codes! {
    /// The request lacks a parameter, repeats one or is otherwise malformed.
    InvalidRequest = "invalid_request",
    /// Client authentication failed.
    InvalidClient = "invalid_client",
    /// The code or refresh token is unknown, expired, revoked, used, or belongs to another client.
    /// Logto does not say which.
    InvalidGrant = "invalid_grant",
    /// This client may not use this grant.
    UnauthorizedClient = "unauthorized_client",
    /// The server does not know this grant.
    UnsupportedGrantType = "unsupported_grant_type",
    /// The scope is unknown, malformed or more than was granted.
    InvalidScope = "invalid_scope",
    /// The resource is unknown or was not granted (RFC 8707).
    InvalidTarget = "invalid_target",
    /// The token is unknown, expired or of the wrong kind (RFC 6750).
    InvalidToken = "invalid_token",
    /// The token lacks a scope (RFC 6750); at Logto also: the organizations scope was not granted.
    InsufficientScope = "insufficient_scope",
    /// The user or the server denied; at Logto also: not a member of the organization, organization
    /// not granted to this application, or the organization demands MFA.
    AccessDenied = "access_denied",
    /// The token cannot be revoked or introspected, for example because it is a JWT (RFC 7009).
    UnsupportedTokenType = "unsupported_token_type",
    /// The response type is not available to this client.
    UnsupportedResponseType = "unsupported_response_type",
    /// The response mode is not available.
    UnsupportedResponseMode = "unsupported_response_mode",
    /// The redirect URI is not registered.
    InvalidRedirectUri = "invalid_redirect_uri",
    /// `prompt=none` and nobody is signed in (OpenID Connect Core 3.1.2.6).
    LoginRequired = "login_required",
    /// `prompt=none` and the user would have to consent.
    ConsentRequired = "consent_required",
    /// `prompt=none` and the user would have to do something.
    InteractionRequired = "interaction_required",
    /// `prompt=none` and the user would have to choose an account.
    AccountSelectionRequired = "account_selection_required",
    /// Device flow: the user has not answered yet (RFC 8628).
    AuthorizationPending = "authorization_pending",
    /// Device flow: ask less often (RFC 8628).
    SlowDown = "slow_down",
    /// Device flow: the code has expired (RFC 8628).
    ExpiredToken = "expired_token",
    /// The server failed.
    ServerError = "server_error",
    /// The server is overloaded or in maintenance.
    TemporarilyUnavailable = "temporarily_unavailable",
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The server could not answer now: 5xx, 429, or a page of a proxy where JSON belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} endpoint is unavailable (HTTP {status}); nothing has changed, try again later")]
#[non_exhaustive]
pub struct Unavailable {
    /// Who did not answer.
    pub endpoint: Endpoint,
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds or as a date, at most one hour; nonsense is ignored.
    pub retry_after: Option<Duration>,
}

/// A successful status with an answer that breaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{endpoint} endpoint answered HTTP {status} with an unusable body ({length} bytes): {problem}"
)]
#[non_exhaustive]
pub struct ResponseError {
    /// Who answered.
    pub endpoint: Endpoint,
    /// The HTTP status.
    pub status: u16,
    /// How long the body was, in bytes.
    pub length: usize,
    /// What is wrong with it. Quotes at most the issuer and the origins of a discovery document.
    pub problem: String,
}

/// A request that configuration, metadata or session cannot satisfy; no network call was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// There is no session, or it has ended.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The session holds no refresh token, so an expired access token cannot be replaced. Ask for
    /// `offline_access` with `prompt=consent`.
    #[error("the session has no refresh token; ask for offline_access with prompt=consent")]
    NoRefreshToken,
    /// The resource was not part of the sign-in. Asking for it would spend the refresh token for an
    /// error.
    #[error(
        "resource `{0}` was not requested at sign-in; add it to the configured resources and sign in again"
    )]
    ResourceNotRequested(String),
    /// The scope was not granted at sign-in.
    #[error("scope `{0}` was not granted at sign-in")]
    ScopeNotGranted(String),
    /// Organization tokens need the scope `urn:logto:scope:organizations`.
    #[error(
        "organization tokens need the scope urn:logto:scope:organizations; add it and sign in again"
    )]
    OrganizationsScopeMissing,
    /// The provider's metadata names no such endpoint.
    #[error("the provider does not advertise a {0} endpoint")]
    EndpointNotAdvertised(Endpoint),
    /// A parameter is not acceptable; the text says which and why.
    #[error("{0}")]
    InvalidParameter(String),
    /// The configuration lacks what this step needs.
    #[error("{0}")]
    Configuration(#[from] ConfigError),
    /// The private key that proves who the application is cannot be used.
    #[error("{0}")]
    ClientAssertion(#[from] SigningError),
    /// A machine was driven on after it was done.
    #[error("this job is done; its output was handed out before")]
    AlreadyDone,
}

impl UsageError {
    fn advice(&self) -> Advice {
        match self {
            Self::NotSignedIn | Self::NoRefreshToken => Advice::SignInAgain,
            Self::ResourceNotRequested(_)
            | Self::OrganizationsScopeMissing
            | Self::EndpointNotAdvertised(_)
            | Self::Configuration(_)
            | Self::ClientAssertion(_) => Advice::FixConfiguration,
            Self::ScopeNotGranted(_) | Self::InvalidParameter(_) | Self::AlreadyDone => {
                Advice::Refused
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_authenticated",
            Self::NoRefreshToken => "no_refresh_token",
            Self::ResourceNotRequested(_) => "resource_not_requested",
            Self::ScopeNotGranted(_) => "scope_not_granted",
            Self::OrganizationsScopeMissing => "missing_scope_organizations",
            Self::EndpointNotAdvertised(_) => "endpoint_not_advertised",
            Self::InvalidParameter(_) => "invalid_parameter",
            Self::Configuration(_) => "invalid_configuration",
            Self::ClientAssertion(_) => "client_assertion_failed",
            Self::AlreadyDone => "already_done",
        }
    }
}

/// An error code as the grammar of RFC 6749 has it: printable ASCII without quotes and backslashes.
fn error_code(text: &str) -> String {
    text.chars()
        .take(128)
        .map(|c| match c {
            ' ' | '!' | '#'..='[' | ']'..='~' => c,
            _ => '\u{FFFD}',
        })
        .collect()
}

/// Text from the wire that is safe to log: at most `limit` characters, control characters replaced.
pub(crate) fn sanitized(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|c| if is_unsafe_to_print(c) { '\u{FFFD}' } else { c })
        .collect()
}

fn is_unsafe_to_print(c: char) -> bool {
    // Line and paragraph separators, and everything that turns the direction of writing.
    c.is_control()
        || matches!(
            c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        )
        || matches!(c, '\u{2066}'..='\u{2069}')
}

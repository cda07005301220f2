//! Requests that configuration, metadata or session do not allow.

use super::{Advice, ConfigError, Endpoint, SigningError};

/// A request that the configuration, the metadata or the session cannot satisfy. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// There is no session, or it has ended.
    #[error("no user is signed in")]
    NotSignedIn,
    /// The session has no refresh token, so an expired access token cannot be replaced. Request
    /// `offline_access` with `prompt=consent`.
    #[error("the session has no refresh token; ask for offline_access with prompt=consent")]
    NoRefreshToken,
    /// The resource was not part of the sign-in. The provider would refuse it, and the attempt would spend
    /// the refresh token.
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
    /// The provider's metadata has no such endpoint.
    #[error("the provider does not advertise a {0} endpoint")]
    EndpointNotAdvertised(Endpoint),
    /// A parameter is invalid. The text says which and why.
    #[error("{0}")]
    InvalidParameter(String),
    /// The configuration lacks a setting that this step requires.
    #[error("{0}")]
    Configuration(#[from] ConfigError),
    /// The private key for client authentication cannot be used.
    #[error("{0}")]
    ClientAssertion(#[from] SigningError),
    /// The data for the session is too long. With sessions in cookies, every request carries it.
    #[error(
        "the data for the session takes {size} bytes as JSON and {limit} fit; keep an id in the session and the rest in a database"
    )]
    SessionDataTooLarge {
        /// The length of the JSON, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The data for the session has no JSON form, or is nested too deeply to be read again. The text is the
    /// name of its type.
    #[error("`{0}` cannot be kept in a session: it has no JSON form, or is nested too deeply")]
    SessionDataInvalid(&'static str),
    /// The data in the session is of another type: an earlier version of the application may have set it. The text
    /// is the name of the type that was asked for.
    #[error("the data in the session is not a `{0}`; sign in again to set new data")]
    SessionDataUnreadable(&'static str),
    /// Data can only be set in the session of a sign-in that is completing.
    #[error("the browser has this session already; set its data in the hook of the sign-in")]
    SessionNotNew,
    /// A machine was polled after it was done, or waits although nothing is in progress.
    #[error("this job has nothing left to do")]
    AlreadyDone,
}

impl UsageError {
    pub(super) fn advice(&self) -> Advice {
        match self {
            Self::NotSignedIn | Self::NoRefreshToken | Self::SessionDataUnreadable(_) => {
                Advice::SignInAgain
            }
            Self::ResourceNotRequested(_)
            | Self::OrganizationsScopeMissing
            | Self::EndpointNotAdvertised(_)
            | Self::Configuration(_)
            | Self::ClientAssertion(_)
            | Self::SessionDataTooLarge { .. }
            | Self::SessionDataInvalid(_)
            | Self::SessionNotNew
            | Self::AlreadyDone => Advice::FixConfiguration,
            Self::ScopeNotGranted(_) | Self::InvalidParameter(_) => Advice::Refused,
        }
    }

    pub(super) fn code(&self) -> &'static str {
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
            Self::SessionDataTooLarge { .. } => "session_data_too_large",
            Self::SessionDataInvalid(_) => "session_data_invalid",
            Self::SessionDataUnreadable(_) => "session_data_unreadable",
            Self::SessionNotNew => "session_not_new",
            Self::AlreadyDone => "already_done",
        }
    }
}

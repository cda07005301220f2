//! Requests that configuration, metadata or session do not allow.

use super::{Advice, ConfigError, Endpoint, SigningError};

/// A request that the configuration, the metadata or the session cannot satisfy. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// There is no session, or it has ended.
    #[error("nobody is signed in")]
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
    /// A machine was polled after it was done.
    #[error("this job is done; its output was handed out before")]
    AlreadyDone,
}

impl UsageError {
    pub(super) fn advice(&self) -> Advice {
        match self {
            Self::NotSignedIn | Self::NoRefreshToken => Advice::SignInAgain,
            Self::ResourceNotRequested(_)
            | Self::OrganizationsScopeMissing
            | Self::EndpointNotAdvertised(_)
            | Self::Configuration(_)
            | Self::ClientAssertion(_)
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
            Self::AlreadyDone => "already_done",
        }
    }
}

//! Why an API refuses a token.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::error::TokenError;

/// Why an API refuses a token.
///
/// [`Challenge`](crate::bearer::Challenge) turns it into a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiTokenError {
    /// The token is invalid: 401. With [`TokenError::is_key_not_found`], fetch the provider's keys and verify
    /// again first.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is for another organization, for none where one is required, or for one where none is
    /// allowed: 403.
    #[error("the token is not for this organization")]
    Organization,
    /// The token lacks a scope: 403.
    #[error("the token lacks scopes; needed are: {}", scope(.required))]
    InsufficientScope {
        /// All required scopes.
        required: BTreeSet<String>,
    },
}

impl ApiTokenError {
    /// Whether a newer key set may change the result.
    pub fn is_key_not_found(&self) -> bool {
        matches!(self, Self::Token(error) if error.is_key_not_found())
    }

    /// 401 or 403.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Organization | Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
        }
    }
}

pub(crate) fn scope(scopes: &BTreeSet<String>) -> String {
    scopes
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

//! Why a callback is refused.

use super::{Advice, ServerError};

/// The longest accepted callback, in bytes.
pub(crate) const MAX_CALLBACK_LENGTH: usize = 16 * 1024;

/// Why a callback was refused. An existing session is never affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// No sign-in was started in this browser, or it was already completed.
    #[error("no sign-in is pending in this browser, or it was completed already; start again")]
    NoPendingSignIn,
    /// The sign-in was started too long ago.
    #[error("the sign-in was started too long ago; start again")]
    Expired,
    /// `state` is missing.
    #[error("`state` is missing")]
    MissingState,
    /// `state` is not the one that was sent: the response to another sign-in, or a forged one.
    #[error("`state` is not the one that was sent")]
    StateMismatch,
    /// The callback arrived at another URL than the redirect URI that was sent.
    #[error("the callback arrived at another address than the redirect URI that was sent")]
    RedirectUriMismatch,
    /// `iss` is missing although the provider announces that it sends it (RFC 9207).
    #[error("`iss` is missing although the provider sends it")]
    MissingIssuer,
    /// `iss` differs from the issuer that the sign-in was started with.
    #[error("`iss` is not the issuer that the sign-in was started with")]
    IssuerMismatch,
    /// A parameter appears more than once.
    #[error("parameter `{0}` must be provided only once")]
    DuplicateParameter(&'static str),
    /// Neither a code nor an error.
    #[error("the callback has neither `code` nor `error`")]
    MissingCode,
    /// `code` contains characters that no authorization code has. It was not sent anywhere.
    #[error("`code` has characters that no authorization code has")]
    MalformedCode,
    /// The callback is longer than any that a provider sends.
    #[error("the callback is longer than {} bytes", MAX_CALLBACK_LENGTH)]
    TooLong,
    /// The provider reports that the sign-in failed.
    #[error("{0}")]
    Server(ServerError),
}

impl CallbackError {
    pub(crate) fn advice(&self) -> Advice {
        match self {
            Self::Server(error) => error.advice(),
            _ => Advice::SignInAgain,
        }
    }

    pub(crate) fn code(&self) -> &str {
        match self {
            Self::NoPendingSignIn => "sign_in_session_not_found",
            Self::Expired => "sign_in_session_expired",
            Self::MissingState => "missing_state",
            Self::StateMismatch => "state_mismatched",
            Self::RedirectUriMismatch => "redirect_uri_mismatched",
            Self::MissingIssuer => "missing_issuer",
            Self::IssuerMismatch => "issuer_mismatched",
            Self::DuplicateParameter(_) => "duplicate_parameter",
            Self::MissingCode => "missing_code",
            Self::MalformedCode => "malformed_code",
            Self::TooLong => "callback_too_long",
            Self::Server(error) => error.error.as_str(),
        }
    }
}

//! The result of a refresh.

use std::sync::Arc;

use super::SessionEnd;
use crate::{
    error::{Advice, Error, OAuthErrorCode},
    session::Session,
    tokens::AccessToken,
};

/// The result of a refresh.
#[derive(Clone, Debug)]
pub struct RefreshOutcome<F> {
    /// The token, or why there is none.
    pub token: Result<AccessToken, RefreshError<F>>,
    /// The current session. It has the newest known refresh token, even if there is no access token.
    pub session: Arc<Session>,
    /// Whether the ledger is newer than the storage, which has to be written with the next use.
    pub needs_write_back: bool,
}

/// Why a refresh returned no token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError<F> {
    /// The provider's error response, an unusable response, an invalid token, or a request that could not
    /// have succeeded.
    #[error("{0}")]
    Protocol(Error),
    /// The caller could not perform an action. The session is unchanged.
    #[error("{0}")]
    Failed(F),
    /// Another process has been refreshing this session for too long. Try again.
    #[error("the session is being refreshed elsewhere; try again")]
    Busy,
    /// This copy of the session is stale, and its refresh token was not used. Try again with the browser's
    /// next request.
    #[error("the session was refreshed elsewhere after this request was sent; try again")]
    Superseded,
    /// The session has ended.
    #[error("the session has ended ({0}); sign in again")]
    Ended(SessionEnd),
}

impl<F> RefreshError<F> {
    /// Whether the provider or the storage failed or asked to try again later. The session and its tokens may
    /// be valid.
    pub(super) fn is_no_answer(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Busy | Self::Superseded => true,
            Self::Ended(_) => false,
            Self::Protocol(error) => matches!(error.advice(), Advice::Retry { .. }),
        }
    }
}

/// The meaning of an error response for the refresh token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server, or a proxy in front of it, failed. Logto may have replaced the refresh token before that.
    Lost,
    /// The refresh token is no longer valid.
    GrantRefused,
    /// The application was refused, so nothing was done.
    ClientRefused,
    /// This access token is refused. Logto replaces the refresh token before it runs the tenant's custom
    /// claims script and before it looks at the resource, so it may have been replaced.
    TokenRefused,
    /// The request was rejected and not processed.
    NotProcessed,
}

impl Verdict {
    pub(super) fn of(error: &Error) -> Self {
        use OAuthErrorCode as Code;
        match error {
            Error::Server(server) => match server.error {
                Code::InvalidGrant => Self::GrantRefused,
                Code::InvalidClient => Self::ClientRefused,
                Code::UnauthorizedClient | Code::UnsupportedGrantType => Self::NotProcessed,
                _ => Self::TokenRefused,
            },
            Error::Unavailable(unavailable) if unavailable.status >= 500 => Self::Lost,
            // A success whose body is unreadable: a proxy's page, half a body, no JSON.
            Error::Unavailable(unavailable) if unavailable.status < 300 => Self::Lost,
            Error::Response(response) if response.status < 300 => Self::Lost,
            _ => Self::NotProcessed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Endpoint, ResponseError, ServerError, Unavailable};

    #[test]
    fn a_refusal_says_whether_the_refresh_token_may_have_been_replaced() {
        use OAuthErrorCode as Code;
        use Verdict::{ClientRefused, GrantRefused, Lost, NotProcessed, TokenRefused};
        let endpoint = Endpoint::Token;
        let server = |error| {
            Error::Server(ServerError {
                endpoint,
                status: Some(400),
                error,
                description: None,
                uri: None,
                logto_code: None,
                message: None,
            })
        };
        let unavailable = |status| {
            Error::Unavailable(Unavailable {
                endpoint,
                status,
                retry_after: None,
            })
        };
        let unusable = |status| {
            Error::Response(ResponseError {
                endpoint,
                status,
                length: 0,
                problem: String::new(),
            })
        };
        for (error, expected) in [
            (server(Code::InvalidGrant), GrantRefused),
            (server(Code::InvalidClient), ClientRefused),
            (server(Code::UnauthorizedClient), NotProcessed),
            (server(Code::UnsupportedGrantType), NotProcessed),
            (server(Code::AccessDenied), TokenRefused),
            (server(Code::InvalidScope), TokenRefused),
            (unavailable(503), Lost),
            (unavailable(500), Lost),
            (unavailable(429), NotProcessed),
            (unavailable(403), NotProcessed),
            (unavailable(200), Lost),
            (unusable(200), Lost),
            (unusable(302), NotProcessed),
        ] {
            assert_eq!(Verdict::of(&error), expected, "{error:?}");
        }
    }
}

//! The session that can only be read.

use std::{fmt, sync::Arc};

use logto_core::{
    AccessToken, LogtoConfig, Session, TokenTarget, UnixTime, claims::IdTokenClaims,
    error::UsageError, session::SessionData,
};
use serde::de::DeserializeOwned;

use crate::{
    clock::Clock,
    error::Error,
    provider::{Provider, WaitingBudget},
    refresh::LoadedSession,
};

/// A session that can only be read, for code that can no longer store a change.
///
/// It has no method that spends a refresh token or sends a request:
///
/// ```compile_fail
/// # async fn f(session: &logto_client::ReadOnlySession, target: &logto_client::TokenTarget) {
/// session.refresh_access_token(target).await;
/// # }
/// ```
#[derive(Clone)]
pub struct ReadOnlySession {
    inner: Arc<ReadOnlyState>,
}

struct ReadOnlyState {
    loaded: LoadedSession,
    config: LogtoConfig,
    clock: Arc<dyn Clock>,
    budget: WaitingBudget,
}

/// An access token from a [`ReadOnlySession`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Cached {
    /// The token. It can be used now.
    Valid(AccessToken),
    /// The session has no token that can be used now. Fetch it where the session can be stored: see
    /// [`WritableSession::refresh_ahead`](crate::WritableSession::refresh_ahead).
    NeedsRefresh,
    /// The session can never have such a token: the API resource or the scope was not requested at the sign-in,
    /// or there is no refresh token. A [`WritableSession`](crate::WritableSession) returns the same error.
    Never(UsageError),
}

impl Cached {
    /// The token, if there is one.
    pub fn token(self) -> Option<AccessToken> {
        match self {
            Self::Valid(token) => Some(token),
            Self::NeedsRefresh | Self::Never(_) => None,
        }
    }
}

impl ReadOnlySession {
    pub(crate) fn of(provider: &Provider, loaded: LoadedSession) -> Self {
        Self::new(
            loaded,
            provider.config.clone(),
            Arc::clone(&provider.context.clock),
        )
    }

    pub(crate) fn new(loaded: LoadedSession, config: LogtoConfig, clock: Arc<dyn Clock>) -> Self {
        let inner = ReadOnlyState {
            loaded,
            config,
            clock,
            budget: WaitingBudget::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The claims of the ID token.
    pub fn claims(&self) -> &IdTokenClaims {
        self.inner.loaded.session.claims()
    }

    /// The data of the application that was [set](crate::WritableSession::set_data) at the sign-in; `None` if there is
    /// none.
    ///
    /// # Errors
    /// [`UsageError::SessionDataUnreadable`] if it is not a `T`: see
    /// [`WritableSession::data`](crate::WritableSession::data).
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        Ok(read_data(&self.inner.loaded.session)?)
    }

    /// The session as it was loaded.
    pub fn snapshot(&self) -> &Session {
        &self.inner.loaded.session
    }

    /// Returns the access token for `target` from memory, without a request. It reflects the state at the time
    /// of its fetch: see [`WritableSession::access_token`](crate::WritableSession::access_token).
    pub fn access_token(&self, target: &TokenTarget) -> Cached {
        let (session, now) = (&self.inner.loaded.session, self.inner.clock.now());
        match session.usable_token(&self.inner.config, target, now) {
            Some(token) => Cached::Valid(token.clone()),
            None => match session.can_fetch(target) {
                Ok(()) => Cached::NeedsRefresh,
                Err(error) => Cached::Never(error),
            },
        }
    }

    /// Returns the token for an organization from memory; short for [`TokenTarget::organization`].
    pub fn organization_token(&self, organization_id: &str) -> Cached {
        self.access_token(&TokenTarget::organization(organization_id))
    }

    /// When the token for `target` expires, or has expired. `None` if the session has none.
    pub fn expires_at(&self, target: &TokenTarget) -> Option<UnixTime> {
        let token = self.inner.loaded.session.access_tokens().get(target)?;
        Some(token.expires_at)
    }

    pub(crate) fn budget(&self) -> &WaitingBudget {
        &self.inner.budget
    }

    pub(crate) fn loaded(&self) -> &LoadedSession {
        &self.inner.loaded
    }
}

/// The data of the application in a session.
pub(super) fn read_data<T: DeserializeOwned>(session: &Session) -> Result<Option<T>, UsageError> {
    session.data().map_or(Ok(None), SessionData::read)
}

impl fmt::Debug for ReadOnlySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnlySession")
            .field("session", &self.inner.loaded.session)
            .finish_non_exhaustive()
    }
}

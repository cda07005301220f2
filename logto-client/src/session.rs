//! A session in use: the writable one, which may refresh and store, and the read-only one, which
//! cannot.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use logto_core::{
    AccessToken, LogtoConfig, Session, TokenTarget, UnixTime,
    claims::{IdTokenClaims, UserInfo},
    error::OAuthErrorCode,
    refresh::{Demand, Ending, Persist},
    session::SessionId,
    sign_out::SignOut,
    user_info::FetchUserInfo,
    vocabulary::UserScope,
};
use url::Url;

use crate::{
    clock::Clock,
    error::{Error, SessionEnd},
    provider::Provider,
    refresh::{LoadedSession, Refresher},
    single_flight::lock,
    storage::Handle,
};

/// A session whose refresh token may be spent, because what comes of it can be stored.
///
/// Open one with [`LogtoClient::session`](crate::LogtoClient::session) wherever the storage can be
/// written: always with a storage on the server; with cookie storage only while the response can still
/// set cookies. Then give the browser the [`handle`](Self::handle) if it
/// [has changed](Self::changed_handle).
///
/// Clones are the same session. All methods take `&self`, so that one request can ask for several
/// tokens at once.
#[derive(Clone)]
pub struct WritableSession {
    inner: Arc<Inner>,
}

struct Inner {
    refresher: Arc<Refresher>,
    provider: Arc<Provider>,
    /// The handle that the browser has; `None` for a session that was just created.
    presented: Option<Handle>,
    loaded: Mutex<LoadedSession>,
    ended: Mutex<Option<Error>>,
}

impl WritableSession {
    pub(crate) fn new(
        refresher: Arc<Refresher>,
        provider: Arc<Provider>,
        presented: Option<Handle>,
        loaded: LoadedSession,
    ) -> Self {
        let inner = Inner {
            refresher,
            provider,
            presented,
            loaded: Mutex::new(loaded),
            ended: Mutex::new(None),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What the ID token says about the user, from memory.
    pub fn claims(&self) -> IdTokenClaims {
        self.read(|session| session.claims().clone())
    }

    /// The session as it is now.
    pub fn snapshot(&self) -> Arc<Session> {
        Arc::clone(&lock(&self.inner.loaded).session)
    }

    /// The name of the session, which stays the same through all refreshes.
    pub fn id(&self) -> SessionId {
        self.read(|session| session.id().clone())
    }

    /// The handle that finds the session now.
    pub fn handle(&self) -> Handle {
        lock(&self.inner.loaded).handle.clone()
    }

    /// The handle, if it is not the one that the browser has.
    pub fn changed_handle(&self) -> Option<Handle> {
        let handle = self.handle();
        (self.inner.presented.as_ref() != Some(&handle)).then_some(handle)
    }

    /// Why the session has ended, if it has: it was signed out, removed, or the provider refused its
    /// refresh token. Take the cookie from the browser then.
    pub fn ended(&self) -> Option<Error> {
        let over = || {
            self.read(|session| self.inner.refresher.session_has_ended(session))
                .then_some(Error::SessionEnded(SessionEnd::Removed))
        };
        lock(&self.inner.ended).clone().or_else(over)
    }

    /// An access token for `target` that lives long enough to be used: from memory, or fetched and
    /// stored.
    ///
    /// # Errors
    /// See [`Error::advice`]: a failure that passes and a refused request leave the session as it was.
    pub async fn access_token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.token(target, Demand::Usable).await
    }

    /// A new access token for `target`, also when the old one is still good: after a role has changed,
    /// or when an API refuses the old one.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn refresh_access_token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.token(target, Demand::New).await
    }

    /// A token for an organization; short for [`TokenTarget::organization`].
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token); `access_denied` when the user is not a member, which
    /// changes nothing else.
    pub async fn organization_token(&self, organization_id: &str) -> Result<AccessToken, Error> {
        self.access_token(&TokenTarget::organization(organization_id))
            .await
    }

    /// A token for each of the user's organizations, or why there is none: one that is refused does not
    /// take the others along.
    ///
    /// # Errors
    /// As [`organizations`](Self::organizations).
    pub async fn organization_tokens(
        &self,
    ) -> Result<Vec<(String, Result<AccessToken, Error>)>, Error> {
        let mut tokens = Vec::new();
        for organization_id in self.organizations().await? {
            let token = self.organization_token(&organization_id).await;
            tokens.push((organization_id, token));
        }
        Ok(tokens)
    }

    /// The ids of the user's organizations: from the ID token, or from userinfo if the tenant keeps
    /// them out of it.
    ///
    /// # Errors
    /// As [`user_info`](Self::user_info).
    pub async fn organizations(&self) -> Result<Vec<String>, Error> {
        if let Some(organizations) = self.claims().user.organizations.into_value() {
            return Ok(organizations);
        }
        if !self.read(|session| {
            session
                .granted_scopes()
                .contains(UserScope::Organizations.as_str())
        }) {
            return Ok(Vec::new());
        }
        Ok(self
            .user_info()
            .await?
            .user
            .organizations
            .into_value()
            .unwrap_or_default())
    }

    /// The user's claims from the userinfo endpoint: newer than the ID token, and with those that
    /// Logto keeps out of it.
    ///
    /// An access token that the endpoint refuses is replaced once: it may have been revoked.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn user_info(&self) -> Result<UserInfo, Error> {
        let target = TokenTarget::user_info();
        let token = self.access_token(&target).await?;
        match self.fetch_user_info(&token).await {
            Err(error) if error.is_oauth(&OAuthErrorCode::InvalidToken) => {
                let token = self.refresh_access_token(&target).await?;
                self.fetch_user_info(&token).await
            }
            outcome => outcome,
        }
    }

    async fn fetch_user_info(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let subject = self.claims().sub;
        let exchange = FetchUserInfo::new(&metadata, token, &subject)?;
        provider.exchange(exchange).await
    }

    /// Refreshes the tokens for `targets` that have less than `ahead` to live. For the place where
    /// cookies can still be set, so that the read-only places after it find what they need.
    ///
    /// Only tokens that the session holds are refreshed, one after the other. Says for each what came
    /// of it; a failure leaves the session as it was.
    pub async fn refresh_ahead(
        &self,
        targets: &[TokenTarget],
        ahead: Duration,
    ) -> Vec<(TokenTarget, Result<AccessToken, Error>)> {
        let mut refreshed = Vec::new();
        for target in targets {
            let now = self.inner.provider.now();
            let due = self.read(|session| {
                session
                    .access_tokens()
                    .get(target)
                    .is_some_and(|token| !token.is_usable(now, ahead))
            });
            if due {
                let token = self.token(target, Demand::MinRemaining(ahead)).await;
                refreshed.push((target.clone(), token));
            }
        }
        refreshed
    }

    /// Forgets the token for `target`, which the next call then fetches anew. Nothing is revoked.
    ///
    /// # Errors
    /// When the storage cannot be written.
    pub async fn forget(&self, target: &TokenTarget) -> Result<(), Error> {
        let mut loaded = lock(&self.inner.loaded).clone();
        let outcome = self.inner.refresher.forget(&mut loaded, target).await;
        self.adopt(loaded);
        outcome
    }

    /// Signs the user out here, revokes the refresh token in the background, and gives the URL that
    /// ends the user's session at Logto.
    ///
    /// The local session is gone first, whatever happens then; the URL is `None` only if the provider's
    /// metadata was never to be had.
    ///
    /// # Errors
    /// When the storage cannot remove the session. It is refused in this process nevertheless.
    pub async fn sign_out(&self, sign_out: &SignOut) -> Result<Option<Url>, Error> {
        self.end(Ending::SignOut).await?;
        let provider = &self.inner.provider;
        let Ok(metadata) = provider.metadata().await else {
            return Ok(None);
        };
        Ok(Some(sign_out.url(&provider.config, &metadata)?))
    }

    /// Signs the user out of this application only: the user's session at Logto goes on, so that the
    /// next sign-in asks for nothing. That sign-in may be given the same grant, so this waits until the
    /// refresh token is revoked, or cannot be.
    ///
    /// # Errors
    /// As [`sign_out`](Self::sign_out).
    pub async fn sign_out_locally(&self) -> Result<(), Error> {
        self.end(Ending::LocalSignOut).await
    }

    async fn end(&self, ending: Ending) -> Result<(), Error> {
        let loaded = lock(&self.inner.loaded).clone();
        self.inner.refresher.end(loaded, ending).await
    }

    async fn token(&self, target: &TokenTarget, demand: Demand) -> Result<AccessToken, Error> {
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        if demand == Demand::Usable {
            if let Some(token) = self.at_hand(target) {
                return Ok(token);
            }
        }
        let loaded = lock(&self.inner.loaded).clone();
        let refreshed = self
            .inner
            .refresher
            .obtain(loaded, target.clone(), demand, Persist::Storage)
            .await;
        if let Err(error @ Error::SessionEnded(_)) = &refreshed.token {
            *lock(&self.inner.ended) = Some(error.clone());
        }
        self.adopt(refreshed.loaded);
        refreshed.token
    }

    fn at_hand(&self, target: &TokenTarget) -> Option<AccessToken> {
        let now = self.inner.provider.now();
        let mut loaded = lock(&self.inner.loaded);
        let token = loaded
            .session
            .usable_token(&self.inner.provider.config, target, now)?
            .clone();
        Arc::make_mut(&mut loaded.session).touch(target, now);
        Some(token)
    }

    /// Takes over what a refresh brought, unless another one brought something newer meanwhile.
    fn adopt(&self, newer: LoadedSession) {
        let age = |loaded: &LoadedSession| (loaded.version, loaded.session.changed_at());
        let mut loaded = lock(&self.inner.loaded);
        if age(&newer) >= age(&loaded) {
            *loaded = newer;
        }
    }

    fn read<T>(&self, of: impl FnOnce(&Session) -> T) -> T {
        of(&lock(&self.inner.loaded).session)
    }
}

impl fmt::Debug for WritableSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WritableSession")
            .field("session", &self.snapshot())
            .finish_non_exhaustive()
    }
}

/// A session that can be looked at, and nothing else: for places where nothing can be stored any more.
///
/// There is no method on it that spends a refresh token or sends anything:
///
/// ```compile_fail
/// # async fn f(session: &logto_client::ReadOnlySession, target: &logto_client::TokenTarget) {
/// session.refresh_access_token(target).await;
/// # }
/// ```
#[derive(Clone)]
pub struct ReadOnlySession {
    loaded: LoadedSession,
    config: LogtoConfig,
    clock: Arc<dyn Clock>,
}

/// What a [`ReadOnlySession`] has to say about a token.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Cached {
    /// The token, usable now.
    Valid(AccessToken),
    /// The session has no usable token for this. A place that can store has to fetch it; see
    /// [`WritableSession::refresh_ahead`].
    NeedsRefresh,
}

impl Cached {
    /// The token, if there is one.
    pub fn token(self) -> Option<AccessToken> {
        match self {
            Self::Valid(token) => Some(token),
            Self::NeedsRefresh => None,
        }
    }
}

impl ReadOnlySession {
    pub(crate) fn new(loaded: LoadedSession, config: LogtoConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            loaded,
            config,
            clock,
        }
    }

    /// What the ID token says about the user, from memory.
    pub fn claims(&self) -> &IdTokenClaims {
        self.loaded.session.claims()
    }

    /// The session as it was read.
    pub fn snapshot(&self) -> &Session {
        &self.loaded.session
    }

    /// The access token for `target`, from memory; no network, no waiting.
    pub fn access_token(&self, target: &TokenTarget) -> Cached {
        match self
            .loaded
            .session
            .usable_token(&self.config, target, self.clock.now())
        {
            Some(token) => Cached::Valid(token.clone()),
            None => Cached::NeedsRefresh,
        }
    }

    /// The token for an organization, from memory; short for [`TokenTarget::organization`].
    pub fn organization_token(&self, organization_id: &str) -> Cached {
        self.access_token(&TokenTarget::organization(organization_id))
    }

    /// When the token for `target` ends, fresh or not.
    pub fn expires_at(&self, target: &TokenTarget) -> Option<UnixTime> {
        self.loaded
            .session
            .access_tokens()
            .get(target)
            .map(|token| token.expires_at)
    }

    pub(crate) fn loaded(&self) -> &LoadedSession {
        &self.loaded
    }
}

impl fmt::Debug for ReadOnlySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnlySession")
            .field("session", &self.loaded.session)
            .finish_non_exhaustive()
    }
}

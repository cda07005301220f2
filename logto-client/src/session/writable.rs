//! A session that can be refreshed and stored.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use logto_core::{
    AccessToken, Session, TokenTarget, UnixTime,
    claims::IdTokenClaims,
    error::UsageError,
    refresh::{Amend, Demand, Ending, Persist, Wanted},
    session::{SessionData, SessionId},
    sign_out::SignOut,
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{ReadOnlySession, read_only::read_data};
use crate::{
    error::{Error, SessionEnd},
    provider::{Provider, WaitingBudget},
    refresh::{LoadedSession, Refresher},
    single_flight::lock,
    storage::Handle,
};

/// A session whose refresh token may be spent, because its successor can be stored.
///
/// Open one with [`LogtoClient::session`](crate::LogtoClient::session) wherever the storage can be written:
/// anywhere with a storage on the server, but with cookie storage only while the response can still set
/// cookies. At the end, send the new handle to the browser if [it has changed](Self::changed_handle).
///
/// Clones are the same session. All methods take `&self`, so one request can ask for several tokens at the
/// same time. Open a session for each request of the application: its calls share one
/// [budget of waiting time](crate::Context::waiting_budget), so that a page does not wait for each of its
/// tokens in turn when Logto hangs.
#[derive(Clone)]
pub struct WritableSession {
    inner: Arc<WritableState>,
}

struct WritableState {
    refresher: Arc<Refresher>,
    /// The handle that the browser has; `None` for a new session.
    presented: Option<Handle>,
    loaded: Mutex<LoadedSession>,
    /// Which tokens were handed out, and when. The loaded session is shared, so this is recorded in it only
    /// before it is written.
    uses: Mutex<Vec<(TokenTarget, UnixTime)>>,
    ended: Mutex<Option<Error>>,
    /// Locked for writing while data is set: a refresh that began before that would restore the session without
    /// it.
    changes: tokio::sync::RwLock<()>,
    budget: WaitingBudget,
    /// Whether a change can no longer reach the browser.
    response_has_begun: AtomicBool,
    /// Whether a refresh was asked for.
    was_asked: AtomicBool,
}

impl WritableSession {
    pub(crate) fn new(
        refresher: Arc<Refresher>,
        presented: Option<Handle>,
        loaded: LoadedSession,
    ) -> Self {
        let inner = WritableState {
            refresher,
            presented,
            loaded: Mutex::new(loaded),
            uses: Mutex::default(),
            ended: Mutex::new(None),
            changes: tokio::sync::RwLock::default(),
            budget: WaitingBudget::default(),
            response_has_begun: AtomicBool::new(false),
            was_asked: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The claims of the ID token, shared with the session rather than copied.
    pub fn claims(&self) -> Arc<IdTokenClaims> {
        self.read(Session::shared_claims)
    }

    /// Keeps small data of the application in this new session, as JSON: every later request reads it with
    /// [`data`](Self::data), and no refresh changes it. Calling this again replaces the data.
    ///
    /// Call it in the [hook](crate::web::SignInHook) of the sign-in, or anywhere before the browser has the
    /// [handle](Self::handle). After that, the data cannot change: with sessions in cookies, the browser keeps
    /// the cookie of the last response that arrives, and a response that only changes the data could replace a
    /// newer refresh token with an older one. The next sign-in starts without data. Keep data that changes
    /// between sign-ins in a database, and its key here.
    ///
    /// # Errors
    /// [`UsageError::SessionDataTooLarge`] beyond [`SessionData::MAX_LEN`], 1 KiB of JSON.
    /// [`UsageError::SessionDataInvalid`] for a value without a JSON form. [`UsageError::SessionNotNew`] if the
    /// browser already has the session. [`Error::Storage`] if the session cannot be stored; the storage may
    /// have it with the data even so, so do not complete the sign-in with it.
    pub async fn set_data<T: Serialize + ?Sized>(&self, data: &T) -> Result<(), Error> {
        if self.inner.presented.is_some() {
            return Err(UsageError::SessionNotNew.into());
        }
        let data = SessionData::new(data)?;
        let _alone = self.inner.changes.write().await;
        self.amend(|session| Amend::set_data(session, data)).await
    }

    /// The data of the application that was [set](Self::set_data) at the sign-in; `None` if there is none.
    ///
    /// # Errors
    /// [`UsageError::SessionDataUnreadable`] if the data is not a `T`, for example because an earlier version
    /// of the application set it. Its advice is to sign in again. Members with `#[serde(default)]` avoid it.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        Ok(read_data(&self.snapshot())?)
    }

    /// The current state of the session, shared rather than copied.
    pub fn snapshot(&self) -> Arc<Session> {
        Arc::clone(&lock(&self.inner.loaded).session)
    }

    /// The id of the session. It never changes.
    pub fn id(&self) -> SessionId {
        self.read(|session| session.id().clone())
    }

    /// The current handle of the session.
    pub fn handle(&self) -> Handle {
        lock(&self.inner.loaded).handle.clone()
    }

    /// The current handle, if it differs from the one that the browser has.
    pub fn changed_handle(&self) -> Option<Handle> {
        let handle = self.handle();
        (self.inner.presented.as_ref() != Some(&handle)).then_some(handle)
    }

    /// Why the session has ended, if it has: the user signed out, the session was removed, or the provider
    /// refused its refresh token. Delete the cookie then.
    pub fn ended(&self) -> Option<Error> {
        let ended_elsewhere = || {
            self.read(|session| self.inner.refresher.session_has_ended(session))
                .then_some(Error::SessionEnded(SessionEnd::Removed))
        };
        lock(&self.inner.ended).clone().or_else(ended_elsewhere)
    }

    /// Returns an access token for `target` that can be used now. It comes from memory, or is fetched and
    /// stored.
    ///
    /// A token from memory reflects the state at the time of its fetch, up to an hour ago: the user may have
    /// lost a role or a membership since. Where that is not acceptable, fetch a new one with
    /// [`refresh_access_token`](Self::refresh_access_token).
    ///
    /// # Errors
    /// See [`Error::advice`]: a transient failure and a refused request leave the session unchanged.
    pub async fn access_token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.token(target, Demand::Usable).await
    }

    /// Fetches a new access token for `target`, even if the current one can still be used: after a role or a
    /// membership has changed, or when an API refuses the token. A recent refusal of this token does not
    /// prevent the request; a pause that the provider asked for (`Retry-After`) does.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn refresh_access_token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.token(target, Demand::New).await
    }

    /// Makes sure that the session has tokens for `targets` that stay valid for `min_remaining`: fetches
    /// missing ones, and refreshes those that expire earlier, one after the other. Call it while cookies can
    /// still be set, so that later, read-only parts of the request find the tokens that they need.
    ///
    /// Returns the result for each token that had to be fetched. A failure leaves the session unchanged.
    pub async fn refresh_ahead(
        &self,
        targets: &[TokenTarget],
        min_remaining: Duration,
    ) -> Vec<(TokenTarget, Result<AccessToken, Error>)> {
        let mut fetched = Vec::new();
        for target in targets {
            let now = self.provider().now();
            let is_ready = self.read(|session| {
                let token = session.access_tokens().get(target);
                token.is_some_and(|token| token.is_usable(now, min_remaining))
            });
            if !is_ready {
                let demand = Demand::MinRemaining(min_remaining);
                fetched.push((target.clone(), self.token(target, demand).await));
            }
        }
        fetched
    }

    /// Calls an API with a token for `target`. If the API refuses the token, `call` is made once more with a new
    /// one: the user's roles may have changed, or the API's keys.
    ///
    /// ```
    /// # use logto_client::{Error, TokenTarget, WritableSession};
    /// # struct Response { status: u16 }
    /// # async fn get(_: &str, _: &str) -> Result<Response, std::io::Error> { Ok(Response { status: 200 }) }
    /// # async fn orders(session: &WritableSession) -> Result<(), Error> {
    /// let api = TokenTarget::resource("https://shop.example.com/api");
    /// let response = session.call_api(
    ///     &api,
    ///     async |token| get("/orders", &format!("Bearer {}", token.token.expose())).await,
    ///     |response| response.as_ref().is_ok_and(|response| response.status == 401),
    /// );
    /// let response = response.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn call_api<T>(
        &self,
        target: &TokenTarget,
        call: impl AsyncFn(AccessToken) -> T,
        is_refused: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        let response = call(self.access_token(target).await?).await;
        match is_refused(&response) {
            true => Ok(call(self.refresh_access_token(target).await?).await),
            false => Ok(response),
        }
    }

    /// The current state of the session, read-only.
    pub fn read_only(&self) -> ReadOnlySession {
        let loaded = lock(&self.inner.loaded).clone();
        ReadOnlySession::of(self.provider(), loaded)
    }

    /// Forgets the token for `target`; the next call fetches a new one. Nothing is revoked.
    ///
    /// # Errors
    /// If the storage cannot be written, or a refresh under way takes too long.
    pub async fn forget(&self, target: &TokenTarget) -> Result<(), Error> {
        let _change = self.inner.changes.read().await;
        self.amend(|session| Amend::forget(session, target.clone()))
            .await
    }

    /// Signs the user out, revokes the refresh token in the background, and returns the URL that ends the
    /// user's session at Logto.
    ///
    /// The local session ends first, whatever happens after that. The URL is `None` only if the provider's
    /// metadata could never be fetched.
    ///
    /// # Errors
    /// If the storage cannot remove the session. This process refuses it nevertheless.
    pub async fn sign_out(&self, sign_out: &SignOut) -> Result<Option<Url>, Error> {
        self.end_as_asked(Ending::SignOut).await?;
        let provider = self.provider();
        provider.sign_out_url(&provider.config, sign_out).await
    }

    /// Signs the user out of this application only. The user's session at Logto continues, so the next sign-in
    /// shows no form. That sign-in may get the same grant, so this call waits until the refresh token is
    /// revoked or the revocation has failed.
    ///
    /// # Errors
    /// As [`sign_out`](Self::sign_out).
    pub async fn sign_out_locally(&self) -> Result<(), Error> {
        self.end_as_asked(Ending::LocalSignOut).await
    }

    /// The same session, once the browser has its handle.
    pub(crate) fn presented(&self) -> Self {
        let loaded = lock(&self.inner.loaded).clone();
        let handle = loaded.handle.clone();
        Self::new(Arc::clone(&self.inner.refresher), Some(handle), loaded)
    }

    /// Ends a session whose handle was never sent to a browser.
    pub(crate) async fn discard(&self) -> Result<(), Error> {
        let loaded = lock(&self.inner.loaded).clone();
        let refresher = &self.inner.refresher;
        refresher.end(loaded, Ending::LocalSignOut).await
    }

    async fn end_as_asked(&self, ending: Ending) -> Result<(), Error> {
        let loaded = lock(&self.inner.loaded).clone();
        self.inner.refresher.sign_out(loaded, ending).await
    }

    async fn amend(&self, job: impl FnOnce(Arc<Session>) -> Amend<Error>) -> Result<(), Error> {
        let loaded = self.loaded_to_write();
        let job = job(Arc::clone(&loaded.session));
        let (refresher, budget) = (&self.inner.refresher, &self.inner.budget);
        self.adopt(refresher.amend(loaded, job, budget).await?);
        Ok(())
    }

    async fn token(&self, target: &TokenTarget, demand: Demand) -> Result<AccessToken, Error> {
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        if demand == Demand::Usable {
            if let Some(token) = self.usable_token(target) {
                return Ok(token);
            }
        }
        let wanted = Wanted {
            target: target.clone(),
            demand,
            persist: self.persist()?,
        };
        self.inner.was_asked.store(true, Ordering::Release);
        let _change = self.inner.changes.read().await;
        let loaded = self.loaded_to_write();
        let (refresher, budget) = (&self.inner.refresher, &self.inner.budget);
        let refreshed = refresher.obtain(loaded, wanted, budget).await;
        if let Err(error @ Error::SessionEnded(_)) = &refreshed.token {
            *lock(&self.inner.ended) = Some(error.clone());
        }
        self.adopt(refreshed.loaded);
        refreshed.token
    }

    fn usable_token(&self, target: &TokenTarget) -> Option<AccessToken> {
        let (config, now) = (&self.provider().config, self.provider().now());
        let token = self.read(|session| session.usable_token(config, target, now).cloned())?;
        let mut uses = lock(&self.inner.uses);
        match uses.iter_mut().find(|(used, _)| used == target) {
            Some((_, at)) => *at = now,
            None => uses.push((target.clone(), now)),
        }
        Some(token)
    }

    /// The current state of the session, with the times when its tokens were handed out.
    fn loaded_to_write(&self) -> LoadedSession {
        let mut loaded = lock(&self.inner.loaded);
        for (target, at) in lock(&self.inner.uses).drain(..) {
            Arc::make_mut(&mut loaded.session).touch(&target, at);
        }
        loaded.clone()
    }

    /// Adopts the session from a refresh, unless another refresh has stored a newer one.
    fn adopt(&self, newer: LoadedSession) {
        let age = |loaded: &LoadedSession| (loaded.version, loaded.session.changed_at());
        let mut loaded = lock(&self.inner.loaded);
        if age(&newer) >= age(&loaded) {
            *loaded = newer;
        }
    }

    /// Spends the refresh token if it [would expire](crate::LogtoClientBuilder::refresh_token_lifetime) unused.
    /// [`LogtoWeb`](crate::web::LogtoWeb) does this for every session; an application without it calls this
    /// method where the storage can be written.
    ///
    /// With sessions in cookies, this waits for the new refresh token. A store on the server is written in the
    /// background. A failure leaves the session unchanged, and the next attempt is made after six hours at the
    /// earliest.
    pub async fn renew(&self) {
        self.renew_in_cookies().await;
        self.renew_on_server();
    }

    /// Renews the refresh token of a session in cookies, if it is due.
    pub(crate) async fn renew_in_cookies(&self) {
        let _change = self.inner.changes.read().await;
        let loaded = self.loaded_to_write();
        if let Some(renewed) = self.inner.refresher.renew_in_cookies(loaded).await {
            self.adopt(renewed);
        }
    }

    /// Renews the refresh token of a session on the server, if it is due and this request has not refreshed it.
    pub(crate) fn renew_on_server(&self) {
        if !self.inner.was_asked.load(Ordering::Acquire) {
            let loaded = self.loaded_to_write();
            self.inner.refresher.renew_on_server(&loaded);
        }
    }

    /// Notes that cookies can no longer be set. From then on, a session in cookies fetches nothing that it
    /// would have to store there.
    pub(crate) fn response_has_begun(&self) {
        self.inner.response_has_begun.store(true, Ordering::Release);
    }

    /// Where a refreshed session can be stored now.
    fn persist(&self) -> Result<Persist, Error> {
        let refresher = &self.inner.refresher;
        if !self.inner.response_has_begun.load(Ordering::Acquire) || refresher.stores_on_server() {
            Ok(Persist::Storage)
        } else if refresher.can_fetch_without_cookie() {
            Ok(Persist::LedgerOnly)
        } else {
            Err(Error::ResponseBegun)
        }
    }

    pub(super) fn budget(&self) -> &WaitingBudget {
        &self.inner.budget
    }

    pub(super) fn provider(&self) -> &Arc<Provider> {
        &self.inner.refresher.provider
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

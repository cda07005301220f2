//! Refreshing sessions, and ending them. All refresh tokens are spent here.
//!
//! Every decision is made by the machines of [`logto_core::refresh`]; [`driver`] performs what they ask
//! for. What is left here is what one process has to see to: callers for the same token share one
//! refresh, and a session has one at a time.

mod driver;
mod ends;
mod memory;
mod removal;
mod renewal;

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use logto_core::{
    AccessToken, Exchange, Secret, Session, UnixTime,
    grants::RefreshTokens,
    refresh::{
        Amend, EndSession, Ending, Refresh, RefreshError, RefreshJob, SUPERSEDED_FOR, Wanted,
    },
    session::SessionId,
};

use self::driver::Driver;
pub(crate) use self::memory::Memory;
use crate::{
    error::Error,
    event::Event,
    http::TransportError,
    ledger::{self, Fingerprint, SharedLedger},
    provider::{Provider, WaitingBudget},
    runtime::BoxedFuture,
    single_flight::Inflight,
    storage::{Ended, Handle, Logout, SessionStorage, Stored, Version},
};

/// How long a sign-out waits for a refresh in flight, to revoke its new refresh token. A refresh that takes
/// longer revokes it itself.
const ENDING_WAIT: Duration = Duration::from_secs(2);

/// A session as it was read from the storage, and what the ledger knew beyond that.
#[derive(Clone, Debug)]
pub(crate) struct LoadedSession {
    pub(crate) handle: Handle,
    pub(crate) session: Arc<Session>,
    pub(crate) version: Version,
    /// Whether the ledger knew more than the storage.
    pub(crate) needs_write_back: bool,
}

impl LoadedSession {
    /// A stored session.
    pub(crate) fn new(handle: Handle, stored: Stored) -> Self {
        Self {
            handle,
            session: stored.session,
            version: stored.version,
            needs_write_back: false,
        }
    }

    fn key(&self) -> SessionKey {
        let refresh_token = self.session.refresh_token();
        let fingerprint = refresh_token.map_or([0; 32], ledger::fingerprint);
        (self.session.id().clone(), fingerprint)
    }
}

/// The result of a refresh: the token or the error, and the current session.
#[derive(Clone, Debug)]
pub(crate) struct Refreshed {
    pub(crate) token: Result<AccessToken, Error>,
    pub(crate) loaded: LoadedSession,
}

/// Tells a copy of a session from its older and newer ones: they have other refresh tokens.
pub(crate) type SessionKey = (SessionId, Fingerprint);
/// Callers with the same key share a refresh.
pub(crate) type RefreshKey = (SessionKey, Wanted);
/// Callers with the same key share a sign-out.
pub(crate) type EndingKey = (SessionId, Ending);

/// Refreshes and ends the sessions of one application.
#[derive(Debug)]
pub(crate) struct Refresher {
    pub(crate) provider: Arc<Provider>,
    pub(crate) storage: Arc<dyn SessionStorage>,
    pub(crate) memory: Arc<Memory>,
    shared_ledger: Option<SharedLedger>,
    options: RefreshOptions,
}

/// What the builder of the client is told about the application; see its methods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshOptions {
    pub(crate) ends_known_within: Duration,
    pub(crate) is_single_process: bool,
    pub(crate) refresh_token_lifetime: Duration,
}

impl Refresher {
    pub(crate) fn new(
        provider: Arc<Provider>,
        storage: Arc<dyn SessionStorage>,
        memory: Arc<Memory>,
        shared_ledger: Option<SharedLedger>,
        options: RefreshOptions,
    ) -> Self {
        memory.started(provider.moment());
        memory.ends.remember_for(storage.longest_lifetime());
        Self {
            provider,
            storage,
            memory,
            shared_ledger,
            options,
        }
    }

    /// Time that does not jump.
    pub(super) fn monotonic(&self) -> UnixTime {
        UnixTime::from_secs(0).plus(self.provider.moment().monotonic)
    }

    /// Whether a session can be written without the browser.
    pub(crate) fn stores_on_server(&self) -> bool {
        self.storage.is_authoritative()
    }

    /// Whether a refresh whose session cannot be written into a cookie loses nothing.
    pub(crate) fn can_fetch_without_cookie(&self) -> bool {
        self.options.is_single_process || self.remembers_ends()
    }

    /// Whether no other process can have spent the refresh token of a session unnoticed. A single process
    /// does not know what its predecessor did, so it cannot rely on that while requests with cookies from
    /// that time may still arrive.
    fn is_exclusive(&self, session: &Session) -> bool {
        let now = self.provider.moment();
        let started = self.memory.started(now);
        let uptime = now.monotonic.saturating_sub(started.monotonic);
        let knows_all = session.created_at() >= started.wall || uptime >= SUPERSEDED_FOR;
        self.storage.is_authoritative() || (self.options.is_single_process && knows_all)
    }

    /// A token as `wanted`. The refresh continues if the caller stops waiting, or if `budget` is spent.
    pub(crate) async fn obtain(
        self: &Arc<Self>,
        loaded: LoadedSession,
        wanted: Wanted,
        budget: &WaitingBudget,
    ) -> Refreshed {
        let caller_timeout = self.provider.context.limits.caller_timeout;
        let waiting = async {
            let refresh = self.start(&loaded, &wanted);
            self.provider.within(caller_timeout, refresh).await
        };
        let waited = self.provider.wait(budget, waiting).await;
        waited
            .and_then(|refreshed| refreshed.ok_or_else(|| late(caller_timeout)))
            .unwrap_or_else(|error| self.still_refreshing(loaded, &wanted, error))
    }

    /// Starts a refresh that continues by itself, or joins the one for the same token.
    fn start(self: &Arc<Self>, loaded: &LoadedSession, wanted: &Wanted) -> Inflight<Refreshed> {
        let runtime = &*self.provider.context.runtime;
        let key = (loaded.key(), wanted.clone());
        self.memory.refreshes.join(runtime, key, || {
            let refresher = Arc::clone(self);
            let (loaded, wanted) = (loaded.clone(), wanted.clone());
            async move { refresher.refresh(loaded, wanted).await }.boxed_future()
        })
    }

    /// The result for a caller that cannot wait any longer.
    fn still_refreshing(&self, loaded: LoadedSession, wanted: &Wanted, error: Error) -> Refreshed {
        let token = wanted.not_yet_expired(&loaded.session, self.provider.now());
        Refreshed {
            token: token.cloned().ok_or(error),
            loaded,
        }
    }

    async fn refresh(&self, loaded: LoadedSession, wanted: Wanted) -> Refreshed {
        let _lock = self.memory.sessions.lock(loaded.session.id().clone()).await;
        let driver = Driver::new(self, &loaded);
        let job = RefreshJob {
            config: self.provider.config.clone(),
            wanted,
            is_exclusive: self.is_exclusive(&loaded.session),
        };
        let (session, needs_write_back) = (Arc::clone(&loaded.session), loaded.needs_write_back);
        let job = Refresh::new(job, session, needs_write_back, self.provider.moment());
        match driver.drive(job).await {
            Ok(outcome) => Refreshed {
                token: outcome.token.map_err(Error::from),
                loaded: driver.into_loaded(outcome.session, outcome.needs_write_back),
            },
            Err(error) => Refreshed {
                token: Err(error),
                loaded,
            },
        }
    }

    /// Writes what the ledger knows and the storage does not. A failure is no loss, as the ledger still
    /// knows it.
    pub(crate) async fn write_back(&self, loaded: &mut LoadedSession) {
        let driver = Driver::new(self, loaded);
        let job = Amend::write_back(Arc::clone(&loaded.session));
        if let Ok(Ok(session)) = driver.drive(job).await {
            *loaded = driver.into_loaded(session, false);
        }
    }

    /// Changes a session, here and in the storage, and returns it then. A refresh under way is waited for, as
    /// long as `budget` allows.
    pub(crate) async fn amend(
        &self,
        loaded: LoadedSession,
        job: Amend<Error>,
        budget: &WaitingBudget,
    ) -> Result<LoadedSession, Error> {
        let lock = self.memory.sessions.lock(loaded.session.id().clone());
        let _lock = self.provider.wait(budget, lock).await?;
        let driver = Driver::new(self, &loaded);
        let session = driver.drive(job).await??;
        Ok(driver.into_loaded(session, false))
    }

    /// Ends a session because its user wants it.
    pub(crate) async fn sign_out(
        self: &Arc<Self>,
        loaded: LoadedSession,
        ending: Ending,
    ) -> Result<(), Error> {
        // A double-click is one sign-out.
        if !self.session_has_ended(&loaded.session) {
            let event = Event::SignedOut {
                session: loaded.session.id().clone(),
                user: loaded.session.claims().sub.clone(),
            };
            self.provider.context.observer.on_event(&event);
        }
        self.end(loaded, ending).await
    }

    /// Ends a session, also when the caller does not wait for it: it is refused here from now on, removed,
    /// and, unless a new sign-in replaced it, its newest refresh token is revoked.
    pub(crate) async fn end(
        self: &Arc<Self>,
        loaded: LoadedSession,
        ending: Ending,
    ) -> Result<(), Error> {
        let runtime = &self.provider.context.runtime;
        let key = (loaded.session.id().clone(), ending);
        let ending = self.memory.endings.join(&**runtime, key, || {
            let refresher = Arc::clone(self);
            async move { refresher.end_now(loaded, ending).await }.boxed_future()
        });
        ending.await
    }

    async fn end_now(self: &Arc<Self>, loaded: LoadedSession, ending: Ending) -> Result<(), Error> {
        let id = loaded.session.id();
        self.memory.ends.mark(&loaded.session, self.provider.now());
        let lock = self.memory.sessions.lock(id.clone());
        let lock = self.provider.within(ENDING_WAIT, lock).await;
        // What a refresh brings that is overtaken is revoked, and the session that replaces this one may have
        // the same grant.
        if lock.is_none() && ending != Ending::Replacement {
            let now = self.provider.now();
            self.memory.ends.overtake(&loaded.session, now);
        }
        let driver = Driver::new(self, &loaded);
        let session = Arc::clone(&loaded.session);
        let job = EndSession::new(ending, session, self.provider.moment());
        let job = async { driver.drive(job).await? };
        let end = Ended::Session(id.clone());
        let told = self.tell_of_end(&end, self.provider.now());
        let (ended, told) = join(job, told).await;
        drop(lock);
        if let (Err(Error::Storage(error)), true) = (&ended, ending != Ending::Replacement) {
            self.remove_later(loaded.handle, error);
        }
        // Where other processes could not be told, a copy of the cookie may live on there.
        ended.and_then(|()| told.map_err(Error::from))
    }

    /// Ends all sessions that `logout` names, and says how many the storage knew. To do it again changes
    /// nothing.
    pub(crate) async fn log_out(&self, logout: &Logout) -> Result<Option<u64>, Error> {
        self.memory.ends.mark_owners(logout, self.provider.now());
        for ended in Ended::by(logout) {
            self.tell_of_end(&ended, logout.at).await?;
        }
        Ok(self.storage.remove_all(logout).await?)
    }

    /// Whether a name is used for the first time in all processes, as far as they share something.
    pub(crate) async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, Error> {
        let mut is_first = self.storage.is_first_use(name, ttl).await?;
        if let Some(shared) = &self.shared_ledger {
            is_first &= shared.is_first_use(name, ttl).await;
        }
        Ok(is_first)
    }

    /// Revokes a refresh token. A failure does no harm: the token expires.
    fn revocation(&self, refresh_token: Secret) -> impl Future<Output = ()> + use<> {
        self.memory.ledger.forget(&refresh_token);
        let provider = Arc::clone(&self.provider);
        async move {
            if let Err(error) = provider.revoke(refresh_token).await {
                provider.context.observer.on_event(&Event::NotRevoked {
                    reason: error.to_string(),
                });
            }
        }
    }
}

fn late(timeout: Duration) -> Error {
    Error::Transport {
        endpoint: RefreshTokens::ENDPOINT,
        source: TransportError::late(timeout),
    }
}

impl From<RefreshError<Self>> for Error {
    fn from(error: RefreshError<Self>) -> Self {
        match error {
            RefreshError::Protocol(error) => Self::Protocol(error),
            RefreshError::Failed(error) => error,
            RefreshError::Superseded => Self::Superseded,
            RefreshError::Ended(end) => Self::SessionEnded(end),
            // `Busy`, and whatever a newer core may add: the session is as it was.
            _ => Self::Busy,
        }
    }
}

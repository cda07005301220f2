//! The client: one for each application at Logto, for the life of the program.

mod back_channel;
mod builder;
mod coordinator;
mod device;
mod newest;
mod reader;
mod sign_in;
mod sign_out;

use std::{fmt, sync::Arc, time::Duration};

use logto_core::{
    AccessToken, LogtoConfig, TokenTarget,
    metadata::ProviderMetadata,
    refresh::{Demand, Persist, SessionEnd},
};

use self::{coordinator::Common, newest::open_newest};
use crate::{
    clock::Clock,
    context::Context,
    entropy::Entropy,
    error::Error,
    event::Observer,
    provider::Provider,
    refresh::{LoadedSession, Refresher},
    resource_server::ResourceServer,
    session::{Cached, ReadOnlySession, WritableSession},
    storage::{Handle, SessionStorage},
};

pub use self::{
    builder::LogtoClientBuilder,
    coordinator::Coordinator,
    reader::LogtoReader,
    sign_in::{CompletedSignIn, IncompleteSignIn, NextStep},
    sign_out::SignedOut,
};

/// How often a session is looked at that somebody waits for the end of.
const END_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The client of one application at Logto.
///
/// Make one and clone it: clones share the connections, the cached metadata and keys, and the one
/// refresher that keeps sessions alive. It has no type parameters and no state of any request.
#[derive(Clone)]
pub struct LogtoClient {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<Provider>,
    storage: Arc<dyn SessionStorage>,
    refresher: Arc<Refresher>,
    common: Arc<Common>,
}

impl LogtoClient {
    /// Starts to build a client. An [`HttpClient`](crate::http::HttpClient) alone is a [`Context`].
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0-13")] {
    /// use logto_client::{LogtoClient, LogtoConfig, http::ReqwestClient, storage::SessionStorage};
    ///
    /// fn client(
    ///     storage: impl SessionStorage + 'static,
    /// ) -> Result<LogtoClient, Box<dyn std::error::Error>> {
    ///     let config = LogtoConfig::from_env()?;
    ///     Ok(LogtoClient::builder(config, ReqwestClient::new()?, storage).build()?)
    /// }
    /// # }
    /// ```
    pub fn builder(
        config: LogtoConfig,
        context: impl Into<Context>,
        storage: impl SessionStorage + 'static,
    ) -> LogtoClientBuilder {
        LogtoClientBuilder::new(config, context.into(), Arc::new(storage))
    }

    /// The configuration.
    pub fn config(&self) -> &LogtoConfig {
        &self.inner.provider.config
    }

    /// The clock that the client goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.provider.clock
    }

    /// The random source that the client takes from.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.inner.provider.entropy
    }

    /// The observer that receives the client's events.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        &self.inner.provider.observer
    }

    /// Reads sessions with what this client knows of them, and can change none.
    pub fn reader(&self) -> LogtoReader {
        let storage = Arc::clone(&self.inner.storage);
        LogtoReader::new(self.config().clone(), storage)
            .shared_clock(Arc::clone(self.clock()))
            .with_common(&self.inner.common)
            .with_refresher(&self.inner.refresher)
    }

    /// An API that accepts the access tokens of this application's Logto. It shares the provider's keys with the
    /// client; keep it, because it remembers the tokens that it has verified.
    pub fn resource_server(&self) -> ResourceServer {
        let provider = &self.inner.provider;
        let issuer = provider.config.issuer().to_owned();
        ResourceServer::of_providers(issuer, [Arc::clone(provider)])
    }

    /// The storage that the client keeps sessions in.
    pub fn storage(&self) -> &Arc<dyn SessionStorage> {
        &self.inner.storage
    }

    /// The provider's metadata, fetched when it is first needed.
    ///
    /// # Errors
    /// When it cannot be fetched. The next call tries again, after a pause that grows with every
    /// failure up to a minute.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, Error> {
        self.inner.provider.metadata().await
    }

    /// The session of a handle, to be used where the storage can be written; `None` when nobody is
    /// signed in.
    ///
    /// # Errors
    /// When the storage cannot be asked. That says nothing about who is signed in. [`Error::Superseded`] for a
    /// session in cookies that may have ended without this process remembering it (see
    /// [`LedgerLimits::max_ends`](crate::ledger::LedgerLimits::max_ends)), whose refresh token is not active
    /// any more: a newer cookie may be on its way. After a minute without one nobody is signed in.
    pub async fn session(&self, handle: &Handle) -> Result<Option<WritableSession>, Error> {
        self.newest_session(std::slice::from_ref(handle)).await
    }

    /// The newest of the sessions that these handles find, as [`session`](Self::session) opens it. A
    /// browser may present several: after two responses that crossed, or when a parent domain sets a
    /// cookie of the same name.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn newest_session(
        &self,
        handles: &[Handle],
    ) -> Result<Option<WritableSession>, Error> {
        let Some(mut loaded) = open_newest(&self.inner.refresher, handles).await? else {
            return Ok(None);
        };
        let presented = loaded.handle.clone();
        if loaded.needs_write_back {
            self.inner.refresher.write_back(&mut loaded).await;
        }
        if let Some(touched) = self.touch(&loaded.handle) {
            loaded.handle = touched;
        }
        Ok(Some(self.writable(Some(presented), loaded)))
    }

    /// The session of a handle, to be looked at; `None` when nobody is signed in.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn read_only_session(
        &self,
        handle: &Handle,
    ) -> Result<Option<ReadOnlySession>, Error> {
        self.newest_read_only_session(std::slice::from_ref(handle))
            .await
    }

    /// As [`newest_session`](Self::newest_session), to be looked at.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub(crate) async fn newest_read_only_session(
        &self,
        handles: &[Handle],
    ) -> Result<Option<ReadOnlySession>, Error> {
        let Some(loaded) = open_newest(&self.inner.refresher, handles).await? else {
            return Ok(None);
        };
        let provider = &self.inner.provider;
        Ok(Some(ReadOnlySession::new(
            loaded,
            provider.config.clone(),
            Arc::clone(&provider.clock),
        )))
    }

    /// An access token for a session that was opened read-only: from memory, or fetched where that cannot
    /// lose the session.
    ///
    /// A storage on the server is written as from a writable session. Sessions in cookies cannot be
    /// written here, so what is fetched goes into the ledger: the shared one, or, with
    /// [`single_process`](LogtoClientBuilder::single_process), the one of this process, until somebody
    /// opens the session for writing. Without either, another process would not know of a replaced
    /// refresh token and end the session by using the old one, so nothing is fetched and the answer is
    /// [`Cached::NeedsRefresh`]. Prefer [`WritableSession::refresh_ahead`] there.
    ///
    /// # Errors
    /// As [`WritableSession::access_token`].
    pub async fn fetch_access_token(
        &self,
        session: &ReadOnlySession,
        target: &TokenTarget,
    ) -> Result<Cached, Error> {
        match session.access_token(target) {
            Cached::NeedsRefresh => {}
            answer => return Ok(answer),
        }
        if !self.inner.refresher.can_fetch_without_cookie() {
            return Ok(Cached::NeedsRefresh);
        }
        let token = self
            .fetch_access_token_or_lose_session(session, target)
            .await?;
        Ok(Cached::Valid(token))
    }

    /// As [`fetch_access_token`](Self::fetch_access_token), but never refuses: with sessions in cookies and
    /// nothing shared between processes **the user may be signed out by it**. If the refresh token is
    /// replaced, only this process knows the new one, until somebody opens the session for writing here.
    ///
    /// # Errors
    /// As [`WritableSession::access_token`].
    pub async fn fetch_access_token_or_lose_session(
        &self,
        session: &ReadOnlySession,
        target: &TokenTarget,
    ) -> Result<AccessToken, Error> {
        if let Cached::Valid(token) = session.access_token(target) {
            return Ok(token);
        }
        let persist = match self.inner.storage.is_authoritative() {
            true => Persist::Storage,
            false => Persist::LedgerOnly,
        };
        let (loaded, refresher) = (session.loaded().clone(), &self.inner.refresher);
        refresher
            .obtain(
                loaded,
                target.clone(),
                Demand::Usable,
                persist,
                session.budget(),
            )
            .await
            .token
    }

    /// Waits for the sign-ins, refreshes and sign-outs that are under way, also those whose callers have
    /// gone. Call it before the program ends: an answer on its way may hold the only copy of a refresh
    /// token.
    pub async fn drain(&self) {
        let common = &self.inner.common;
        common.sign_ins.drain().await;
        common.device_polls.drain().await;
        common.memory.refreshes.drain().await;
        common.memory.endings.drain().await;
    }

    /// What the client holds in memory for refreshes.
    pub fn stats(&self) -> RefresherStats {
        let memory = self.inner.refresher.memory();
        RefresherStats {
            refreshes: memory.refreshes.len(),
            sessions: memory.sessions.len(),
            ledger: memory.ledger.len(),
        }
    }

    /// Completes when the session has ended, here or elsewhere: for connections that outlive their request, such
    /// as WebSockets. It looks every five seconds, and asks the storage if it is on the server. While the storage
    /// does not respond, the session counts as good.
    pub async fn until_ended(&self, session: &WritableSession) {
        while session.ended().is_none() {
            if let Ok(None) = open_newest(&self.inner.refresher, &[session.handle()]).await {
                return;
            }
            self.inner.provider.runtime.sleep(END_CHECK_INTERVAL).await;
        }
    }

    /// Why the session of this handle is over, if that was found just now.
    pub(crate) fn end_of(&self, handle: &Handle) -> Option<SessionEnd> {
        self.inner.refresher.end_of(handle)
    }

    /// Renews the refresh token of a session on the server, if it is due, while nobody waits for it.
    pub(crate) fn renew_on_server(&self, session: &ReadOnlySession) {
        self.inner.refresher.renew_on_server(session.loaded());
    }

    /// The handle that the browser needs because its session is in use, if it needs another one.
    pub(crate) fn touch(&self, handle: &Handle) -> Option<Handle> {
        let now = self.inner.provider.now();
        self.inner.storage.touch(handle, now)
    }

    fn writable(&self, presented: Option<Handle>, loaded: LoadedSession) -> WritableSession {
        WritableSession::new(
            Arc::clone(&self.inner.refresher),
            Arc::clone(&self.inner.provider),
            presented,
            loaded,
        )
    }
}

impl fmt::Debug for LogtoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogtoClient")
            .field("config", self.config())
            .field("storage", &self.inner.storage)
            .finish_non_exhaustive()
    }
}

/// What the refresher holds in memory; see [`LogtoClient::stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefresherStats {
    /// Refreshes under way.
    pub refreshes: usize,
    /// Sessions with a refresh under way or waiting.
    pub sessions: usize,
    /// Spent refresh tokens that are remembered.
    pub ledger: usize,
}

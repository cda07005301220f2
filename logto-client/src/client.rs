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
    refresh::{Demand, Persist, SessionEnd, Wanted},
};

use self::{coordinator::SharedState, newest::open_newest};
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

/// How often [`LogtoClient::until_ended`] checks whether a session has ended.
const END_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The client of one application at Logto.
///
/// Create one and clone it: clones share the connections, the cached metadata and keys, and the one refresher
/// that keeps sessions alive. It has no type parameters and holds no state of a request.
#[derive(Clone)]
pub struct LogtoClient {
    inner: Arc<ClientState>,
}

struct ClientState {
    provider: Arc<Provider>,
    storage: Arc<dyn SessionStorage>,
    refresher: Arc<Refresher>,
    shared: Arc<SharedState>,
}

impl LogtoClient {
    /// Starts building a client. An [`HttpClient`](crate::http::HttpClient) alone is a [`Context`].
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

    /// The client's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.provider.context.clock
    }

    /// The client's random source.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.inner.provider.context.entropy
    }

    /// The observer that receives the client's events.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        &self.inner.provider.context.observer
    }

    /// A reader of sessions. It knows what this client knows about them, and cannot change any.
    pub fn reader(&self) -> LogtoReader {
        let storage = Arc::clone(&self.inner.storage);
        let mut reader = LogtoReader::new(self.config().clone(), storage);
        reader.clock = Arc::clone(self.clock());
        reader.refresher = Some(Arc::clone(&self.inner.refresher));
        reader
    }

    /// An API that accepts the access tokens of this application's Logto. It shares the provider's keys with the
    /// client; keep it, because it remembers the tokens that it has verified.
    pub fn resource_server(&self) -> ResourceServer {
        let provider = &self.inner.provider;
        let issuer = provider.config.issuer().to_owned();
        ResourceServer::of_providers(issuer, [Arc::clone(provider)])
    }

    /// The storage of the client's sessions.
    pub fn storage(&self) -> &Arc<dyn SessionStorage> {
        &self.inner.storage
    }

    /// The provider's metadata, fetched when it is first needed.
    ///
    /// # Errors
    /// If it cannot be fetched. The next call tries again, after a pause that grows with every failure, up to a
    /// minute.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, Error> {
        self.inner.provider.metadata().await
    }

    /// Opens the session of a handle, where the storage can be written. `None` if no user is signed in.
    ///
    /// # Errors
    /// If the storage cannot be read. That does not tell whether a user is signed in. [`Error::Superseded`] for
    /// a session in cookies that may have ended without this process remembering it (see
    /// [`LedgerLimits::max_ends`](crate::ledger::LedgerLimits::max_ends)), whose refresh token is no longer
    /// active: a newer cookie may be on its way. After a minute without one, no user is signed in.
    pub async fn session(&self, handle: &Handle) -> Result<Option<WritableSession>, Error> {
        self.newest_session(std::slice::from_ref(handle)).await
    }

    /// Opens the newest of the sessions of these handles, as [`session`](Self::session) does. A browser may
    /// present several: after two responses that crossed, or when a parent domain sets a cookie of the same
    /// name.
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

    /// Opens the session of a handle, read-only. `None` if no user is signed in.
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

    /// As [`newest_session`](Self::newest_session), read-only.
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
        Ok(Some(ReadOnlySession::of(&self.inner.provider, loaded)))
    }

    /// An access token for a session that was opened read-only: from memory, or fetched where that cannot
    /// lose the session.
    ///
    /// With a storage on the server, the token is stored as from a writable session. Sessions in cookies cannot
    /// be written here, so the token goes into the ledger until the session is opened for writing: into the
    /// shared one, or, with [`single_process`](LogtoClientBuilder::single_process), into that of this process.
    /// Without either, another process would not know that the refresh token was replaced, and would end the
    /// session by using the old one. Nothing is fetched then, and the result is [`Cached::NeedsRefresh`].
    /// Prefer [`WritableSession::refresh_ahead`] there.
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
    /// nothing shared between processes, **it may sign the user out**. If the refresh token is replaced, only
    /// this process knows the new one until the session is opened for writing here.
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
        let wanted = Wanted {
            target: target.clone(),
            demand: Demand::Usable,
            persist: match self.inner.storage.is_authoritative() {
                true => Persist::Storage,
                false => Persist::LedgerOnly,
            },
        };
        let (loaded, refresher) = (session.loaded().clone(), &self.inner.refresher);
        let refreshed = refresher.obtain(loaded, wanted, session.budget());
        refreshed.await.token
    }

    /// Waits for the sign-ins, refreshes and sign-outs that are under way, including those whose callers no
    /// longer wait. Call it before the program ends: a response on its way may hold the only copy of a refresh
    /// token.
    pub async fn drain(&self) {
        let shared = &self.inner.shared;
        shared.sign_ins.drain().await;
        shared.device_polls.drain().await;
        shared.memory.refreshes.drain().await;
        shared.memory.endings.drain().await;
    }

    /// What the client holds in memory for refreshes.
    pub fn stats(&self) -> RefresherStats {
        let memory = &self.inner.refresher.memory;
        RefresherStats {
            refreshes: memory.refreshes.len(),
            sessions: memory.sessions.len(),
            ledger: memory.ledger.len(),
        }
    }

    /// Completes when the session has ended, here or elsewhere: for connections that outlive their request,
    /// such as WebSockets. It checks every five seconds, and reads the storage if it is on the server. While
    /// the storage does not respond, the session counts as valid.
    pub async fn until_ended(&self, session: &WritableSession) {
        while session.ended().is_none() {
            if let Ok(None) = open_newest(&self.inner.refresher, &[session.handle()]).await {
                return;
            }
            self.inner
                .provider
                .context
                .runtime
                .sleep(END_CHECK_INTERVAL)
                .await;
        }
    }

    /// Why the session of this handle has ended, if that was found just now.
    pub(crate) fn end_of(&self, handle: &Handle) -> Option<SessionEnd> {
        self.inner.refresher.end_of(handle)
    }

    /// Renews the refresh token of a session on the server in the background, if it is due.
    pub(crate) fn renew_on_server(&self, session: &ReadOnlySession) {
        self.inner.refresher.renew_on_server(session.loaded());
    }

    /// The handle that records for the browser that its session is in use, if it has to change for that.
    pub(crate) fn touch(&self, handle: &Handle) -> Option<Handle> {
        let now = self.inner.provider.now();
        self.inner.storage.touch(handle, now)
    }

    fn writable(&self, presented: Option<Handle>, loaded: LoadedSession) -> WritableSession {
        WritableSession::new(Arc::clone(&self.inner.refresher), presented, loaded)
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

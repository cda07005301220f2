//! A reader of sessions, which cannot change them.

use std::sync::Arc;

use logto_core::LogtoConfig;

use super::{
    coordinator::{Coordinator, SharedState},
    newest::{load_newest, open_newest},
};
use crate::{
    clock::{Clock, SystemClock},
    context::BuildError,
    error::Error,
    refresh::Refresher,
    session::ReadOnlySession,
    storage::{Handle, SessionReader},
};

/// Reads sessions with only the reading half of a storage, for a part of a program that must not change any.
///
/// [`LogtoClient::reader`](super::LogtoClient::reader) returns one that knows what its client knows: which
/// sessions have ended, and the results of this process's refreshes. It asks the shared ledger and Logto where
/// the client does. A reader that is created on its own can share the knowledge of the process through
/// [`coordinator`](Self::coordinator). It does not ask about ends that other processes know of, or that this
/// process had to forget.
///
/// Without either, a reader knows only what the storage returns. With sessions in cookies, a copy of a cookie
/// then opens until it expires, even after a sign-out or a back-channel logout, and a refreshed session shows
/// its old tokens until the browser has the new cookie. A storage on the server does not return an ended
/// session, unless it failed to remove it.
#[derive(Clone, Debug)]
pub struct LogtoReader {
    config: LogtoConfig,
    storage: Arc<dyn SessionReader>,
    pub(super) clock: Arc<dyn Clock>,
    shared: Option<Arc<SharedState>>,
    /// The refresher of the client that made this reader. It knows what is shared, and more.
    pub(super) refresher: Option<Arc<Refresher>>,
}

impl LogtoReader {
    /// Reads sessions of this application from `storage`, without the knowledge of a client.
    pub fn new(config: LogtoConfig, storage: impl SessionReader + 'static) -> Self {
        Self {
            config,
            storage: Arc::new(storage),
            clock: Arc::new(SystemClock::default()),
            shared: None,
            refresher: None,
        }
    }

    /// Sets the clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Shares what the clients of this coordinator know.
    ///
    /// # Errors
    /// [`BuildError::OtherApplication`] if they are clients of another application.
    pub fn coordinator(mut self, coordinator: &Coordinator) -> Result<Self, BuildError> {
        self.shared = Some(coordinator.shared(&self.config)?);
        Ok(self)
    }

    /// The session of a handle. `None` if no user is signed in.
    ///
    /// # Errors
    /// If the storage cannot be read. A reader of a client returns the errors of
    /// [`LogtoClient::session`](super::LogtoClient::session).
    pub async fn session(&self, handle: &Handle) -> Result<Option<ReadOnlySession>, Error> {
        self.newest_session(std::slice::from_ref(handle)).await
    }

    /// The newest of the sessions of these handles; see
    /// [`LogtoClient::newest_session`](super::LogtoClient::newest_session).
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn newest_session(
        &self,
        handles: &[Handle],
    ) -> Result<Option<ReadOnlySession>, Error> {
        let loaded = match &self.refresher {
            Some(refresher) => open_newest(refresher, handles).await?,
            // Without a client, only the knowledge of this process tells whether a session has ended.
            None => {
                let memory = self.shared.as_ref().map(|shared| &*shared.memory);
                let now = self.clock.now();
                load_newest(&*self.storage, memory, handles, now, |_| ()).await?
            }
        };
        Ok(loaded.map(|loaded| {
            ReadOnlySession::new(loaded, self.config.clone(), Arc::clone(&self.clock))
        }))
    }
}

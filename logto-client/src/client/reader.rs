//! Looking at sessions without the means to change one.

use std::sync::Arc;

use logto_core::LogtoConfig;

use super::newest::load_newest;
use crate::{
    clock::{Clock, SystemClock},
    error::Error,
    session::ReadOnlySession,
    storage::{Handle, SessionReader},
};

/// Looks at sessions with nothing but the reading half of a storage: for a part of a program that must
/// not change any.
#[derive(Clone, Debug)]
pub struct LogtoReader {
    config: LogtoConfig,
    storage: Arc<dyn SessionReader>,
    clock: Arc<dyn Clock>,
}

impl LogtoReader {
    /// Reads sessions of this application from `storage`.
    pub fn new(config: LogtoConfig, storage: impl SessionReader + 'static) -> Self {
        Self {
            config,
            storage: Arc::new(storage),
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The session of a handle; `None` when nobody is signed in.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub async fn session(&self, handle: &Handle) -> Result<Option<ReadOnlySession>, Error> {
        self.newest_session(std::slice::from_ref(handle)).await
    }

    /// The newest of the sessions that these handles find; see
    /// [`LogtoClient::newest_session`](super::LogtoClient::newest_session).
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn newest_session(
        &self,
        handles: &[Handle],
    ) -> Result<Option<ReadOnlySession>, Error> {
        let found = load_newest(&*self.storage, handles, self.clock.now(), |_, _| false).await?;
        Ok(found.map(|(handle, stored)| {
            ReadOnlySession::new(handle, stored, self.config.clone(), Arc::clone(&self.clock))
        }))
    }
}

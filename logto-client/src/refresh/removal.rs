//! Repeating removals that the storage failed to perform.

use std::{sync::Arc, time::Duration};

use super::{LoadedSession, Refresher};
use crate::{
    event::Event,
    runtime::BoxedFuture,
    storage::{Handle, StorageError},
};

/// How long to wait before a session that the storage did not remove is removed again.
const REMOVAL_PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
];

impl Refresher {
    /// Signs out a session while the storage cannot be read. Its handle is refused here from now on. As soon as
    /// the storage responds, the session is removed and its refresh token is revoked.
    pub(crate) fn end_unread(self: &Arc<Self>, handle: &Handle, error: &StorageError) {
        // A second click starts no second task.
        if self.memory.ends.mark_handle(handle, self.provider.now()) {
            self.spawn_removal(handle.clone(), false, error);
        }
    }

    /// Removes a session that has ended, and whose refresh token is being revoked, as soon as the storage
    /// responds.
    pub(super) fn remove_later(self: &Arc<Self>, handle: Handle, error: &StorageError) {
        self.spawn_removal(handle, true, error);
    }

    fn spawn_removal(self: &Arc<Self>, handle: Handle, is_revoked: bool, error: &StorageError) {
        self.provider.context.observer.on_event(&Event::NotRemoved {
            reason: error.to_string(),
        });
        let refresher = Arc::clone(self);
        let task = async move { refresher.remove_until_it_works(&handle, is_revoked).await };
        self.provider.context.runtime.spawn(task.boxed_future());
    }

    async fn remove_until_it_works(&self, handle: &Handle, mut is_revoked: bool) {
        for pause in REMOVAL_PAUSES {
            self.provider.context.runtime.sleep(pause).await;
            if !is_revoked {
                let now = self.provider.now();
                let Ok(found) = self.storage.load(handle, now).await else {
                    continue;
                };
                let Some(stored) = found else {
                    return;
                };
                let LoadedSession { mut session, .. } = LoadedSession::new(handle.clone(), stored);
                self.memory.ends.mark(&session, now);
                self.memory.ledger.catch_up(&mut session, now);
                if let Some(refresh_token) = session.refresh_token().cloned() {
                    self.provider
                        .context
                        .runtime
                        .spawn(self.revocation(refresh_token).boxed_future());
                }
                is_revoked = true;
            }
            if self.storage.remove(handle).await.is_ok() {
                return;
            }
        }
    }
}

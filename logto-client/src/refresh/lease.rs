//! The right to refresh a session, against other processes.

use std::time::Duration;

use logto_core::{AccessToken, TokenTarget, session::SessionId};

use super::{Held, Need, Persist, Refresher};
use crate::{
    error::Error,
    storage::{Handle, Lease, StorageError},
};

/// How long to wait for another process that refreshes the same session.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
pub(super) const POLL: Duration = Duration::from_millis(50);

/// What came of waiting.
pub(super) enum Leased {
    Ours(HeldLease),
    /// Whoever had the right has fetched the token.
    Served(AccessToken),
}

/// A lease with the place that gave it.
pub(super) enum HeldLease {
    Storage(Handle, Lease),
    Ledger(SessionId, Lease),
}

impl HeldLease {
    /// Whether other processes could have had it.
    fn is_shared(&self) -> bool {
        let (Self::Storage(_, lease) | Self::Ledger(_, lease)) = self;
        lease.token().is_some()
    }
}

impl Refresher {
    /// Waits for the right to refresh.
    pub(super) async fn lease(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Result<Leased, Error> {
        let started = self.provider.clock.monotonic();
        loop {
            if let Some(lease) = self.try_lease(held).await? {
                // Whoever held it before us may have refreshed since we looked.
                let reloaded = if lease.is_shared() {
                    self.reload(held, target).await
                } else {
                    Ok(())
                };
                let served = match reloaded {
                    Ok(()) => self.at_hand(held, target, need, persist).await.map(Ok),
                    Err(error) => Some(Err(error)),
                };
                let Some(served) = served else {
                    return Ok(Leased::Ours(lease));
                };
                self.release(lease).await;
                return served.map(Leased::Served);
            }
            if self.provider.clock.monotonic().saturating_sub(started) > PATIENCE {
                return Err(Error::Busy);
            }
            self.provider.runtime.sleep(POLL).await;
            self.reload(held, target).await?;
            if let Some(token) = self.at_hand(held, target, need, persist).await {
                return Ok(Leased::Served(token));
            }
        }
    }

    /// The lease, of the storage or, where that has none to share, of the shared ledger; `None` while
    /// another process has it.
    pub(super) async fn try_lease(&self, held: &Held) -> Result<Option<HeldLease>, StorageError> {
        let ttl = self.lease_time();
        let Some(lease) = self.storage.lease(&held.handle, ttl).await? else {
            return Ok(None);
        };
        if let (None, Some(ledger)) = (lease.token(), &self.shared_ledger) {
            let session = held.session.id();
            // A ledger that fails is as good as none.
            if let Ok(lease) = ledger.lease(session, ttl).await {
                return Ok(lease.map(|lease| HeldLease::Ledger(session.clone(), lease)));
            }
        }
        Ok(Some(HeldLease::Storage(held.handle.clone(), lease)))
    }

    /// A lease outlives everything that can happen under it: waiting for a place, the calls to the token
    /// endpoint, waiting for a place and the call for keys, and the writes.
    fn lease_time(&self) -> Duration {
        self.provider.limits.request_timeout * (1 + 3 + 2) + PATIENCE
    }

    /// Gives a lease back. One that cannot be given back ends with its time.
    pub(super) async fn release(&self, lease: HeldLease) {
        let _ = match (lease, &self.shared_ledger) {
            (HeldLease::Storage(handle, lease), _) => self.storage.release(&handle, lease).await,
            (HeldLease::Ledger(session, lease), Some(ledger)) => {
                ledger.release(&session, lease).await
            }
            (HeldLease::Ledger(..), None) => Ok(()),
        };
    }
}

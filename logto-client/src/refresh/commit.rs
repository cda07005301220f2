//! Making what a refresh brought last.

use logto_core::{Secret, Session, TokenTarget, session::SessionDelta};

use super::{Held, Persist, Refresher};
use crate::{
    error::{Error, SessionEnd},
    event::Event,
    storage::{Replaced, StorageError, Stored},
};

/// How often a write is repeated after a storage failed or somebody else was faster.
const WRITE_ATTEMPTS: u32 = 4;

impl Refresher {
    /// Makes a change last: in the ledger, which cannot fail, for others, and in the storage.
    pub(super) async fn commit(
        &self,
        held: &mut Held,
        spent: Option<&Secret>,
        delta: &SessionDelta,
        persist: Persist,
    ) -> Result<(), Error> {
        if delta.is_empty() {
            return Ok(());
        }
        if let Some(spent) = spent {
            self.shared.ledger.record(spent, delta, self.provider.now());
            if let Some(shared) = &self.shared_ledger {
                shared.record(held.session.id(), spent, delta).await;
            }
        }
        held.session.apply(delta);
        if self.is_logged_out(&held.session) {
            // That came while the answer was under way; a storage in cookies would not notice. A
            // sign-out here waits for its turn instead, and revokes what this has brought.
            return Err(self.discard(held));
        }
        match persist {
            Persist::Stored => self.store(held, delta).await,
            Persist::LedgerOnly => Ok(()),
        }
    }

    /// Writes the session; merges with whoever was faster; gives way to a removal.
    async fn store(&self, held: &mut Held, delta: &SessionDelta) -> Result<(), Error> {
        for attempt in 1..=WRITE_ATTEMPTS {
            let now = self.provider.now();
            match self
                .storage
                .replace(&held.handle, held.version, &held.session, now)
                .await
            {
                Ok(Replaced::Stored { handle, version }) => {
                    held.handle = handle;
                    held.version = version;
                    return Ok(());
                }
                Ok(Replaced::Conflict(Stored {
                    mut session,
                    version,
                })) => {
                    session.apply(delta);
                    held.session = session;
                    held.version = version;
                }
                Ok(Replaced::Gone) => return Err(self.discard(held)),
                Err(StorageError::Unavailable(_)) if attempt < WRITE_ATTEMPTS => {
                    self.provider.runtime.sleep(self.jitter(attempt)).await;
                }
                Err(error) => {
                    self.not_stored(&held.session, &error);
                    return Ok(());
                }
            }
        }
        self.not_stored(
            &held.session,
            &StorageError::Misconfigured("every write was a conflict".to_owned()),
        );
        Ok(())
    }

    /// Gives way to a removal: what the refresh brought is revoked.
    fn discard(&self, held: &Held) -> Error {
        self.revoke(held.session.refresh_token().cloned());
        self.ended(held.session.id(), SessionEnd::Removed)
    }

    fn not_stored(&self, session: &Session, error: &StorageError) {
        self.provider.observer.on_event(&Event::NotStored {
            session: session.id().clone(),
            reason: error.to_string(),
        });
    }

    /// Writes what the ledger knows and the storage does not; a failure is no loss, as the ledger
    /// still knows it.
    pub(crate) async fn write_back(&self, held: &mut Held) {
        let now = self.provider.now();
        let written = self
            .storage
            .replace(&held.handle, held.version, &held.session, now)
            .await;
        match written {
            Ok(Replaced::Stored { handle, version }) => {
                held.handle = handle;
                held.version = version;
                held.ahead = false;
            }
            Ok(Replaced::Conflict(Stored {
                mut session,
                version,
            })) => {
                held.ahead = self.shared.ledger.catch_up(&mut session, now);
                held.session = session;
                held.version = version;
            }
            Ok(Replaced::Gone) => {}
            Err(error) => self.not_stored(&held.session, &error),
        }
    }

    /// Forgets an access token, here and in the storage.
    pub(crate) async fn forget(&self, held: &mut Held, target: &TokenTarget) -> Result<(), Error> {
        let _turn = self.shared.turns.take(held.session.id().clone()).await;
        self.reload(held, target).await?;
        if let Some(refresh_token) = held.session.refresh_token() {
            self.shared.ledger.forget_token(refresh_token, target);
        }
        if let Some(shared) = &self.shared_ledger {
            shared.forget_access_token(held.session.id(), target).await;
        }
        let mut delta = SessionDelta::default();
        delta.forgotten.push(target.clone());
        held.session.apply(&delta);
        self.store(held, &delta).await
    }
}

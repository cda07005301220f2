//! The end of a session: by the provider's word, by a sign-out here, by back-channel logout.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use logto_core::{Secret, Session, UnixTime, session::SessionId};

use super::{
    Held, Persist, Refresher,
    lease::{PATIENCE, POLL},
};
use crate::{
    error::{Error, SessionEnd},
    event::Event,
    storage::{Handle, SessionOwner, StorageError, Stored},
};

/// How long a session that ended is refused by name. Its cookie may have been copied; whoever needs more
/// than that keeps sessions in a store on the server.
const OVER_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long to wait before a session that the storage did not remove is removed again.
const REMOVAL_PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
];

/// Whether a sign-out waits until the refresh token is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Revocation {
    InBackground,
    Awaited,
}

impl Refresher {
    /// The provider's word that a session is over.
    pub(super) async fn refused(&self, held: &Held, persist: Persist) -> Error {
        if persist == Persist::Stored {
            // A record that cannot be removed ends at its next use, by the same word.
            let _ = self.storage.remove(&held.handle).await;
        }
        self.ended(held.session.id(), SessionEnd::RefreshTokenRefused)
    }

    /// Signs a session out, also when the caller does not wait for it: it is refused here from now on,
    /// removed, and its newest refresh token is revoked.
    pub(crate) async fn end(
        self: &Arc<Self>,
        held: Held,
        revocation: Revocation,
    ) -> Result<(), Error> {
        let key = (held.session.id().clone(), revocation);
        let ending = self.shared.endings.join(&*self.provider.runtime, key, || {
            let refresher = Arc::clone(self);
            async move { refresher.end_now(held, revocation).await }.boxed()
        });
        ending.await
    }

    async fn end_now(
        self: &Arc<Self>,
        mut held: Held,
        revocation: Revocation,
    ) -> Result<(), Error> {
        self.sign_out(&mut held).await;
        let stored = self.storage.load(&held.handle, self.provider.now()).await;
        let newest = match stored {
            Ok(Some(stored)) if stored.session.changed_at() > held.session.changed_at() => {
                stored.session
            }
            _ => held.session,
        };
        let removed = self.storage.remove(&held.handle).await;
        if let Err(error) = &removed {
            self.tell_not_removed(error);
            let (refresher, handle) = (Arc::clone(self), held.handle);
            let task = async move { refresher.remove_until_it_works(&handle, true).await };
            self.provider.runtime.spawn(task.boxed());
        }
        let refresh_token = newest.refresh_token().cloned();
        match revocation {
            Revocation::InBackground => self.revoke(refresh_token),
            Revocation::Awaited => self.revoke_now(refresh_token).await,
        }
        Ok(removed?)
    }

    /// Signs out a session that the storage cannot be asked about. Its handle is refused here from now on;
    /// as soon as the storage answers, the session is removed and its refresh token revoked.
    pub(crate) fn end_unread(self: &Arc<Self>, handle: &Handle, error: &StorageError) {
        let now = self.provider.now();
        let until = now.plus(OVER_LIFETIME);
        let ended = &self.shared.ended_handles;
        // A user who clicks again starts no second task.
        if !ended.insert(handle.clone(), (), until, now) {
            return;
        }
        self.tell_not_removed(error);
        let (refresher, handle) = (Arc::clone(self), handle.clone());
        let task = async move { refresher.remove_until_it_works(&handle, false).await };
        self.provider.runtime.spawn(task.boxed());
    }

    /// Whether a session, or the handle that found it, has ended in this process.
    pub(crate) fn has_ended(&self, handle: &Handle, session: &Session) -> bool {
        self.shared.has_ended(handle, session, self.provider.now())
    }

    async fn remove_until_it_works(&self, handle: &Handle, mut is_revoked: bool) {
        for pause in REMOVAL_PAUSES {
            self.provider.runtime.sleep(pause).await;
            if !is_revoked {
                let now = self.provider.now();
                let Ok(found) = self.storage.load(handle, now).await else {
                    continue;
                };
                let Some(Stored { mut session, .. }) = found else {
                    return;
                };
                self.mark_over(session.id());
                self.shared.ledger.catch_up(&mut session, now);
                self.revoke(session.refresh_token().cloned());
                is_revoked = true;
            }
            if self.storage.remove(handle).await.is_ok() {
                return;
            }
        }
    }

    fn tell_not_removed(&self, error: &StorageError) {
        self.provider.observer.on_event(&Event::NotRemoved {
            reason: error.to_string(),
        });
    }

    /// Ends a session for good in this process and waits for a refresh under way, so that `held` has
    /// its last refresh token.
    pub(crate) async fn sign_out(&self, held: &mut Held) {
        self.mark_over(held.session.id());
        let _turn = self.shared.turns.take(held.session.id().clone()).await;
        self.shared
            .ledger
            .catch_up(&mut held.session, self.provider.now());
        if let Some(refresh_token) = held.session.refresh_token() {
            self.shared.ledger.forget(refresh_token);
        }
    }

    /// Removes a session that a new sign-in of the same browser has replaced. Its refresh token is not
    /// revoked: Logto may have given the new session the same grant, which would go along.
    pub(crate) async fn retire(&self, held: &mut Held) {
        self.sign_out(held).await;
        // Not while another process refreshes it: that one would revoke what it got.
        let started = self.provider.clock.monotonic();
        let patient = || self.provider.clock.monotonic().saturating_sub(started) <= PATIENCE;
        loop {
            match self.try_lease(held).await {
                Ok(Some(lease)) => {
                    // The new session is there; an old one that cannot be removed ends by its age.
                    let _ = self.storage.remove(&held.handle).await;
                    self.release(lease).await;
                    return;
                }
                Ok(None) if patient() => self.provider.runtime.sleep(POLL).await,
                _ => return,
            }
        }
    }

    /// Whether a session has ended in this process.
    pub(crate) fn is_over(&self, session: &Session) -> bool {
        self.shared.is_over(session, self.provider.now())
    }

    /// Whether the provider has told this process that the user signed out elsewhere.
    pub(super) fn is_logged_out(&self, session: &Session) -> bool {
        self.shared.is_logged_out(session, self.provider.now())
    }

    /// Ends all sessions of a user or of a session at the provider that began until `at`, and says how
    /// many the storage knew.
    pub(crate) async fn log_out(
        &self,
        whose: SessionOwner,
        at: UnixTime,
    ) -> Result<Option<u64>, Error> {
        let now = self.provider.now();
        self.shared
            .logged_out
            .insert(whose.clone(), at, now.plus(OVER_LIFETIME), now);
        Ok(self.storage.remove_all(&whose).await?)
    }

    fn mark_over(&self, session: &SessionId) -> bool {
        let now = self.provider.now();
        self.shared
            .over
            .insert(session.clone(), (), now.plus(OVER_LIFETIME), now)
    }

    pub(super) fn ended(&self, session: &SessionId, reason: SessionEnd) -> Error {
        if self.mark_over(session) {
            self.provider.observer.on_event(&Event::SessionEnded {
                session: session.clone(),
                reason,
            });
        }
        Error::SessionEnded(reason)
    }

    /// Revokes a refresh token in the background. Nobody waits for it and nobody is hurt if it fails.
    pub(crate) fn revoke(&self, refresh_token: Option<Secret>) {
        let Some(refresh_token) = refresh_token else {
            return;
        };
        let task = self.revocation(refresh_token).boxed();
        self.provider.runtime.spawn(task);
    }

    async fn revoke_now(&self, refresh_token: Option<Secret>) {
        if let Some(refresh_token) = refresh_token {
            self.revocation(refresh_token).await;
        }
    }

    fn revocation(&self, refresh_token: Secret) -> impl Future<Output = ()> + use<> {
        self.shared.ledger.forget(&refresh_token);
        let provider = Arc::clone(&self.provider);
        async move {
            if let Err(error) = provider.revoke(refresh_token).await {
                provider.observer.on_event(&Event::NotRevoked {
                    reason: error.to_string(),
                });
            }
        }
    }
}

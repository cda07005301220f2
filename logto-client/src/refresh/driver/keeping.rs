//! The actions that keep a session: in the storage, in the ledgers, and under a lease.

use std::{sync::Arc, time::Duration};

use logto_core::{
    Secret, Session, TokenTarget,
    refresh::{Event, Knowledge, LEASE_TTL, LeaseGrant, LeaseRun},
    session::SessionDelta,
};

use super::Driver;
use crate::{
    error::Error,
    ledger,
    single_flight::lock,
    storage::{Handle, Lease, Replaced, StorageError},
};

/// How long it is remembered when a lease was given back: longer than that matters.
const RUN_KEPT_FOR: Duration = Duration::from_secs(2);

/// A lease with the place that granted it.
pub(super) enum HeldLease {
    Storage(Handle, Lease),
    /// With its key in the store of the shared ledger.
    Ledger(String, Lease),
}

impl HeldLease {
    fn lease(&self) -> &Lease {
        let (Self::Storage(_, lease) | Self::Ledger(_, lease)) = self;
        lease
    }

    /// Whether other processes compete for it.
    fn is_shared(&self) -> bool {
        self.lease().token().is_some()
    }

    fn copy(&self) -> Self {
        match self {
            Self::Storage(handle, lease) => Self::Storage(handle.clone(), lease.copy()),
            Self::Ledger(key, lease) => Self::Ledger(key.clone(), lease.copy()),
        }
    }
}

/// Storage and ledgers.
impl Driver<'_> {
    pub(super) async fn load(&self) -> Event<Error> {
        let (handle, _) = self.position();
        let now = self.refresher.provider.now();
        match self.refresher.storage.load(&handle, now).await {
            Ok(Some(stored)) => {
                lock(&self.position).1 = stored.version;
                Event::Loaded(stored.session)
            }
            Ok(None) => Event::Gone,
            Err(error) => Event::Failed(error.into()),
        }
    }

    pub(super) async fn recall(
        &self,
        refresh_token: Secret,
        missing: Option<TokenTarget>,
    ) -> Event<Error> {
        let (memory, now) = (&self.refresher.memory, self.refresher.provider.now());
        let id = self.subject.id();
        let refusal = |target| memory.refusals.get(&(id.clone(), target), now);
        let mut knowledge = Knowledge {
            deltas: memory.ledger.successors(&refresh_token, now),
            has_ended: memory.ends.include_session(&self.subject, now),
            status: memory
                .statuses
                .get(&ledger::fingerprint(&refresh_token), now),
            pause: refusal(None),
            refusal: missing.clone().and_then(|target| refusal(Some(target))),
            is_partial: false,
        };
        if let Some(shared) = &self.refresher.shared_ledger {
            let successor = shared.successor(&refresh_token).await;
            knowledge.is_partial = successor.is_err();
            let mut news = Vec::from_iter(successor.ok().flatten());
            if let Some(target) = &missing {
                news.extend(shared.access_token(id, target).await.ok().flatten());
            }
            for delta in &news {
                memory.ledger.record(&refresh_token, delta, now);
            }
            knowledge.deltas.extend(news);
        }
        Event::Recalled(knowledge)
    }

    pub(super) async fn record(&self, spent: Secret, delta: SessionDelta) -> Event<Error> {
        let (memory, provider) = (&self.refresher.memory, &self.refresher.provider);
        memory.ledger.record(&spent, &delta, provider.now());
        for target in &delta.forgotten {
            memory.ledger.forget_token(&spent, target);
        }
        let mut is_shared = true;
        if let Some(shared) = &self.refresher.shared_ledger {
            let id = self.subject.id();
            is_shared = shared.record(id, &spent, &delta).await;
            for target in &delta.forgotten {
                shared.forget_access_token(id, target).await;
            }
        }
        Event::Recorded {
            has_ended: memory
                .ends
                .overtake_refresh_of(&self.subject, provider.now()),
            is_shared,
        }
    }

    pub(super) async fn store(&self, session: Arc<Session>) -> Event<Error> {
        let (handle, version) = self.position();
        let now = self.refresher.provider.now();
        let storage = &self.refresher.storage;
        match storage.replace(&handle, version, &session, now).await {
            Ok(Replaced::Stored { handle, version }) => {
                *lock(&self.position) = (handle, version);
                self.release_kept_lease().await;
                Event::Stored
            }
            Ok(Replaced::Conflict(stored)) => {
                lock(&self.position).1 = stored.version;
                Event::Conflict(stored.session)
            }
            Ok(Replaced::Gone) => Event::Gone,
            Err(error) => Event::StoreFailed {
                is_transient: matches!(error, StorageError::Unavailable(_)),
                failure: error.into(),
            },
        }
    }

    pub(super) async fn remove(&self) -> Event<Error> {
        let (handle, _) = self.position();
        match self.refresher.storage.remove(&handle).await {
            Ok(()) => {
                // A storage drops its lease along with the session, a ledger does not.
                if matches!(*lock(&self.lease), Some(HeldLease::Ledger(..))) {
                    self.release().await;
                }
                Event::Removed
            }
            Err(error) => Event::Failed(error.into()),
        }
    }
}

/// Leases, of the storage or, where that has none to share, of the shared ledger.
impl Driver<'_> {
    pub(super) async fn take_lease(&self, ttl: Duration) -> Event<Error> {
        self.give_way().await;
        let storage = &self.refresher.storage;
        if let Some((handle, lease)) = self.take_kept_lease() {
            if let Ok(true) = storage.renew(&handle, &lease, ttl).await {
                return self.leased(HeldLease::Storage(handle, lease));
            }
        }
        let (handle, _) = self.position();
        let lease = match storage.lease(&handle, ttl).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Event::Busy,
            Err(error) => return Event::Failed(error.into()),
        };
        if let (None, Some(ledger)) = (lease.token(), &self.refresher.shared_ledger) {
            match ledger.lease(self.subject.id(), ttl).await {
                Ok(Some((key, lease))) => return self.leased(HeldLease::Ledger(key, lease)),
                Ok(None) => return Event::Busy,
                // A ledger that fails is as good as none.
                Err(_) => {}
            }
        }
        self.leased(HeldLease::Storage(handle, lease))
    }

    /// Lets other processes take the lease, if this one had it for long.
    async fn give_way(&self) {
        let (provider, memory) = (&self.refresher.provider, &self.refresher.memory);
        let run = memory
            .lease_runs
            .get(self.subject.id(), self.refresher.monotonic());
        let now = provider.context.clock.monotonic();
        let pause = run.map_or(Duration::ZERO, |run| run.pause(now));
        if !pause.is_zero() {
            provider.context.runtime.sleep(pause).await;
        }
        *lock(&self.asked_at) = provider.context.clock.monotonic();
    }

    /// Notes that a shared lease is free for other processes.
    fn note_release(&self) {
        let refresher = self.refresher;
        let (id, runs) = (self.subject.id(), &refresher.memory.lease_runs);
        let (asked_at, now) = (*lock(&self.asked_at), refresher.monotonic());
        let released_at = refresher.provider.context.clock.monotonic();
        let run = LeaseRun::released(runs.get(id, now), asked_at, released_at);
        runs.insert(id.clone(), run, now.plus(RUN_KEPT_FOR), now);
    }

    fn leased(&self, held: HeldLease) -> Event<Error> {
        let is_shared = held.is_shared();
        let grant = LeaseGrant {
            is_shared,
            is_exclusive: is_shared && matches!(held, HeldLease::Ledger(..)),
            was_taken_over: held.lease().was_taken_over(),
        };
        *lock(&self.lease) = Some(held);
        Event::Leased(grant)
    }

    pub(super) async fn renew(&self, ttl: Duration) -> Event<Error> {
        // A copy: the job may end meanwhile and give the lease back, or take another one.
        let Some(held) = lock(&self.lease).as_ref().map(HeldLease::copy) else {
            return Event::Renewed(None);
        };
        let renewed = match (&held, &self.refresher.shared_ledger) {
            (HeldLease::Storage(handle, lease), _) => {
                self.refresher.storage.renew(handle, lease, ttl).await.ok()
            }
            (HeldLease::Ledger(key, lease), Some(ledger)) => {
                lease.renew(&*ledger.store, key, ttl).await.ok()
            }
            (HeldLease::Ledger(..), None) => None,
        };
        Event::Renewed(renewed)
    }

    /// Gives the lease back. One that cannot be given back ends with its time.
    pub(super) async fn release(&self) -> Event<Error> {
        let held = lock(&self.lease).take();
        let is_shared = held.as_ref().is_some_and(HeldLease::is_shared);
        let _ = match (held, &self.refresher.shared_ledger) {
            (Some(HeldLease::Storage(handle, lease)), _) => {
                self.refresher.storage.release(&handle, lease).await
            }
            (Some(HeldLease::Ledger(key, lease)), Some(ledger)) => {
                lease.release(&*ledger.store, &key).await
            }
            (Some(HeldLease::Ledger(..)) | None, _) => Ok(()),
        };
        if is_shared {
            self.note_release();
        }
        Event::Released
    }

    /// Keeps a lease that the job which had it did not give back, for later jobs of this process.
    pub(super) fn keep_lease(&self) {
        let held = lock(&self.lease).take();
        if let Some(HeldLease::Storage(handle, lease)) = held {
            if lease.token().is_some() {
                self.keep(handle, lease);
            }
        }
    }

    fn keep(&self, handle: Handle, lease: Lease) {
        let now = self.refresher.provider.now();
        let (id, until) = (self.subject.id().clone(), now.plus(LEASE_TTL));
        let kept_leases = &self.refresher.memory.kept_leases;
        kept_leases.insert(id, (handle, lease), until, now);
    }

    fn take_kept_lease(&self) -> Option<(Handle, Lease)> {
        self.refresher.memory.kept_leases.remove(self.subject.id())
    }

    /// The storage has the newest refresh token that this process knows.
    async fn release_kept_lease(&self) {
        match self.take_kept_lease() {
            // The holder before may have spent that token, and may still be alive. Only a lease that runs out makes
            // the next holder ask the provider.
            Some((handle, lease)) if lease.was_taken_over() => self.keep(handle, lease),
            Some((handle, lease)) => {
                // One that cannot be given back ends with its time.
                let _ = self.refresher.storage.release(&handle, lease).await;
            }
            None => {}
        }
    }
}

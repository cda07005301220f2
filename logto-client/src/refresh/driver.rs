//! Performs what the machines ask for: one loop, one function for each action.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};
use logto_core::{
    Exchange, Secret, Session,
    error::{Endpoint, TokenError},
    grants::RefreshTokens,
    jwt::KeySet,
    refresh::{
        Action, Attempt, Event, IdTokenCheck, Knowledge, LeaseGrant, NEWEST_FOR, Notice,
        SessionJob, Step, TokenStatus,
    },
    session::SessionDelta,
};

use super::{LoadedSession, Refresher};
use crate::{
    cooldown::Admitted,
    error::Error,
    event::Event as Observed,
    http::TransportError,
    ledger,
    provider::{Patience, Permit},
    single_flight::lock,
    storage::{Handle, Lease, Replaced, StorageError, Version},
};

/// How long a refresh token is known not to be the newest.
const REPLACED_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Runs jobs on one session.
pub(super) struct Driver<'a> {
    refresher: &'a Refresher,
    /// The session when the job began: who it is does not change.
    subject: Arc<Session>,
    position: Mutex<(Handle, Version)>,
    lease: Mutex<Option<HeldLease>>,
    /// Kept from the first attempt to the last, so that a replay does not have to wait for another.
    permit: tokio::sync::Mutex<Option<Permit<'a>>>,
    judged_with: Mutex<Option<Arc<KeySet>>>,
}

/// A lease with the place that granted it.
enum HeldLease {
    Storage(Handle, Lease),
    Ledger(Lease),
}

impl<'a> Driver<'a> {
    pub(super) fn new(refresher: &'a Refresher, loaded: &LoadedSession) -> Self {
        Self {
            refresher,
            subject: Arc::clone(&loaded.session),
            position: Mutex::new((loaded.handle.clone(), loaded.version)),
            lease: Mutex::default(),
            permit: tokio::sync::Mutex::default(),
            judged_with: Mutex::default(),
        }
    }

    /// The session as a job left it, with where it is stored now.
    pub(super) fn into_loaded(
        self,
        session: Arc<Session>,
        needs_write_back: bool,
    ) -> LoadedSession {
        let (handle, version) = self.position();
        LoadedSession {
            handle,
            session,
            version,
            needs_write_back,
        }
    }

    /// Performs the actions of a job until it is done.
    pub(super) async fn drive<J: SessionJob<Error>>(&self, mut job: J) -> J::Output {
        let mut under_way = FuturesUnordered::new();
        loop {
            match job.poll(self.refresher.provider.moment()) {
                Step::Done(output) => return output,
                Step::Perform(action) => under_way.extend(self.perform(action)),
                Step::Wait { until } => {
                    let event = self.next_event(&mut under_way, until).await;
                    job.handle(event, self.refresher.provider.moment());
                }
            }
        }
    }

    /// What happens first: an action ends, or the time comes.
    async fn next_event(
        &self,
        under_way: &mut FuturesUnordered<BoxFuture<'_, Event<Error>>>,
        until: Option<Duration>,
    ) -> Event<Error> {
        let provider = &self.refresher.provider;
        let next = under_way.next().map(|event| event.unwrap_or(Event::Time));
        let Some(until) = until else {
            return next.await;
        };
        let sleep = provider
            .runtime
            .sleep(until.saturating_sub(provider.clock.monotonic()));
        if under_way.is_empty() {
            sleep.await;
            return Event::Time;
        }
        match select(under_way.next(), sleep).await {
            Either::Left((event, _)) => event.unwrap_or(Event::Time),
            Either::Right(_) => Event::Time,
        }
    }

    /// Begins an action; `None` if nothing answers it.
    fn perform<'b>(&'b self, action: Action<Error>) -> Option<BoxFuture<'b, Event<Error>>> {
        Some(match action {
            Action::Load => self.load().boxed(),
            Action::Recall {
                refresh_token,
                missing,
            } => self.recall(refresh_token, missing).boxed(),
            Action::Prepare => self.prepare().boxed(),
            Action::Lease { ttl } => self.take_lease(ttl).boxed(),
            Action::Renew { ttl } => self.renew(ttl).boxed(),
            Action::Release => self.release().boxed(),
            Action::Ask { token } => self.ask(token).boxed(),
            Action::Send {
                exchange,
                attempt,
                start_by,
            } => self.send(exchange, attempt, start_by).boxed(),
            Action::BackOff { attempt } => self.back_off(attempt).boxed(),
            Action::Judge(check) => std::future::ready(self.judge(&check)).boxed(),
            Action::FetchKeys => self.fetch_keys().boxed(),
            Action::Record { spent, delta } => self.record(spent, delta).boxed(),
            Action::Store { session } => self.store(session).boxed(),
            Action::Remove => self.remove().boxed(),
            Action::Revoke { refresh_token } => self
                .refresher
                .revocation(refresh_token)
                .map(|()| Event::Revoked)
                .boxed(),
            background => {
                self.perform_in_background(background);
                return None;
            }
        })
    }

    fn perform_in_background(&self, action: Action<Error>) {
        let refresher = self.refresher;
        let now = refresher.provider.now();
        let memory = &refresher.memory;
        match action {
            Action::RevokeLater { refresh_token } => {
                let task = refresher.revocation(refresh_token).boxed();
                refresher.provider.runtime.spawn(task);
            }
            Action::Note {
                refresh_token,
                status,
            } => {
                let lifetime = match status {
                    TokenStatus::Newest { .. } => NEWEST_FOR,
                    TokenStatus::Replaced { .. } => REPLACED_LIFETIME,
                };
                let key = ledger::fingerprint(&refresh_token);
                memory.statuses.insert(key, status, now.plus(lifetime), now);
            }
            Action::Remember {
                target,
                error,
                lifetime,
            } => {
                let key = (self.subject.id().clone(), target);
                memory.refusals.insert(key, error, now.plus(lifetime), now);
            }
            Action::MarkEnded(end) => refresher.mark_ended(self.subject.id(), end),
            Action::Tell(notice) => self.tell(notice),
            // Every other action has an answer, and is performed above.
            _ => {}
        }
    }
}

/// Storage and ledgers.
impl Driver<'_> {
    fn position(&self) -> (Handle, Version) {
        lock(&self.position).clone()
    }

    async fn load(&self) -> Event<Error> {
        let (handle, _) = self.position();
        let now = self.refresher.provider.now();
        match self.refresher.storage.load(&handle, now).await {
            Ok(Some(stored)) => {
                lock(&self.position).1 = stored.version;
                Event::Loaded(Arc::new(stored.session))
            }
            Ok(None) => Event::Gone,
            Err(error) => Event::Failed(error.into()),
        }
    }

    async fn recall(
        &self,
        refresh_token: Secret,
        missing: Option<logto_core::TokenTarget>,
    ) -> Event<Error> {
        let (memory, now) = (&self.refresher.memory, self.refresher.provider.now());
        let id = self.subject.id();
        let refusal = |target| memory.refusals.get(&(id.clone(), target), now);
        let mut knowledge = Knowledge {
            deltas: memory.ledger.successors(&refresh_token, now),
            has_ended: memory.session_has_ended(&self.subject, now),
            status: memory
                .statuses
                .get(&ledger::fingerprint(&refresh_token), now),
            refusal: refusal(None).or_else(|| refusal(missing.clone())),
        };
        if let Some(shared) = &self.refresher.shared_ledger {
            let mut news = Vec::from_iter(shared.successor(&refresh_token).await);
            if let Some(target) = &missing {
                news.extend(shared.access_token(id, target).await);
            }
            for delta in &news {
                memory.ledger.record(&refresh_token, delta, now);
            }
            knowledge.deltas.extend(news);
        }
        Event::Recalled(knowledge)
    }

    async fn record(&self, spent: Secret, delta: SessionDelta) -> Event<Error> {
        let (memory, provider) = (&self.refresher.memory, &self.refresher.provider);
        memory.ledger.record(&spent, &delta, provider.now());
        for target in &delta.forgotten {
            memory.ledger.forget_token(&spent, target);
        }
        if let Some(shared) = &self.refresher.shared_ledger {
            let id = self.subject.id();
            shared.record(id, &spent, &delta).await;
            for target in &delta.forgotten {
                shared.forget_access_token(id, target).await;
            }
        }
        Event::Recorded {
            has_ended: memory.overtakes(&self.subject, provider.now()),
        }
    }

    async fn store(&self, session: Arc<Session>) -> Event<Error> {
        let (handle, version) = self.position();
        let now = self.refresher.provider.now();
        let storage = &self.refresher.storage;
        match storage.replace(&handle, version, &session, now).await {
            Ok(Replaced::Stored { handle, version }) => {
                *lock(&self.position) = (handle, version);
                Event::Stored
            }
            Ok(Replaced::Conflict(stored)) => {
                lock(&self.position).1 = stored.version;
                Event::Conflict(Arc::new(stored.session))
            }
            Ok(Replaced::Gone) => Event::Gone,
            Err(error) => Event::StoreFailed {
                is_transient: matches!(error, StorageError::Unavailable(_)),
                failure: error.into(),
            },
        }
    }

    async fn remove(&self) -> Event<Error> {
        let (handle, _) = self.position();
        match self.refresher.storage.remove(&handle).await {
            Ok(()) => {
                // A storage drops its lease along with the session, a ledger does not.
                if matches!(*lock(&self.lease), Some(HeldLease::Ledger(_))) {
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
    async fn take_lease(&self, ttl: Duration) -> Event<Error> {
        let (handle, _) = self.position();
        let lease = match self.refresher.storage.lease(&handle, ttl).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Event::Busy,
            Err(error) => return Event::Failed(error.into()),
        };
        if let (None, Some(ledger)) = (lease.token(), &self.refresher.shared_ledger) {
            match ledger.lease(self.subject.id(), ttl).await {
                Ok(Some(lease)) => return self.leased(HeldLease::Ledger(lease)),
                Ok(None) => return Event::Busy,
                // A ledger that fails is as good as none.
                Err(_) => {}
            }
        }
        self.leased(HeldLease::Storage(handle, lease))
    }

    fn leased(&self, held: HeldLease) -> Event<Error> {
        let (HeldLease::Storage(_, lease) | HeldLease::Ledger(lease)) = &held;
        let is_shared = lease.token().is_some();
        let grant = LeaseGrant {
            is_shared,
            is_exclusive: is_shared && matches!(held, HeldLease::Ledger(_)),
            was_taken_over: lease.was_taken_over(),
        };
        *lock(&self.lease) = Some(held);
        Event::Leased(grant)
    }

    async fn renew(&self, ttl: Duration) -> Event<Error> {
        let Some(held) = lock(&self.lease).take() else {
            return Event::Renewed(None);
        };
        let renewed = match (&held, &self.refresher.shared_ledger) {
            (HeldLease::Storage(handle, lease), _) => {
                self.refresher.storage.renew(handle, lease, ttl).await.ok()
            }
            (HeldLease::Ledger(lease), Some(ledger)) => {
                ledger.renew(self.subject.id(), lease, ttl).await.ok()
            }
            (HeldLease::Ledger(_), None) => None,
        };
        *lock(&self.lease) = Some(held);
        Event::Renewed(renewed)
    }

    /// Gives the lease back. One that cannot be given back ends with its time.
    async fn release(&self) -> Event<Error> {
        let held = lock(&self.lease).take();
        let _ = match (held, &self.refresher.shared_ledger) {
            (Some(HeldLease::Storage(handle, lease)), _) => {
                self.refresher.storage.release(&handle, lease).await
            }
            (Some(HeldLease::Ledger(lease)), Some(ledger)) => {
                ledger.release(self.subject.id(), lease).await
            }
            (Some(HeldLease::Ledger(_)) | None, _) => Ok(()),
        };
        Event::Released
    }
}

/// The provider.
impl Driver<'_> {
    async fn prepare(&self) -> Event<Error> {
        let provider = &self.refresher.provider;
        let prepared = async {
            let metadata = provider.metadata().await?;
            // Before the refresh token is spent, so that a failure costs nothing.
            provider.keys().await?;
            Ok(metadata)
        };
        prepared.await.map_or_else(Event::Failed, Event::Prepared)
    }

    async fn ask(&self, token: Secret) -> Event<Error> {
        match self.refresher.provider.introspect(token).await {
            Ok(introspection) if introspection.active => Event::Active,
            Ok(_) => Event::Inactive,
            Err(error) if error.advice().is_retry() => {
                let now = self.refresher.provider.now();
                self.refresher.memory.cooldown.learn(&error, now);
                Event::Failed(error)
            }
            Err(_) => Event::Unanswered,
        }
    }

    async fn send(
        &self,
        exchange: RefreshTokens,
        attempt: Attempt,
        start_by: Option<Duration>,
    ) -> Event<Error> {
        let provider = &self.refresher.provider;
        let admitted = match self.admit(attempt) {
            Ok(admitted) => admitted,
            Err(error) => return Event::Withheld(error),
        };
        let sent = async {
            let mut permit = self.permit.lock().await;
            let permit = match &mut *permit {
                Some(permit) => permit,
                none => match provider.permit(Endpoint::Token).await {
                    Ok(permit) => none.insert(permit),
                    Err(error) => return Event::NotSent(error),
                },
            };
            let sent_at = provider.clock.monotonic();
            if start_by.is_some_and(|start_by| sent_at >= start_by) {
                return Event::TooLate;
            }
            let request = exchange.request();
            let response = provider
                .send_from(permit, Patience::Listen, Endpoint::Token, request)
                .await;
            match response {
                Ok(response) => Event::Response {
                    answer: exchange.accept(response, provider.now()),
                    sent_at,
                },
                Err(
                    error @ Error::Transport {
                        source: TransportError::NotSent(_),
                        ..
                    },
                ) => Event::NotSent(error),
                Err(error @ Error::Transport { .. }) => Event::Lost {
                    failure: error,
                    sent_at,
                },
                // Something is missing here, so nothing was sent.
                Err(error) => Event::Withheld(Some(error)),
            }
        };
        let event = sent.await;
        if let Event::Response { answer, .. } = &event {
            let (now, cooldown) = (provider.now(), &self.refresher.memory.cooldown);
            let error = answer
                .as_ref()
                .err()
                .map(|error| Error::from(error.clone()));
            match (admitted, &error) {
                (Some(admitted), error) => admitted.answered(error.as_ref(), now),
                (None, Some(error)) => cooldown.learn(error, now),
                (None, None) => {}
            }
        }
        event
    }

    /// Whether this attempt may be made now.
    fn admit(&self, attempt: Attempt) -> Result<Option<Admitted<'_>>, Option<Error>> {
        let memory = &self.refresher.memory;
        match attempt {
            Attempt::First => {
                lock(&memory.retries).deposit();
                let now = self.refresher.provider.now();
                memory.cooldown.admit(now).map(Some).map_err(Some)
            }
            Attempt::Reconnect => match lock(&memory.retries).withdraw() {
                true => Ok(None),
                false => Err(None),
            },
            // It may save a session. What the provider asked for after the first attempt is respected by
            // everybody who comes later.
            Attempt::Replay => Ok(None),
        }
    }

    /// 50 to 100 ms, doubled each time.
    async fn back_off(&self, attempt: u32) -> Event<Error> {
        let provider = &self.refresher.provider;
        let mut byte = [0; 1];
        // Without randomness the pause is the same each time, which is no harm.
        let _ = provider.entropy.fill(&mut byte);
        let pause = (50 + u64::from(byte[0]) / 5) << attempt.min(4).saturating_sub(1);
        provider.runtime.sleep(Duration::from_millis(pause)).await;
        Event::BackedOff
    }

    fn judge(&self, check: &IdTokenCheck) -> Event<Error> {
        let provider = &self.refresher.provider;
        let keys = provider.cached_keys();
        let judged = match &keys {
            Some(keys) => check.verify(keys, provider.now()),
            None => Err(TokenError::KeyNotFound { kid: None }),
        };
        *lock(&self.judged_with) = keys;
        Event::Judged(judged)
    }

    async fn fetch_keys(&self) -> Event<Error> {
        let provider = &self.refresher.provider;
        let known = lock(&self.judged_with).clone();
        let fetched = match known {
            Some(known) => provider.keys_newer_than(&known).await.map(drop),
            None => provider.keys().await.map(drop),
        };
        fetched.map_or_else(Event::Failed, |()| Event::KeysFetched)
    }

    fn tell(&self, notice: Notice<Error>) {
        let session = self.subject.id().clone();
        let observed = match notice {
            Notice::Refreshed { target, rotated } => Observed::Refreshed {
                session,
                target,
                rotated,
            },
            Notice::RefreshUncertain => Observed::RefreshUncertain { session },
            Notice::NotStored(failure) => Observed::NotStored {
                session,
                reason: failure.map_or_else(
                    || "every write met another writer".to_owned(),
                    |failure| failure.to_string(),
                ),
            },
            Notice::Superseded => Observed::Superseded { session },
            Notice::ClientRefused => Observed::ClientRefused,
            _ => return,
        };
        self.refresher.provider.observer.on_event(&observed);
    }
}

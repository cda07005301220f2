//! The refresh: from a session to an access token, without losing a refresh token.

mod answer;
mod fingerprint;
mod keeping;
mod known;
mod newest;
mod sending;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    Action, Attempt, Demand, Event, LEASE_TTL, Moment, Persist, RefreshError, RefreshJob,
    RefreshOutcome, SessionEnd, SessionJob, Step, TokenStatus, Writes,
    lease::{HeldLease, Right},
    state::{Purpose, State},
};
use crate::{
    error::{Error, UsageError},
    metadata::ProviderMetadata,
    secret::Secret,
    session::Session,
    tokens::AccessToken,
};

/// Obtains an access token for a session, and spends its refresh token if that is necessary.
///
/// The caller ensures that a process runs one refresh at a time for each session. See the [module](super) for
/// the states.
#[derive(Clone, Debug)]
pub struct Refresh<F> {
    job: RefreshJob,
    session: Arc<Session>,
    /// Whether the ledgers knew more than the storage.
    needs_write_back: bool,
    /// The refresh token that is stored, as far as is known.
    stored: Option<Secret>,
    /// Whether the shared ledger has the newest refresh token, as far as is known.
    is_rotation_shared: bool,
    /// Whether the shared ledger said what it knows about the refresh token.
    has_ledger_answered: bool,
    /// What is known about the refresh token that the session holds.
    status: Option<TokenStatus>,
    refusal: Option<Error>,
    lease: Option<HeldLease>,
    /// Whether the provider has accepted the refresh token under this lease.
    has_spent: bool,
    busy_since: Option<Duration>,
    metadata: Option<Arc<ProviderMetadata>>,
    /// How often the provider was asked about the refresh token.
    questions: u32,
    /// How often the session was to be written.
    writes: Writes,
    state: State<F>,
    outbox: VecDeque<Action<F>>,
    result: Option<Result<AccessToken, RefreshError<F>>>,
}

impl<F: Clone> Refresh<F> {
    /// A refresh of `session`, as the caller has it. `needs_write_back` says that this is newer than
    /// what is stored.
    pub fn new(
        job: RefreshJob,
        session: Arc<Session>,
        needs_write_back: bool,
        now: Moment,
    ) -> Self {
        let stored = session.refresh_token().cloned();
        let mut refresh = Self {
            job,
            session,
            needs_write_back,
            stored: stored.filter(|_| !needs_write_back),
            is_rotation_shared: true,
            has_ledger_answered: true,
            status: None,
            refusal: None,
            lease: None,
            has_spent: false,
            busy_since: None,
            metadata: None,
            questions: 0,
            writes: Writes::default(),
            state: State::Done,
            outbox: VecDeque::new(),
            result: None,
        };
        refresh.state = refresh.recall(Purpose::Start, now);
        refresh
    }

    fn perform(&mut self, action: Action<F>) {
        self.outbox.push_back(action);
    }

    /// The table of transitions: what each state does with the events that it waits for.
    fn next(&mut self, state: State<F>, event: Event<F>, now: Moment) -> State<F> {
        match (state, event) {
            (State::Recalling(purpose), Event::Recalled(knowledge)) => {
                self.recalled(purpose, knowledge, now)
            }
            (State::Leasing { asked_at }, Event::Leased(grant)) => {
                self.leased(HeldLease::new(grant, asked_at))
            }
            (State::Leasing { .. }, Event::Busy) => self.busy(now),
            (State::Waiting { until }, Event::Time) if now.monotonic >= until => {
                self.load(Purpose::Waited)
            }
            (State::Loading(purpose), Event::Loaded(session)) => self.loaded(purpose, session, now),
            (State::Loading(_), Event::Gone) => self.gone(now),
            (State::Preparing, Event::Prepared(metadata)) => self.prepared(metadata, now),
            (State::Asking { asked_at, why }, Event::Active) => self.active(asked_at, why, now),
            (State::Asking { why, .. }, Event::Inactive) => self.ask_witness(why, now),
            (State::Asking { why, .. }, Event::Unanswered) => self.unanswered(why, now),
            (State::Witnessing { .. }, Event::Inactive) => {
                self.end(SessionEnd::RefreshTokenRefused, now)
            }
            (State::Witnessing { why }, Event::Unanswered) => self.no_witness(why, now),
            (State::Witnessing { .. }, Event::Active | Event::Failed(_)) => self.superseded(now),
            (State::Sending(sending), Event::Response { answer, sent_at }) => {
                self.responded(sending, answer, sent_at, now)
            }
            (State::Sending(sending), Event::NotSent(failure)) => {
                self.not_sent(sending, RefreshError::Failed(failure), now)
            }
            (State::Sending(sending), Event::Lost { failure, sent_at }) => {
                self.lost(sending, RefreshError::Failed(failure), sent_at, now)
            }
            (State::Sending(sending), Event::Withheld(failure)) => {
                self.withheld(sending, failure, now)
            }
            (State::Sending(sending), Event::TooLate) => self.too_late(sending, now),
            (State::BackingOff(sending), Event::BackedOff) => {
                self.send(sending, Attempt::Reconnect, now)
            }
            (State::Judging(answer), Event::Judged(judged)) => self.judged(answer, judged, now),
            (State::FetchingKeys(answer), Event::KeysFetched) => self.judge(answer),
            (State::FetchingKeys(answer), Event::Failed(failure)) => {
                self.settle(answer, Err(RefreshError::Failed(failure)), now)
            }
            (
                State::Recording(change),
                Event::Recorded {
                    has_ended,
                    is_shared,
                },
            ) => self.recorded(change, has_ended, is_shared, now),
            (State::Storing(change), Event::Stored) => self.store_succeeded(change, now),
            (State::Storing(change), Event::Conflict(theirs)) => self.conflict(change, theirs, now),
            (State::Storing(change), Event::Gone) if change.is_write_back() => self.gone(now),
            (State::Storing(_), Event::Gone) => self.discard(now),
            (
                State::Storing(change),
                Event::StoreFailed {
                    failure,
                    is_transient,
                },
            ) => self.store_failed(change, failure, is_transient, now),
            (State::PausingWrites(change), Event::BackedOff) => self.store(change),
            (State::Removing(end), Event::Removed | Event::Failed(_)) => self.removed(end, now),
            (State::Releasing, Event::Released) => State::Done,
            (
                State::Loading(_) | State::Leasing { .. } | State::Preparing | State::Asking { .. },
                Event::Failed(failure),
            ) => self.finish(Err(RefreshError::Failed(failure)), now),
            // Not an event of this state: the late result of an action that no longer matters.
            (state, _) => state,
        }
    }
}

/// The end of the session, and of the refresh.
impl<F: Clone> Refresh<F> {
    /// The session was removed, or has ended in this process.
    fn gone(&mut self, now: Moment) -> State<F> {
        self.perform(Action::MarkEnded(SessionEnd::Removed));
        self.finish(Err(RefreshError::Ended(SessionEnd::Removed)), now)
    }

    /// Gives way to a removal. The new refresh token is revoked, because the process that removed the session
    /// could not know it.
    fn discard(&mut self, now: Moment) -> State<F> {
        if let Some(refresh_token) = self.session.refresh_token().cloned() {
            self.perform(Action::RevokeLater { refresh_token });
        }
        self.gone(now)
    }

    /// The provider has ended the session.
    fn end(&mut self, end: SessionEnd, now: Moment) -> State<F> {
        if self.job.wanted.demand == Demand::Renewal {
            return self.finish(Err(RefreshError::Ended(end)), now);
        }
        self.perform(Action::MarkEnded(end));
        match self.job.wanted.persist {
            Persist::Storage => {
                self.perform(Action::Remove);
                State::Removing(end)
            }
            Persist::LedgerOnly => self.finish(Err(RefreshError::Ended(end)), now),
        }
    }

    /// A record that cannot be removed ends at its next use: the provider refuses its refresh token again.
    fn removed(&mut self, end: SessionEnd, now: Moment) -> State<F> {
        self.lease = None;
        self.finish(Err(RefreshError::Ended(end)), now)
    }

    fn finish(&mut self, token: Result<AccessToken, RefreshError<F>>, now: Moment) -> State<F> {
        self.result = Some(self.or_not_yet_expired(token, now));
        // The previous holder of the lease may have spent the stored refresh token, and may still be alive and
        // store its result. Only a lease that runs out again makes the next holder ask as well.
        let is_doubtful = self.right() == Right::Takeover && !self.has_spent;
        match self.lease.take() {
            Some(lease) if !is_doubtful && self.is_found(&lease) => {
                self.perform(Action::Release);
                State::Releasing
            }
            // Left to run out. A process that takes it over asks before it spends a token.
            _ => State::Done,
        }
    }

    /// Whether the next holder of the lease finds the newest refresh token. Otherwise it would spend an older
    /// one, and end the grant.
    fn is_found(&self, lease: &HeldLease) -> bool {
        match lease.grant().is_exclusive {
            true => self.is_rotation_shared,
            false => {
                !lease.grant().is_shared || self.stored.as_ref() == self.session.refresh_token()
            }
        }
    }

    /// The token, or while the provider fails one that has not expired.
    fn or_not_yet_expired(
        &self,
        token: Result<AccessToken, RefreshError<F>>,
        now: Moment,
    ) -> Result<AccessToken, RefreshError<F>> {
        match token {
            Err(error) if error.is_no_answer() => {
                let held = self.job.wanted.not_yet_expired(&self.session, now.wall);
                held.cloned().ok_or(error)
            }
            token => token,
        }
    }
}

impl<F: Clone> SessionJob<F> for Refresh<F> {
    type Output = RefreshOutcome<F>;

    fn poll(&mut self, now: Moment) -> Step<F, RefreshOutcome<F>> {
        if let Some(action) = self.outbox.pop_front() {
            return Step::Perform(action);
        }
        if let Some(lease) = &mut self.lease {
            if lease.begin_renewal(now.monotonic) {
                return Step::Perform(Action::Renew { ttl: LEASE_TTL });
            }
        }
        if let State::Done = self.state {
            let done = UsageError::AlreadyDone.into();
            return Step::Done(RefreshOutcome {
                token: self
                    .result
                    .take()
                    .unwrap_or(Err(RefreshError::Protocol(done))),
                session: Arc::clone(&self.session),
                needs_write_back: self.needs_write_back,
            });
        }
        let renew_at = self.lease.as_ref().and_then(HeldLease::renew_at);
        let until = [self.state.until(), renew_at];
        Step::Wait {
            until: until.into_iter().flatten().min(),
        }
    }

    fn state(&self) -> &'static str {
        self.state.name()
    }

    fn handle(&mut self, event: Event<F>, now: Moment) {
        if let Event::Renewed(is_ours) = event {
            if let Some(lease) = &mut self.lease {
                lease.renewed(is_ours, now.monotonic);
            }
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Done);
        self.state = self.next(state, event, now);
    }
}

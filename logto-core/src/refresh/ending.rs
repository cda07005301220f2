//! The end of a session, even with a refresh in flight.

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use super::{
    Action, Event, LEASE_TTL, Moment, SessionJob, Step, catch_up,
    lease::{HeldLease, MAX_WAIT, POLL_INTERVAL},
};
use crate::{
    secret::Secret,
    session::{Session, SessionDelta},
};

/// Why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The user signs out and is redirected to Logto, which ends its own session. The refresh token is
    /// revoked in the background.
    SignOut,
    /// The user signs out here only. The next sign-in may get the same grant, so the job ends only when the
    /// refresh token is revoked, or the revocation has failed.
    LocalSignOut,
    /// The browser has signed in again. Logto may have given the new session the same grant, so nothing is
    /// revoked; and the record is not removed while another process refreshes it, which would revoke what
    /// it gets.
    Replacement,
}

/// Removes a session from its storage and revokes its newest refresh token.
///
/// The caller refuses the session in its own process first, and starts the job when no refresh of the session
/// is in flight there.
#[derive(Clone, Debug)]
pub struct EndSession<F> {
    ending: Ending,
    session: Arc<Session>,
    busy_since: Option<Duration>,
    removal: Result<(), F>,
    state: State,
    outbox: VecDeque<Action<F>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Recalling,
    Loading,
    Leasing { asked_at: Duration },
    Waiting { until: Duration },
    Removing,
    Revoking,
    Done,
}

impl<F> EndSession<F> {
    /// Ends `session`, as the caller has it.
    pub fn new(ending: Ending, session: Arc<Session>, now: Moment) -> Self {
        let mut job = Self {
            ending,
            session,
            busy_since: None,
            removal: Ok(()),
            state: State::Done,
            outbox: VecDeque::new(),
        };
        job.state = match ending {
            Ending::Replacement => job.take_lease(now),
            Ending::SignOut | Ending::LocalSignOut => job.recall(),
        };
        job
    }

    fn next(&mut self, event: Event<F>, now: Moment) -> State {
        match (self.state, event) {
            (State::Recalling, Event::Recalled(knowledge)) => self.recalled(&knowledge.deltas),
            (State::Loading, event) => {
                if let Event::Loaded(stored) = event {
                    if stored.changed_at() > self.session.changed_at() {
                        self.session = stored;
                    }
                }
                self.remove()
            }
            // Another process may have the lease, or have had it and still be alive. It would revoke what it
            // gets. The record that stays ends by its age.
            (State::Leasing { asked_at }, Event::Leased(grant))
                if grant.was_taken_over
                    || !HeldLease::new(grant, asked_at).is_valid(now.monotonic) =>
            {
                State::Done
            }
            (State::Leasing { .. }, Event::Leased(_)) => self.remove(),
            (State::Leasing { .. }, Event::Busy) => {
                let since = *self.busy_since.get_or_insert(now.monotonic);
                match now.monotonic.saturating_sub(since) > MAX_WAIT {
                    // The record that stays ends by its age.
                    true => State::Done,
                    false => State::Waiting {
                        until: now.monotonic.saturating_add(POLL_INTERVAL),
                    },
                }
            }
            (State::Leasing { .. }, _) => State::Done,
            (State::Waiting { until }, Event::Time) if now.monotonic >= until => {
                self.take_lease(now)
            }
            (State::Removing, Event::Removed) => self.revoke(),
            (State::Removing, Event::Failed(failure)) => {
                self.removal = Err(failure);
                self.revoke()
            }
            (State::Revoking, Event::Revoked) => State::Done,
            (state, _) => state,
        }
    }

    fn recall(&mut self) -> State {
        match self.session.refresh_token().cloned() {
            Some(refresh_token) => {
                self.outbox.push_back(Action::Recall {
                    refresh_token,
                    missing: None,
                });
                State::Recalling
            }
            None => self.load(),
        }
    }

    fn recalled(&mut self, deltas: &[SessionDelta]) -> State {
        match catch_up(&mut self.session, deltas).is_rotated {
            true => self.recall(),
            false => self.load(),
        }
    }

    /// The stored session may be newer than the caller's. A failure of the storage changes nothing: the
    /// session ends nevertheless.
    fn load(&mut self) -> State {
        self.outbox.push_back(Action::Load);
        State::Loading
    }

    fn take_lease(&mut self, now: Moment) -> State {
        self.outbox.push_back(Action::Lease { ttl: LEASE_TTL });
        State::Leasing {
            asked_at: now.monotonic,
        }
    }

    fn remove(&mut self) -> State {
        self.outbox.push_back(Action::Remove);
        State::Removing
    }

    fn revoke(&mut self) -> State {
        let refresh_token: Option<Secret> = self.session.refresh_token().cloned();
        match (self.ending, refresh_token) {
            (Ending::SignOut, Some(refresh_token)) => {
                self.outbox.push_back(Action::RevokeLater { refresh_token });
                State::Done
            }
            (Ending::LocalSignOut, Some(refresh_token)) => {
                self.outbox.push_back(Action::Revoke { refresh_token });
                State::Revoking
            }
            (Ending::Replacement, _) | (_, None) => State::Done,
        }
    }
}

/// For the fingerprints of an explorer, like that of [`Refresh`](super::Refresh). Leaves out the actions that
/// were not polled yet.
impl<F: Hash> Hash for EndSession<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.ending, &self.session, self.busy_since).hash(state);
        (&self.removal, self.state).hash(state);
    }
}

impl<F: Clone> SessionJob<F> for EndSession<F> {
    /// Whether the storage could remove the session.
    type Output = Result<(), F>;

    fn poll(&mut self, _: Moment) -> Step<F, Self::Output> {
        if let Some(action) = self.outbox.pop_front() {
            return Step::Perform(action);
        }
        match self.state {
            State::Done => Step::Done(self.removal.clone()),
            State::Waiting { until } => Step::Wait { until: Some(until) },
            _ => Step::Wait { until: None },
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Recalling => "Recalling",
            State::Loading => "Loading",
            State::Leasing { .. } => "Leasing",
            State::Waiting { .. } => "Waiting",
            State::Removing => "Removing",
            State::Revoking => "Revoking",
            State::Done => "Done",
        }
    }

    fn handle(&mut self, event: Event<F>, now: Moment) {
        self.state = self.next(event, now);
    }
}

//! A change of a stored session that spends nothing.

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    Action, Event, Moment, NextWrite, Notice, RefreshError, SessionEnd, SessionJob, Step, Writes,
    catch_up,
};
use crate::{
    error::UsageError,
    secret::Secret,
    session::{Session, SessionData, SessionDelta},
    tokens::TokenTarget,
};

/// Writes a small change of a session: what the ledger knows and the storage does not, that an access token
/// must be removed, or the data of the application. Merges its change with those of other writers.
#[derive(Clone, Debug)]
pub struct Amend<F> {
    session: Arc<Session>,
    delta: SessionDelta,
    /// Whether the change must be written. What the ledger knows may be written with the next use as well.
    is_required: bool,
    writes: Writes,
    has_news: bool,
    state: State,
    outbox: VecDeque<Action<F>>,
    result: Option<Result<Arc<Session>, RefreshError<F>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Loading,
    Recalling,
    Recording,
    Storing,
    Pausing,
    Done,
}

impl<F: Clone> Amend<F> {
    /// Forgets the access token for `target` in a session that is read again first.
    pub fn forget(session: Arc<Session>, target: TokenTarget) -> Self {
        let mut delta = SessionDelta::default();
        delta.forgotten.push(target);
        let mut job = Self::new(session, delta, true);
        job.outbox.push_back(Action::Load);
        job.state = State::Loading;
        job
    }

    /// Sets the data of the application in a session that was just created: there is no other writer, so it is
    /// not read again first.
    pub fn set_data(session: Arc<Session>, data: SessionData) -> Self {
        let delta = SessionDelta {
            data: Some(data),
            ..SessionDelta::default()
        };
        let mut job = Self::new(session, delta, true);
        job.state = job.recall();
        job
    }

    /// Writes `session`, which is newer than what is stored.
    pub fn write_back(session: Arc<Session>) -> Self {
        let mut job = Self::new(session, SessionDelta::default(), false);
        job.state = job.store();
        job
    }

    fn new(session: Arc<Session>, delta: SessionDelta, is_required: bool) -> Self {
        Self {
            session,
            delta,
            is_required,
            writes: Writes::default(),
            has_news: false,
            state: State::Done,
            outbox: VecDeque::new(),
            result: None,
        }
    }

    fn next(&mut self, event: Event<F>) -> State {
        match (self.state, event) {
            (State::Loading, Event::Loaded(session)) => {
                self.session = session;
                self.recall()
            }
            (State::Loading | State::Storing, Event::Gone) => self.gone(),
            (State::Loading, Event::Failed(failure)) => {
                self.finish(Err(RefreshError::Failed(failure)))
            }
            (State::Recalling, Event::Recalled(knowledge)) if knowledge.has_ended => self.gone(),
            (State::Recalling, Event::Recalled(knowledge)) => self.recalled(&knowledge.deltas),
            (
                State::Recording,
                Event::Recorded {
                    has_ended: true, ..
                },
            ) => self.gone(),
            (State::Recording, Event::Recorded { .. }) | (State::Pausing, Event::BackedOff) => {
                self.store()
            }
            (State::Storing, Event::Stored) => self.finish(Ok(Arc::clone(&self.session))),
            (State::Storing, Event::Conflict(theirs)) => {
                self.session = theirs;
                match self.writes.after_conflict() {
                    NextWrite::AtOnce => self.recall(),
                    NextWrite::AfterPause(_) | NextWrite::GiveUp => self.not_stored(None),
                }
            }
            (
                State::Storing,
                Event::StoreFailed {
                    failure,
                    is_transient,
                },
            ) => {
                let next = self.writes.after_failure(is_transient, self.is_required);
                if let NextWrite::AfterPause(attempt) = next {
                    self.outbox.push_back(Action::BackOff { attempt });
                    return State::Pausing;
                }
                self.not_stored(Some(failure))
            }
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
            None => self.known(),
        }
    }

    fn recalled(&mut self, deltas: &[SessionDelta]) -> State {
        let caught_up = catch_up(&mut self.session, deltas);
        self.has_news |= caught_up.has_news;
        match caught_up.is_rotated {
            true => self.recall(),
            false => self.known(),
        }
    }

    fn known(&mut self) -> State {
        if self.delta.is_empty() {
            return match std::mem::take(&mut self.has_news) {
                true => self.store(),
                // The other writer wrote the same.
                false => self.finish(Ok(Arc::clone(&self.session))),
            };
        }
        Arc::make_mut(&mut self.session).apply(&self.delta);
        // The ledger is for copies of the session that were handed out, and there is none of a new session.
        if self.delta.data.is_some() {
            return self.store();
        }
        let spent = self.session.refresh_token().cloned();
        self.outbox.push_back(Action::Record {
            spent: spent.unwrap_or_else(|| Secret::from("")),
            delta: self.delta.clone(),
        });
        State::Recording
    }

    fn store(&mut self) -> State {
        self.writes.begin();
        self.outbox.push_back(Action::Store {
            session: Arc::clone(&self.session),
        });
        State::Storing
    }

    fn not_stored(&mut self, failure: Option<F>) -> State {
        self.outbox
            .push_back(Action::Tell(Notice::NotStored(failure.clone())));
        self.finish(Err(failure.map_or(RefreshError::Busy, RefreshError::Failed)))
    }

    fn gone(&mut self) -> State {
        self.outbox
            .push_back(Action::MarkEnded(SessionEnd::Removed));
        self.finish(Err(RefreshError::Ended(SessionEnd::Removed)))
    }

    fn finish(&mut self, result: Result<Arc<Session>, RefreshError<F>>) -> State {
        self.result = Some(result);
        State::Done
    }
}

/// For the fingerprints of an explorer, like that of [`Refresh`](super::Refresh). Leaves out the actions that
/// were not polled yet.
impl<F: Hash> Hash for Amend<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.session, &self.delta, self.is_required).hash(state);
        (self.writes, self.has_news, self.state, &self.result).hash(state);
    }
}

impl<F: Clone> SessionJob<F> for Amend<F> {
    /// The stored session.
    type Output = Result<Arc<Session>, RefreshError<F>>;

    fn poll(&mut self, _: Moment) -> Step<F, Self::Output> {
        match (self.outbox.pop_front(), self.state) {
            (Some(action), _) => Step::Perform(action),
            (None, State::Done) => {
                let done = RefreshError::Protocol(UsageError::AlreadyDone.into());
                Step::Done(self.result.take().unwrap_or(Err(done)))
            }
            (None, _) => Step::Wait { until: None },
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Loading => "Loading",
            State::Recalling => "Recalling",
            State::Recording => "Recording",
            State::Storing => "Storing",
            State::Pausing => "Pausing",
            State::Done => "Done",
        }
    }

    fn handle(&mut self, event: Event<F>, _: Moment) {
        self.state = self.next(event);
    }
}

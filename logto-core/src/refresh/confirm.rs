//! Finding out whether a session has ended, for a process that may have forgotten the end.

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use super::{
    Action, Event, Moment, Notice, SessionEnd, SessionJob, Spend, Step, TokenStatus, catch_up,
    token_status::witness,
};
use crate::{secret::Secret, session::Session};

/// Asks the provider whether the grant of a session has ended. Spends nothing and changes no session.
///
/// An inactive refresh token does not prove an end: another process may have replaced it, and this copy of
/// the session is stale. An opaque access token of the same grant tells the two apart, and where there is
/// none, time does, as in [`Refresh`](super::Refresh).
#[derive(Clone, Debug)]
pub struct ConfirmSession<F> {
    session: Arc<Session>,
    is_exclusive: bool,
    state: State,
    outbox: VecDeque<Action<F>>,
    result: Confirmation<F>,
}

/// The result of [`ConfirmSession`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Confirmation<F> {
    /// The grant is alive.
    Alive,
    /// The session has ended, or this copy of it is stale and no newer one arrived for a minute.
    Ended(SessionEnd),
    /// The refresh token is not active, and nothing tells whether it was replaced or revoked. A newer copy of
    /// the session may be on its way.
    Superseded,
    /// There is no answer: the question failed, or, without an error, this application may not ask it or has no
    /// token to ask about.
    Unknown(Option<F>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Recalling,
    Asking,
    Witnessing,
    Done,
}

impl<F: Clone> ConfirmSession<F> {
    /// Asks about `session`, as the caller has it. `is_exclusive` is that of a
    /// [`RefreshJob`](super::RefreshJob): no other process can have replaced the refresh token.
    pub fn new(session: Arc<Session>, is_exclusive: bool, now: Moment) -> Self {
        let mut job = Self {
            session,
            is_exclusive,
            state: State::Done,
            outbox: VecDeque::new(),
            result: Confirmation::Unknown(None),
        };
        job.state = job.recall(now);
        job
    }

    fn next(&mut self, event: Event<F>, now: Moment) -> State {
        match (self.state, event) {
            (State::Recalling, Event::Recalled(knowledge)) if knowledge.has_ended => {
                self.finish(Confirmation::Ended(SessionEnd::Removed))
            }
            (State::Recalling, Event::Recalled(knowledge)) => {
                match catch_up(&mut self.session, &knowledge.deltas).is_rotated {
                    true => self.recall(now),
                    false => self.known(knowledge.status, now.monotonic),
                }
            }
            (State::Asking | State::Witnessing, Event::Active) => self.finish(Confirmation::Alive),
            (State::Asking, Event::Inactive) => self.ask_witness(now),
            (State::Asking, Event::Failed(failure)) => {
                self.finish(Confirmation::Unknown(Some(failure)))
            }
            (State::Witnessing, Event::Inactive) => self.end(),
            // The refresh token, if there is one, is known to be inactive.
            (State::Witnessing, Event::Failed(failure)) => self.superseded(Some(failure), now),
            (State::Witnessing, Event::Unanswered) => self.superseded(None, now),
            (State::Asking, Event::Unanswered) => self.finish(Confirmation::Unknown(None)),
            // Not an event of this state.
            (state, _) => state,
        }
    }

    fn recall(&mut self, now: Moment) -> State {
        match self.session.refresh_token().cloned() {
            Some(refresh_token) => {
                self.outbox.push_back(Action::Recall {
                    refresh_token,
                    missing: None,
                });
                State::Recalling
            }
            None => self.ask_witness(now),
        }
    }

    /// The session is up to date with what this process knows. Logto is asked even if the refresh token is
    /// known to be the newest: the grant may have ended since it was issued.
    fn known(&mut self, status: Option<TokenStatus>, now: Duration) -> State {
        let refresh_token = self.session.refresh_token().cloned();
        match (TokenStatus::spend(status, now), refresh_token) {
            (Spend::AskFirst | Spend::Until(_), Some(token)) => self.ask(token, State::Asking),
            // Another browser may have a newer copy of the same session, so only this copy has ended.
            (Spend::Ended, _) => self.finish(Confirmation::Ended(SessionEnd::Superseded)),
            _ if self.is_exclusive => self.finish(Confirmation::Ended(SessionEnd::Superseded)),
            _ => self.finish(Confirmation::Superseded),
        }
    }

    fn ask(&mut self, token: Secret, state: State) -> State {
        self.outbox.push_back(Action::Ask { token });
        state
    }

    fn ask_witness(&mut self, now: Moment) -> State {
        match witness(&self.session, now.wall) {
            Some(token) => self.ask(token, State::Witnessing),
            None => self.superseded(None, now),
        }
    }

    fn end(&mut self) -> State {
        let end = SessionEnd::RefreshTokenRefused;
        self.outbox.push_back(Action::MarkEnded(end));
        self.finish(Confirmation::Ended(end))
    }

    /// From now on time tells: a browser that still sends this copy in a minute has no newer one. Where no other
    /// process replaces refresh tokens, there is nothing to wait for.
    fn superseded(&mut self, failure: Option<F>, now: Moment) -> State {
        let Some(refresh_token) = self.session.refresh_token().cloned() else {
            return self.finish(Confirmation::Unknown(failure));
        };
        self.outbox.push_back(Action::Note {
            refresh_token,
            status: TokenStatus::Replaced {
                since: now.monotonic,
            },
        });
        self.outbox.push_back(Action::Tell(Notice::Superseded));
        self.finish(match self.is_exclusive {
            true => Confirmation::Ended(SessionEnd::Superseded),
            false => Confirmation::Superseded,
        })
    }

    fn finish(&mut self, result: Confirmation<F>) -> State {
        self.result = result;
        State::Done
    }
}

/// For the fingerprints of an explorer, like that of [`Refresh`](super::Refresh). Leaves out the actions that
/// were not polled yet.
impl<F: Hash> Hash for ConfirmSession<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.session, self.is_exclusive, self.state, &self.result).hash(state);
    }
}

impl<F: Clone> SessionJob<F> for ConfirmSession<F> {
    type Output = Confirmation<F>;

    fn poll(&mut self, _: Moment) -> Step<F, Self::Output> {
        match (self.outbox.pop_front(), self.state) {
            (Some(action), _) => Step::Perform(action),
            (None, State::Done) => Step::Done(self.result.clone()),
            (None, _) => Step::Wait { until: None },
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Recalling => "Recalling",
            State::Asking => "Asking",
            State::Witnessing => "Witnessing",
            State::Done => "Done",
        }
    }

    fn handle(&mut self, event: Event<F>, now: Moment) {
        self.state = self.next(event, now);
    }
}

//! Sending the refresh request, and sending it again.

use std::time::Duration;

use super::{
    super::{
        Action, Attempt, Attempts, MAX_COOLDOWN, Moment, NextAttempt, Notice, RefreshError,
        lease::HeldLease,
        outcome::Verdict,
        state::{Purpose, Sending, State},
    },
    Refresh,
};
use crate::{
    error::{Advice, Error},
    grants::Refreshed,
    tokens::TokenTarget,
};

/// How long a refusal is remembered. Without that, a page that keeps requesting a refused token would cause
/// two requests each time.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(60);

impl<F: Clone> Refresh<F> {
    pub(super) fn send_first(&mut self, start_by: Option<Duration>, now: Moment) -> State<F> {
        let sending = Sending {
            target: self.job.wanted.target.clone(),
            attempts: Attempts::default(),
            start_by,
            failure: None,
            denial: None,
        };
        self.send(sending, Attempt::First, now)
    }

    pub(super) fn send(&mut self, sending: Sending<F>, attempt: Attempt, now: Moment) -> State<F> {
        let Some(metadata) = &self.metadata else {
            self.perform(Action::Prepare);
            return State::Preparing;
        };
        let exchange =
            match self
                .session
                .refresh(&self.job.config, metadata, &sending.target, now.wall)
            {
                Ok(exchange) => exchange,
                Err(error) => {
                    return self.finish(Err(RefreshError::Protocol(error.into())), now);
                }
            };
        // The request must be sent while the lease is ours and the answer about the token is valid; a replay,
        // while Logto still tolerates it.
        let lease = self.lease.as_ref().and_then(HeldLease::valid_until);
        let start_by = [lease, sending.attempts.start_by().or(sending.start_by)];
        self.perform(Action::Send {
            exchange,
            attempt,
            start_by: start_by.into_iter().flatten().min(),
        });
        State::Sending(sending)
    }

    pub(super) fn responded(
        &mut self,
        sending: Sending<F>,
        answer: Result<Refreshed, Error>,
        sent_at: Duration,
        now: Moment,
    ) -> State<F> {
        match answer {
            Ok(refreshed) => self.answered(sending, refreshed, sent_at, now),
            Err(error) => self.refused(sending, error, sent_at, now),
        }
    }

    pub(super) fn withheld(
        &mut self,
        sending: Sending<F>,
        failure: Option<F>,
        now: Moment,
    ) -> State<F> {
        let failure = failure.map(RefreshError::Failed);
        let error = sending.failure.or(failure).unwrap_or(RefreshError::Busy);
        self.finish(Err(error), now)
    }

    pub(super) fn not_sent(
        &mut self,
        mut sending: Sending<F>,
        error: RefreshError<F>,
        now: Moment,
    ) -> State<F> {
        let next = sending.attempts.not_sent(now.monotonic);
        sending.failure = Some(error);
        match next {
            NextAttempt::Reconnect(attempt) => {
                self.perform(Action::BackOff { attempt });
                State::BackingOff(sending)
            }
            NextAttempt::Replay | NextAttempt::GiveUp => self.give_up(sending, now),
        }
    }

    pub(super) fn lost(
        &mut self,
        mut sending: Sending<F>,
        error: RefreshError<F>,
        sent_at: Duration,
        now: Moment,
    ) -> State<F> {
        let next = sending.attempts.lost(sent_at, now.monotonic);
        sending.failure = Some(error);
        match next {
            NextAttempt::Replay => self.send(sending, Attempt::Replay, now),
            NextAttempt::Reconnect(_) | NextAttempt::GiveUp => self.give_up(sending, now),
        }
    }

    pub(super) fn give_up(&mut self, sending: Sending<F>, now: Moment) -> State<F> {
        if sending.attempts.may_have_been_processed() {
            self.perform(Action::Tell(Notice::RefreshUncertain));
        }
        let denial = sending.denial.map(RefreshError::Protocol);
        let error = denial.or(sending.failure).unwrap_or(RefreshError::Busy);
        self.respect(&error);
        self.finish(Err(error), now)
    }

    /// The provider asked for a pause. This session respects it. Whether it applies to other sessions too,
    /// one of them finds out.
    fn respect(&mut self, error: &RefreshError<F>) {
        let RefreshError::Protocol(error) = error else {
            return;
        };
        if let Advice::Retry { after: Some(pause) } = error.advice() {
            self.perform(Action::Remember {
                target: None,
                error: error.clone(),
                lifetime: pause.min(MAX_COOLDOWN),
            });
        }
    }

    pub(super) fn too_late(&mut self, sending: Sending<F>, now: Moment) -> State<F> {
        match sending.attempts.may_have_been_processed() {
            true => self.give_up(sending, now),
            false => self.assure_newest(now),
        }
    }

    pub(super) fn refused(
        &mut self,
        sending: Sending<F>,
        error: Error,
        sent_at: Duration,
        now: Moment,
    ) -> State<F> {
        match Verdict::of(&error) {
            Verdict::Lost => self.lost(sending, RefreshError::Protocol(error), sent_at, now),
            // Final only if no newer refresh token is stored.
            Verdict::GrantRefused => match self.session.refresh_token().cloned() {
                Some(spent) => self.load(Purpose::Refused { spent }),
                None => self.finish(Err(RefreshError::Protocol(error)), now),
            },
            Verdict::TokenRefused if sending.denial.is_none() => {
                self.recover(sending, error, sent_at, now)
            }
            Verdict::ClientRefused => {
                self.perform(Action::Tell(Notice::ClientRefused));
                self.turned_away(sending, error, now)
            }
            Verdict::TokenRefused | Verdict::NotProcessed => self.turned_away(sending, error, now),
        }
    }

    /// Logto refuses some requests only after it has replaced the refresh token, and the refusal does not
    /// contain the new one. One request for the opaque token, which is never refused, returns it.
    pub(super) fn recover(
        &mut self,
        mut sending: Sending<F>,
        denial: Error,
        sent_at: Duration,
        now: Moment,
    ) -> State<F> {
        self.perform(Action::Remember {
            target: Some(self.job.wanted.target.clone()),
            error: denial.clone(),
            lifetime: REFUSAL_LIFETIME,
        });
        let next = sending.attempts.lost(sent_at, now.monotonic);
        sending.denial = Some(denial);
        if next != NextAttempt::Replay {
            return self.give_up(sending, now);
        }
        sending.target = TokenTarget::user_info();
        self.send(sending, Attempt::Replay, now)
    }

    /// This request was not processed. An earlier one may have been.
    pub(super) fn turned_away(
        &mut self,
        mut sending: Sending<F>,
        error: Error,
        now: Moment,
    ) -> State<F> {
        sending.failure = Some(RefreshError::Protocol(error));
        self.give_up(sending, now)
    }
}

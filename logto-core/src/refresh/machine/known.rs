//! What is known before anything is sent.

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        Action, Demand, Knowledge, Moment, RefreshError, catch_up,
        state::{Change, Purpose, State, Why},
    },
    Refresh,
};
use crate::{error::UsageError, session::Session, tokens::AccessToken};

impl<F: Clone> Refresh<F> {
    pub(super) fn load(&mut self, purpose: Purpose) -> State<F> {
        self.perform(Action::Load);
        State::Loading(purpose)
    }

    pub(super) fn loaded(
        &mut self,
        purpose: Purpose,
        session: Arc<Session>,
        now: Moment,
    ) -> State<F> {
        self.stored = session.refresh_token().cloned();
        self.session = session;
        self.needs_write_back = false;
        self.recall(purpose, now)
    }

    pub(super) fn recall(&mut self, purpose: Purpose, now: Moment) -> State<F> {
        match self.session.refresh_token().cloned() {
            Some(refresh_token) => {
                let is_missing = self.at_hand(now).is_none();
                self.perform(Action::Recall {
                    refresh_token,
                    missing: is_missing.then(|| self.job.wanted.target.clone()),
                });
                State::Recalling(purpose)
            }
            None => self.known(purpose, now),
        }
    }

    pub(super) fn recalled(
        &mut self,
        purpose: Purpose,
        knowledge: Knowledge,
        now: Moment,
    ) -> State<F> {
        if knowledge.has_ended {
            return self.gone(now);
        }
        self.status = knowledge.status;
        // The reason of the refusal may be gone, such as a missing role or membership. A pause lasts until its
        // end.
        let refusal = knowledge.refusal;
        let refusal = refusal.filter(|_| self.job.wanted.demand != Demand::New);
        self.refusal = knowledge.pause.or(refusal);
        self.has_ledger_answered = !knowledge.is_partial;
        let caught_up = catch_up(&mut self.session, &knowledge.deltas);
        self.needs_write_back |= caught_up.has_news;
        match caught_up.is_rotated {
            true => self.recall(purpose, now),
            false => self.known(purpose, now),
        }
    }

    /// The session is up to date with what this process knows.
    pub(super) fn known(&mut self, purpose: Purpose, now: Moment) -> State<F> {
        if let Err(error) = self.session.may_ask_for(&self.job.wanted.target) {
            return self.finish(Err(RefreshError::Protocol(error.into())), now);
        }
        if let Some(token) = self.at_hand(now) {
            return self.hand_out(token, now);
        }
        if self.session.refresh_token().is_none() {
            let error = UsageError::NoRefreshToken.into();
            return self.finish(Err(RefreshError::Protocol(error)), now);
        }
        if let Some(refusal) = self.refusal.take() {
            return self.finish(Err(RefreshError::Protocol(refusal)), now);
        }
        match purpose {
            Purpose::Start | Purpose::Waited => self.take_lease(now),
            Purpose::Leased => {
                self.perform(Action::Prepare);
                State::Preparing
            }
            // A replaced refresh token that has expired is refused like any other, but the grant continues, and
            // a newer token may be on its way to the browser or to the store.
            Purpose::Refused { spent } if self.session.refresh_token() == Some(&spent) => {
                self.ask(Why::Refused, now)
            }
            Purpose::Refused { .. } => self.assure_newest(now),
        }
    }

    pub(super) fn at_hand(&self, now: Moment) -> Option<AccessToken> {
        let min_remaining = match self.job.wanted.demand {
            Demand::Usable | Demand::Renewal => Duration::ZERO,
            Demand::MinRemaining(duration) => duration,
            Demand::New => return None,
        };
        self.session
            .usable_token(&self.job.config, &self.job.wanted.target, now.wall)
            .filter(|token| token.is_usable(now.wall, min_remaining))
            .cloned()
    }

    /// A session that is newer than the stored one is written first.
    pub(super) fn hand_out(&mut self, token: AccessToken, now: Moment) -> State<F> {
        if self
            .writes
            .is_due(self.needs_write_back, self.job.wanted.persist)
        {
            return self.store(Change::write_back(token, now.monotonic));
        }
        self.finish(Ok(token), now)
    }
}

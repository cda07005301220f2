//! Storing the result of a refresh.

use std::sync::Arc;

use super::{
    super::{
        Action, Moment, NextWrite, Notice, Persist, TokenStatus,
        state::{Change, Purpose, State, Then},
    },
    Refresh,
};
use crate::session::Session;

impl<F: Clone> Refresh<F> {
    pub(super) fn record(&mut self, change: Change<F>) -> State<F> {
        let mut news = change.delta.clone();
        if change.is_rotation_kept {
            // Another writer may have replaced it since.
            news.refresh_token = None;
        }
        Arc::make_mut(&mut self.session).apply(&news);
        if self.must_ask() {
            self.is_newest(TokenStatus::Newest {
                since: change.sent_at,
            });
        }
        self.perform(Action::Record {
            spent: change.spent.clone(),
            delta: change.delta.clone(),
        });
        State::Recording(change)
    }

    pub(super) fn recorded(
        &mut self,
        change: Change<F>,
        has_ended: bool,
        is_shared: bool,
        now: Moment,
    ) -> State<F> {
        if change.delta.refresh_token.is_some() {
            self.is_rotation_shared = is_shared;
        }
        if has_ended {
            // The user signed out before the response came. A session in cookies would not notice.
            return self.discard(now);
        }
        match self.job.wanted.persist {
            Persist::Storage => self.store(change),
            Persist::LedgerOnly => {
                self.needs_write_back = true;
                self.written(change, now)
            }
        }
    }

    pub(super) fn store(&mut self, change: Change<F>) -> State<F> {
        self.writes.begin();
        self.perform(Action::Store {
            session: Arc::clone(&self.session),
        });
        State::Storing(change)
    }

    pub(super) fn store_succeeded(&mut self, change: Change<F>, now: Moment) -> State<F> {
        self.stored = self.session.refresh_token().cloned();
        self.needs_write_back = false;
        self.written(change, now)
    }

    /// Another writer was faster: the new values are merged into the stored session. Its refresh token is
    /// kept if it is neither the one that was read nor the one that was spent: it then comes from another
    /// refresh, is valid too, and may be newer.
    pub(super) fn conflict(
        &mut self,
        change: Change<F>,
        theirs: Arc<Session>,
        now: Moment,
    ) -> State<F> {
        let ours = self.session.refresh_token();
        let is_older = theirs.refresh_token() == self.stored.as_ref()
            || theirs.refresh_token() == Some(&change.spent);
        let mut news = change.delta.clone();
        news.refresh_token = ours.filter(|_| is_older).cloned();
        self.stored = theirs.refresh_token().cloned();
        self.session = theirs;
        self.needs_write_back = false;
        if change.is_write_back() {
            // The lease, if it is ours, is not to be asked for again: that would be in our own way.
            let purpose = match self.lease {
                Some(_) => Purpose::Leased,
                None => Purpose::Start,
            };
            return self.recall(purpose, now);
        }
        Arc::make_mut(&mut self.session).apply(&news);
        match self.writes.after_conflict() {
            NextWrite::AtOnce => self.store(change),
            NextWrite::AfterPause(_) | NextWrite::GiveUp => self.not_stored(change, None, now),
        }
    }

    pub(super) fn store_failed(
        &mut self,
        change: Change<F>,
        failure: F,
        is_transient: bool,
        now: Moment,
    ) -> State<F> {
        let is_required = !change.is_write_back();
        match self.writes.after_failure(is_transient, is_required) {
            NextWrite::AfterPause(attempt) => {
                self.perform(Action::BackOff { attempt });
                State::PausingWrites(change)
            }
            NextWrite::AtOnce | NextWrite::GiveUp => self.not_stored(change, Some(failure), now),
        }
    }

    /// The ledger has what the storage lacks, and the next use writes it.
    pub(super) fn not_stored(
        &mut self,
        change: Change<F>,
        failure: Option<F>,
        now: Moment,
    ) -> State<F> {
        self.needs_write_back = true;
        self.perform(Action::Tell(Notice::NotStored(failure)));
        self.written(change, now)
    }

    pub(super) fn written(&mut self, change: Change<F>, now: Moment) -> State<F> {
        match change.then {
            Then::FetchKeys(answer) => self.fetch_keys(*answer),
            Then::HandOut(token) => self.finish(Ok(token), now),
            Then::Finish(token) => {
                if token.is_ok() {
                    self.perform(Action::Tell(Notice::Refreshed {
                        target: self.job.wanted.target.clone(),
                        rotated: change.delta.refresh_token.is_some(),
                    }));
                }
                self.finish(token, now)
            }
        }
    }
}

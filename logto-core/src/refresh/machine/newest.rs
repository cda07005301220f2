//! The right to spend the refresh token: against other processes, and against a newer token.

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        Action, LEASE_TTL, Moment, NEWEST_FOR, Notice, RefreshError, SessionEnd, Spend,
        TokenStatus,
        lease::{HeldLease, MAX_WAIT, POLL_INTERVAL, Right},
        state::{Purpose, State, Why},
        token_status::witness,
    },
    Refresh,
};
use crate::metadata::ProviderMetadata;

/// How often the provider is asked before one request. An answer that arrives too late to be valid is
/// requested again.
const MAX_QUESTIONS: u32 = 3;

impl<F: Clone> Refresh<F> {
    pub(super) fn take_lease(&mut self, now: Moment) -> State<F> {
        self.perform(Action::Lease { ttl: LEASE_TTL });
        State::Leasing {
            asked_at: now.monotonic,
        }
    }

    pub(super) fn leased(&mut self, lease: HeldLease) -> State<F> {
        self.lease = Some(lease);
        self.has_spent = false;
        // The previous holder may have refreshed since the caller read the session.
        self.load(Purpose::Leased)
    }

    pub(super) fn busy(&mut self, now: Moment) -> State<F> {
        let since = *self.busy_since.get_or_insert(now.monotonic);
        if now.monotonic.saturating_sub(since) > MAX_WAIT {
            return self.finish(Err(RefreshError::Busy), now);
        }
        State::Waiting {
            until: now.monotonic.saturating_add(POLL_INTERVAL),
        }
    }

    pub(super) fn has_lease(&self, now: Moment) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.is_valid(now.monotonic))
    }

    /// Whether another process may have spent the refresh token without our knowing.
    pub(super) fn must_ask(&self) -> bool {
        self.right() != Right::Ours
    }

    pub(super) fn right(&self) -> Right {
        let grant = self.lease.as_ref().map(HeldLease::grant);
        let grant = grant.unwrap_or_default();
        Right::of(grant, self.job.is_exclusive, self.has_ledger_answered)
    }

    pub(super) fn is_newest(&mut self, status: TokenStatus) {
        self.status = Some(status);
        self.note(status);
    }

    pub(super) fn note(&mut self, status: TokenStatus) {
        if let Some(refresh_token) = self.session.refresh_token().cloned() {
            self.perform(Action::Note {
                refresh_token,
                status,
            });
        }
    }

    pub(super) fn prepared(&mut self, metadata: Arc<ProviderMetadata>, now: Moment) -> State<F> {
        self.metadata = Some(metadata);
        self.assure_newest(now)
    }

    pub(super) fn assure_newest(&mut self, now: Moment) -> State<F> {
        if !self.has_lease(now) {
            return self.take_lease_again(now);
        }
        let status = self.status;
        let known_replaced = matches!(status, Some(TokenStatus::Replaced { .. }));
        if !self.must_ask() && !known_replaced {
            return self.send_first(None, now);
        }
        match TokenStatus::spend(status, now.monotonic) {
            Spend::Until(start_by) => self.send_first(Some(start_by), now),
            Spend::AskFirst => self.ask(Why::BeforeUse, now),
            Spend::Superseded => self.finish(Err(RefreshError::Superseded), now),
            // Another browser may have a newer cookie of the same session, but there is no newer record.
            Spend::Ended if self.job.is_exclusive => self.end(SessionEnd::Superseded, now),
            Spend::Ended => self.finish(Err(RefreshError::Ended(SessionEnd::Superseded)), now),
        }
    }

    pub(super) fn ask(&mut self, why: Why, now: Moment) -> State<F> {
        let Some(token) = self.session.refresh_token().cloned() else {
            return self.finish(Err(RefreshError::Superseded), now);
        };
        if self.questions == MAX_QUESTIONS {
            // Each answer came too late to be valid.
            return self.finish(Err(RefreshError::Busy), now);
        }
        self.questions += 1;
        self.perform(Action::Ask { token });
        State::Asking {
            asked_at: now.monotonic,
            why,
        }
    }

    pub(super) fn active(&mut self, asked_at: Duration, why: Why, now: Moment) -> State<F> {
        match why {
            Why::BeforeUse => self.active_before_use(asked_at, now),
            // Refused although it is active: its user is suspended.
            Why::Refused => self.end(SessionEnd::RefreshTokenRefused, now),
        }
    }

    /// The refresh token is the newest one, or was replaced less than three seconds ago: Logto reports it as
    /// active for as long as it tolerates its use. The answer is therefore valid for this request only, and
    /// not for long.
    fn active_before_use(&mut self, asked_at: Duration, now: Moment) -> State<F> {
        if !self.has_lease(now) {
            return self.take_lease_again(now);
        }
        let start_by = asked_at.saturating_add(NEWEST_FOR);
        match now.monotonic < start_by {
            true => self.send_first(Some(start_by), now),
            false => self.ask(Why::BeforeUse, now),
        }
    }

    /// The provider does not let this application ask.
    pub(super) fn unanswered(&mut self, why: Why, now: Moment) -> State<F> {
        match why {
            Why::BeforeUse => self.send_first(None, now),
            Why::Refused => self.end(SessionEnd::RefreshTokenRefused, now),
        }
    }

    /// This process was suspended for longer than the lease lasts. Another one may have it.
    fn take_lease_again(&mut self, now: Moment) -> State<F> {
        self.lease = None;
        self.take_lease(now)
    }

    /// The refresh token is not active: it was replaced and the session continues elsewhere, or the grant has
    /// ended.
    pub(super) fn ask_witness(&mut self, why: Why, now: Moment) -> State<F> {
        match witness(&self.session, now.wall) {
            Some(token) => {
                self.perform(Action::Ask { token });
                State::Witnessing { why }
            }
            None => self.no_witness(why, now),
        }
    }

    /// It cannot be found out. A provider that refused the refresh token refuses it again.
    pub(super) fn no_witness(&mut self, why: Why, now: Moment) -> State<F> {
        match why {
            Why::BeforeUse => self.superseded(now),
            Why::Refused => self.end(SessionEnd::RefreshTokenRefused, now),
        }
    }

    pub(super) fn superseded(&mut self, now: Moment) -> State<F> {
        self.note(TokenStatus::Replaced {
            since: now.monotonic,
        });
        self.perform(Action::Tell(Notice::Superseded));
        self.finish(Err(RefreshError::Superseded), now)
    }
}

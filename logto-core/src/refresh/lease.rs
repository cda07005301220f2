//! The lease of a session, and its term.

use std::time::Duration;

use super::LeaseGrant;

/// How long a lease lasts that is not renewed. A process that dies with it blocks the others this long.
pub const LEASE_TTL: Duration = Duration::from_secs(6);
/// How often a lease is renewed. Two renewals may fail before it ends.
const RENEW_INTERVAL: Duration = Duration::from_secs(2);
/// How long to wait for another process that refreshes the same session. Longer than a lease, so that a
/// process that waits for a crashed one gets the lease instead of an error.
pub(super) const MAX_WAIT: Duration = LEASE_TTL.saturating_add(Duration::from_secs(2));
/// How often to check whether the other process is done.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeldLease {
    grant: LeaseGrant,
    valid_until: Duration,
    renew_at: Duration,
    is_renewing: bool,
}

impl HeldLease {
    /// The lease that was requested at `asked_at`.
    pub(super) fn new(grant: LeaseGrant, asked_at: Duration) -> Self {
        let mut lease = Self {
            grant,
            valid_until: Duration::MAX,
            renew_at: Duration::MAX,
            is_renewing: false,
        };
        if grant.is_shared {
            lease.prolong(asked_at);
        }
        lease
    }

    pub(super) fn grant(&self) -> LeaseGrant {
        self.grant
    }

    /// Whether no other process can have the lease at `now`.
    pub(super) fn is_valid(&self, now: Duration) -> bool {
        now < self.valid_until
    }

    /// Until when the lease is ours, unless it is renewed; `None` if no other process shares it.
    pub(super) fn valid_until(&self) -> Option<Duration> {
        self.grant.is_shared.then_some(self.valid_until)
    }

    /// When to renew it; `None` while a renewal is in flight or not needed.
    pub(super) fn renew_at(&self) -> Option<Duration> {
        let is_needed = self.grant.is_shared && !self.is_renewing && self.renew_at < Duration::MAX;
        is_needed.then_some(self.renew_at)
    }

    /// Whether to renew it now. Returns `true` once for each renewal.
    pub(super) fn begin_renewal(&mut self, now: Duration) -> bool {
        let is_due = self.renew_at().is_some_and(|renew_at| renew_at <= now);
        self.is_renewing |= is_due;
        // The new term counts from now, when the renewal is sent: the response may be late.
        if is_due {
            self.renew_at = now;
        }
        is_due
    }

    /// The result of a renewal.
    pub(super) fn renewed(&mut self, is_ours: Option<bool>, now: Duration) {
        let asked_at = self.renew_at;
        self.is_renewing = false;
        match is_ours {
            Some(true) => self.prolong(asked_at),
            // Another process has it, or may have it.
            Some(false) => (self.valid_until, self.renew_at) = (asked_at, Duration::MAX),
            None => self.renew_at = now.saturating_add(RENEW_INTERVAL),
        }
    }

    fn prolong(&mut self, from: Duration) {
        self.valid_until = from.saturating_add(LEASE_TTL);
        self.renew_at = from.saturating_add(RENEW_INTERVAL);
    }
}

/// What a process with a lease may do with the stored refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Spend it: nobody else can have spent it unnoticed.
    Ours,
    /// Ask the provider first: not every process takes the lease.
    AskFirst,
    /// Ask first, and not release the lease before that is settled: its last holder never released it, and may have
    /// spent the refresh token.
    Takeover,
}

impl Right {
    /// `is_exclusive` is that of the [`RefreshJob`](super::RefreshJob). A ledger that fails cannot say what another
    /// process has recorded in it.
    pub(super) fn of(grant: LeaseGrant, is_exclusive: bool, has_ledger_answered: bool) -> Self {
        match (grant.was_taken_over, is_exclusive) {
            (true, _) => Self::Takeover,
            (false, true) => Self::Ours,
            (false, false) if grant.is_exclusive && has_ledger_answered => Self::Ours,
            (false, false) => Self::AskFirst,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: LeaseGrant = LeaseGrant {
        is_shared: true,
        is_exclusive: false,
        was_taken_over: false,
    };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_gives_the_right_to_spend_only_if_everybody_takes_it_and_gives_it_back() {
        use Right::{AskFirst, Ours, Takeover};
        let of_ledger = LeaseGrant {
            is_exclusive: true,
            ..SHARED
        };
        let taken_over = |grant| LeaseGrant {
            was_taken_over: true,
            ..grant
        };
        for (name, grant, is_exclusive, has_ledger_answered, expected) in [
            ("one process", LeaseGrant::default(), true, true, Ours),
            ("a store", SHARED, true, true, Ours),
            (
                "a store, taken over",
                taken_over(SHARED),
                true,
                true,
                Takeover,
            ),
            ("a ledger", of_ledger, false, true, Ours),
            ("a ledger that fails", of_ledger, false, false, AskFirst),
            (
                "a ledger, taken over",
                taken_over(of_ledger),
                false,
                true,
                Takeover,
            ),
            (
                "nothing is shared",
                LeaseGrant::default(),
                false,
                true,
                AskFirst,
            ),
        ] {
            let right = Right::of(grant, is_exclusive, has_ledger_answered);
            assert_eq!(right, expected, "{name}");
        }
    }

    #[test]
    fn a_lease_lasts_from_the_question_and_is_renewed_in_time() {
        let mut lease = HeldLease::new(SHARED, secs(10));
        assert!(!lease.begin_renewal(secs(11)));
        assert!(lease.begin_renewal(secs(12)));
        assert!(!lease.begin_renewal(secs(13)), "one renewal at a time");
        assert_eq!(lease.renew_at(), None);
        lease.renewed(Some(true), secs(15));
        assert!(lease.is_valid(secs(17)) && !lease.is_valid(secs(18)));
        assert_eq!(lease.renew_at(), Some(secs(14)));
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_until_the_lease_ends() {
        let mut lease = HeldLease::new(SHARED, secs(0));
        assert!(lease.begin_renewal(secs(2)));
        lease.renewed(None, secs(2));
        assert_eq!(lease.renew_at(), Some(secs(4)));
        assert!(lease.is_valid(secs(5)) && !lease.is_valid(secs(6)));
    }

    #[test]
    fn a_lease_that_another_process_has_is_not_valid() {
        let mut lease = HeldLease::new(SHARED, secs(0));
        assert!(lease.begin_renewal(secs(2)));
        lease.renewed(Some(false), secs(3));
        assert!(!lease.is_valid(secs(3)));
        assert!(!lease.begin_renewal(secs(99)));
        assert_eq!(lease.renew_at(), None);
    }

    #[test]
    fn a_lease_that_nobody_shares_lasts() {
        let mut lease = HeldLease::new(LeaseGrant::default(), secs(0));
        assert!(lease.is_valid(secs(1_000_000)));
        assert!(!lease.begin_renewal(secs(1_000_000)));
        assert_eq!(lease.valid_until(), None);
    }
}

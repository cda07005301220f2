//! The life of a refresh token at Logto: when it rotates, how long a consumed one may still be used, and when
//! its use ends the whole grant. Pure: no store, no clock.

use std::time::Duration;

use crate::clock::Moment;

/// A consumed refresh token still works for this long; every use restarts the time.
pub(crate) const REUSE_LEEWAY: Duration = Duration::from_secs(3);

/// When a refresh token was issued, ends, and was last consumed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lifetime {
    pub(crate) issued_at: Moment,
    pub(crate) expires_at: Moment,
    pub(crate) consumed_at: Option<Moment>,
}

/// The part of the rule that depends on the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub(crate) rotate: bool,
    pub(crate) public: bool,
    pub(crate) ttl: Duration,
}

/// What the use of a refresh token means, before anything is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenStatus {
    Usable,
    Expired,
    /// Consumed longer ago than the leeway: its use revokes the grant.
    Replayed,
}

impl Lifetime {
    pub(crate) fn starting(now: Moment, ttl: Duration) -> Self {
        Self {
            issued_at: now,
            expires_at: now.plus(ttl),
            consumed_at: None,
        }
    }

    pub(crate) fn status(&self, now: Moment) -> TokenStatus {
        if now >= self.expires_at {
            return TokenStatus::Expired;
        }
        match self.consumed_at {
            Some(consumed_at) if now > consumed_at.plus(REUSE_LEEWAY) => TokenStatus::Replayed,
            _ => TokenStatus::Usable,
        }
    }

    /// The token that takes this one's place at a use now, or `None` when this one stays.
    ///
    /// A public application's successor inherits what is left of the lifetime, so that its session ends at a
    /// fixed time; a confidential one's restarts.
    pub(crate) fn successor(&self, policy: Policy, now: Moment) -> Option<Self> {
        if !policy.rotate {
            return None;
        }
        if policy.public {
            return Some(Self {
                issued_at: now,
                expires_at: self.expires_at,
                consumed_at: None,
            });
        }
        let whole = self.expires_at.since(self.issued_at).as_millis();
        let passed = now.since(self.issued_at).as_millis();
        (passed * 100 >= whole * 70).then(|| Self::starting(now, policy.ttl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_800_000_000_000);
    const TTL: Duration = Duration::from_secs(100);
    const CONFIDENTIAL: Policy = Policy {
        rotate: true,
        public: false,
        ttl: TTL,
    };
    const PUBLIC: Policy = Policy {
        rotate: true,
        public: true,
        ttl: TTL,
    };

    fn after(milliseconds: u64) -> Moment {
        START.plus(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_confidential_token_rotates_from_70_percent_on() {
        let token = Lifetime::starting(START, TTL);
        assert_eq!(token.successor(CONFIDENTIAL, after(69_999)), None);
        assert_eq!(
            token.successor(CONFIDENTIAL, after(70_000)),
            Some(Lifetime::starting(after(70_000), TTL))
        );
    }

    #[test]
    fn a_public_token_rotates_at_every_use_and_never_lives_longer() {
        let token = Lifetime::starting(START, TTL);
        let successor = token.successor(PUBLIC, after(10_000));
        assert_eq!(
            successor.map(|token| token.expires_at),
            Some(after(100_000))
        );
        assert_eq!(
            successor.map(|token| token.status(after(99_999))),
            Some(TokenStatus::Usable)
        );
        assert_eq!(
            successor.map(|token| token.status(after(100_000))),
            Some(TokenStatus::Expired)
        );
    }

    #[test]
    fn without_rotation_a_token_never_changes() {
        let token = Lifetime::starting(START, TTL);
        let policy = Policy {
            rotate: false,
            ..CONFIDENTIAL
        };
        assert_eq!(token.successor(policy, after(99_999)), None);
    }

    #[test]
    fn a_consumed_token_is_usable_for_three_seconds() {
        let token = Lifetime {
            consumed_at: Some(after(1_000)),
            ..Lifetime::starting(START, TTL)
        };
        assert_eq!(token.status(after(4_000)), TokenStatus::Usable);
        assert_eq!(token.status(after(4_001)), TokenStatus::Replayed);
    }
}

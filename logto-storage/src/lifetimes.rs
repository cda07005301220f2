//! How long sessions live.

use std::time::Duration;

use logto_core::{Session, UnixTime};

/// How long the record of a session that has reached its longest lifetime is kept, so that its user can be
/// informed.
const LIFETIME_REACHED_RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long a storage keeps a session, whatever the browser sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long a session lives after it was last in use. Default: 14 days.
    pub idle: Duration,
    /// How long a session lives in total, counted from the sign-in. Default: 180 days, as long as Logto keeps
    /// replacing refresh tokens.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(14 * 24 * 60 * 60),
            absolute: Duration::from_secs(180 * 24 * 60 * 60),
        }
    }
}

/// When a session ends if nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) idle: UnixTime,
    pub(crate) absolute: UnixTime,
}

impl Expiry {
    pub(crate) fn of(session: &Session, lifetimes: Lifetimes, now: UnixTime) -> Self {
        Self {
            idle: now.plus(lifetimes.idle),
            absolute: session.created_at().plus(lifetimes.absolute),
        }
    }

    pub(crate) fn is_over(self, now: UnixTime) -> bool {
        now >= self.idle || self.has_reached_lifetime(now)
    }

    pub(crate) fn has_reached_lifetime(self, now: UnixTime) -> bool {
        now >= self.absolute
    }

    /// Until when a record of the session is kept. The session may have ended before that.
    pub(crate) fn known_until(self) -> UnixTime {
        self.idle
            .min(self.absolute.plus(LIFETIME_REACHED_RETENTION))
    }
}

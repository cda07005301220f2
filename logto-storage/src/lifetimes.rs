//! How long sessions live.

use std::time::Duration;

use logto_core::{Session, UnixTime};

/// How long a storage keeps a session, whatever the browser sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long a session lives after it was last written or, in storages that notice it, last read. Default:
    /// 14 days, as long as an unused refresh token of Logto.
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
        now >= self.idle || now >= self.absolute
    }
}

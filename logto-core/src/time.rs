//! Time in the protocol's unit.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A time in whole seconds since 1970-01-01T00:00:00Z, without leap seconds: the `NumericDate` of
/// [RFC 7519 section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2).
///
/// The core never reads a clock: every function whose result depends on the time takes `now`. All arithmetic
/// saturates, so that no value from a server or a cookie can overflow it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time `seconds` after the epoch; negative before it.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// This time plus a duration. Saturates instead of overflowing.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_seconds(duration)))
    }

    /// This time minus a duration. Saturates instead of overflowing.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_seconds(duration)))
    }

    /// How long after `earlier` this time is; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f53_arithmetic_saturates_at_both_ends() {
        let end = UnixTime::from_secs(i64::MAX);
        let beginning = UnixTime::from_secs(i64::MIN);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(beginning.minus(Duration::MAX), beginning);
        assert_eq!(end.since(beginning), Duration::from_secs(i64::MAX as u64));
        assert_eq!(beginning.since(end), Duration::ZERO);
        assert_eq!(UnixTime::from_secs(0).plus(Duration::MAX), end);
    }
}

//! When a session was last in use: a mark beside the value, so that the value is not written again for each
//! use.
//!
//! A value that is written although nothing in it has changed can reach the browser after a newer one and
//! replace it, and with it the refresh token. A mark contains no refresh token. It is sealed for its session,
//! so it cannot prolong another one, and it only moves the end of the idle lifetime.

use std::time::Duration;

use logto_client::seal::{MAX_OVERHEAD, OVERHEAD};
use logto_core::UnixTime;

const LAST_USE_LEN: usize = size_of::<i64>();

/// Characters of a mark as a part of the handle.
pub(super) const SEALED_LEN: usize = ((OVERHEAD + LAST_USE_LEN) * 4).div_ceil(3);

/// Characters of a mark that an older release has sealed, which is the longest.
pub(super) const MAX_SEALED_LEN: usize = ((MAX_OVERHEAD + LAST_USE_LEN) * 4).div_ceil(3);

/// When a session was last in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LastUse(UnixTime);

impl LastUse {
    pub(super) const fn at(now: UnixTime) -> Self {
        Self(now)
    }

    pub(super) fn to_bytes(self) -> [u8; LAST_USE_LEN] {
        self.0.as_secs().to_be_bytes()
    }

    /// Reads a mark, unless it is from further in the future than a session may be `idle`.
    ///
    /// A process with a wrong clock may have replaced the only mark of a session in daily use, so a mark from
    /// the future counts. A clock that is further ahead finds the session idle and creates no mark, and a mark
    /// with such a time would keep an unused session alive until then.
    pub(super) fn from_bytes(bytes: &[u8], now: UnixTime, idle: Duration) -> Option<Self> {
        let seconds = i64::from_be_bytes(bytes.try_into().ok()?);
        let at = UnixTime::from_secs(seconds);
        (at <= now.plus(idle)).then_some(Self(at))
    }

    /// When the session is idle for too long.
    pub(super) fn idle_end(self, idle: Duration) -> UnixTime {
        self.0.plus(idle)
    }
}

/// Whether a new mark is due for a session whose idle lifetime currently ends at `idle_end`: once a day with
/// the default of 14 days.
pub(super) fn is_due(idle_end: UnixTime, idle: Duration, now: UnixTime) -> bool {
    now.plus(idle).since(idle_end) >= idle / 14
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    #[test]
    fn s14_a_mark_from_further_in_the_future_than_a_session_may_be_idle_is_none() {
        for idle in [3_600, 1_209_600] {
            for (ahead, is_read) in [(0, true), (idle, true), (idle + 1, false)] {
                let mark = LastUse::at(NOW.plus(Duration::from_secs(ahead)));
                let read = LastUse::from_bytes(&mark.to_bytes(), NOW, Duration::from_secs(idle));
                assert_eq!(read, is_read.then_some(mark), "{ahead}");
            }
        }
        for bytes in [&[][..], &[0; 7], &[0; 9]] {
            assert_eq!(LastUse::from_bytes(bytes, NOW, Duration::MAX), None);
        }
    }

    #[test]
    fn s14_a_mark_is_due_once_a_day() {
        const DAY: Duration = Duration::from_secs(86_400);
        let second = Duration::from_secs(1);
        for idle in [DAY * 14, DAY * 28, DAY] {
            let end = LastUse::at(NOW).idle_end(idle);
            assert!(!is_due(end, idle, NOW));
            assert!(!is_due(end, idle, NOW.plus(idle / 14).minus(second)));
            assert!(is_due(end, idle, NOW.plus(idle / 14).plus(second)));
        }
    }
}

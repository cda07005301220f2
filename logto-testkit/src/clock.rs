//! The provider's clock: the system's, or one that a test moves by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat};

/// A clock that moves only when a test moves it.
///
/// Clones share the same time. The provider uses it for everything it does: token lifetimes, the three
/// seconds in which a consumed refresh token may be used again, expiring sessions.
///
/// ```
/// use std::time::Duration;
/// use logto_testkit::TestClock;
///
/// let clock = TestClock::at_unix_seconds(1_800_000_000);
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.unix_seconds(), 1_800_000_090);
/// ```
#[derive(Clone, Debug)]
pub struct TestClock {
    milliseconds: Arc<AtomicU64>,
}

impl TestClock {
    /// A clock that starts at the real time and then stands still.
    pub fn new() -> Self {
        Self::from_moment(Moment::from_system())
    }

    /// A clock that starts at `time`, in milliseconds; moments before 1970 count as 1970.
    pub fn at(time: SystemTime) -> Self {
        Self::from_moment(Moment::from(time))
    }

    /// A clock that starts `seconds` after 1970-01-01T00:00:00Z.
    pub fn at_unix_seconds(seconds: u64) -> Self {
        Self::from_moment(Moment::at_unix_seconds(seconds))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.set_moment(self.moment().plus(duration));
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, time: SystemTime) {
        self.set_moment(Moment::from(time));
    }

    /// What the clock shows.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.moment().0)
    }

    /// What the clock shows, in whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(&self) -> u64 {
        self.moment().seconds()
    }

    fn from_moment(moment: Moment) -> Self {
        Self {
            milliseconds: Arc::new(AtomicU64::new(moment.0)),
        }
    }

    fn moment(&self) -> Moment {
        Moment(self.milliseconds.load(Ordering::SeqCst))
    }

    fn set_moment(&self, moment: Moment) {
        self.milliseconds.store(moment.0, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the provider takes the time from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Test(TestClock),
}

impl Clock {
    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System => Moment::from_system(),
            Self::Test(clock) => clock.moment(),
        }
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// The only place where the test provider reads the system's clock: for a provider without a
    /// [`TestClock`], and as the first reading of one.
    #[allow(clippy::disallowed_methods)]
    fn from_system() -> Self {
        Self::from(SystemTime::now())
    }

    pub(crate) fn at_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub(crate) fn milliseconds(self) -> u64 {
        self.0
    }

    pub(crate) fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// As JavaScript's `toISOString` writes it; empty for a time beyond the calendar.
    pub(crate) fn to_iso(self) -> String {
        let time = i64::try_from(self.0).ok();
        let time = time.and_then(DateTime::from_timestamp_millis);
        time.map_or_else(String::new, |time| {
            time.to_rfc3339_opts(SecondsFormat::Millis, true)
        })
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, milliseconds))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Clocks that a test moves.

use std::{path::PathBuf, time::Duration};

use logto_client::clock::{Clock, SystemClock};
use logto_core::UnixTime;
use logto_testkit::TestClock;

/// The time of day of a [`TestClock`], so that an application and its Logto share it. The monotonic clock is
/// the system's.
#[derive(Clone, Debug)]
pub struct KitClock {
    clock: TestClock,
    system: SystemClock,
}

impl KitClock {
    /// The time of `clock`.
    pub fn new(clock: TestClock) -> Self {
        Self {
            clock,
            system: SystemClock::default(),
        }
    }
}

impl Clock for KitClock {
    fn now(&self) -> UnixTime {
        let seconds = i64::try_from(self.clock.unix_seconds());
        UnixTime::from_secs(seconds.unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

/// A clock that reads the time of day from a file, in seconds since 1970, so that a test can move the clock of
/// another process. If the file cannot be read, the time is the system's.
#[derive(Clone, Debug)]
pub struct FileClock {
    file: PathBuf,
    system: SystemClock,
}

impl FileClock {
    /// A clock with the time in `file`, which is read at every call.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            system: SystemClock::default(),
        }
    }
}

impl Clock for FileClock {
    fn now(&self) -> UnixTime {
        let text = std::fs::read_to_string(&self.file).ok();
        let seconds = text.and_then(|text| text.trim().parse().ok());
        seconds.map_or_else(|| self.system.now(), UnixTime::from_secs)
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

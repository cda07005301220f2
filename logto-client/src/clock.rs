//! The time of day and the time that has passed.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{fmt, sync::OnceLock, time::Duration};

use logto_core::UnixTime;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use crate::runtime::{MaybeSend, MaybeSync};

/// A wall clock and a monotonic clock. Tests use clocks that they control.
pub trait Clock: fmt::Debug + MaybeSend + MaybeSync {
    /// The time of day. It may jump in either direction.
    fn now(&self) -> UnixTime;

    /// The time that has passed since a fixed moment. It never decreases.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks; on WebAssembly, the JavaScript runtime's.
#[derive(Clone, Debug, Default)]
pub struct SystemClock {
    started: OnceLock<Instant>,
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the system's clocks"
)]
impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        UnixTime::from_secs(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.get_or_init(Instant::now).elapsed()
    }
}

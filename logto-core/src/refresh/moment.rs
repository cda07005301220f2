//! The time, by two clocks.

use std::time::Duration;

use crate::time::UnixTime;

/// The time, by two clocks. Tokens expire by the wall clock, which may be set back or forward. Durations are
/// measured by the monotonic clock, which never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Time of day.
    pub wall: UnixTime,
    /// Time since some fixed moment in this process.
    pub monotonic: Duration,
}

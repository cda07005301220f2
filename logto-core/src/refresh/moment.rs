//! The time as the refresh knows it.

use std::time::Duration;

use crate::time::UnixTime;

/// The time, by two clocks. Tokens end by the wall clock, which may be set back or forward; how long
/// something took is measured by the other one, which never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Time of day.
    pub wall: UnixTime,
    /// Time since some fixed moment in this process.
    pub monotonic: Duration,
}

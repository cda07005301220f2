//! Giving way to other processes that wait for the lease of a session.

use std::time::Duration;

/// How long a process may keep taking the lease of a session before it gives way. A page that needs a few
/// tokens is done by then.
const MAX_RUN: Duration = Duration::from_millis(250);
/// How long it gives way: longer than the interval at which other processes check whether the lease is free.
const YIELD_PAUSE: Duration = Duration::from_millis(75);

/// The leases of a session that a process had one right after the other.
///
/// Processes that wait for a lease check it every 50 ms. One that takes it again right after it gave it back
/// would always be faster, and the others would wait until they give up. A queue in the store would cost a call
/// for each lease; this costs nothing, and a pause only in a long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRun {
    since: Duration,
    released_at: Duration,
}

impl LeaseRun {
    /// Adds a lease that was requested at `asked_at` and given back at `now`. `before` is the run before it.
    pub fn released(before: Option<Self>, asked_at: Duration, now: Duration) -> Self {
        let before = before.filter(|before| before.goes_on(asked_at));
        Self {
            since: before.map_or(asked_at, |before| before.since),
            released_at: now,
        }
    }

    /// How long to wait before the lease is requested at `now`.
    pub fn pause(self, now: Duration) -> Duration {
        let is_long = self.released_at.saturating_sub(self.since) >= MAX_RUN;
        match is_long && self.goes_on(now) {
            true => YIELD_PAUSE,
            false => Duration::ZERO,
        }
    }

    /// Whether no other process had enough time to take the lease before `now`.
    fn goes_on(self, now: Duration) -> bool {
        now.saturating_sub(self.released_at) < YIELD_PAUSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_gives_way_and_a_short_one_or_one_with_a_gap_does_not() {
        let ms = Duration::from_millis;
        // Leases by when they were asked for and given back; when the next one is asked for, and its pause.
        for (leases, next, pause) in [
            (&[(0, 100)][..], 100, 0),
            (&[(0, 100), (101, 200)], 201, 0),
            (&[(0, 100), (101, 200), (201, 300)], 301, 75),
            (&[(0, 100), (101, 200), (201, 300)], 374, 75),
            (&[(0, 100), (101, 200), (201, 300)], 375, 0),
            (&[(0, 4_000)], 4_000, 75),
            // It gave way, and a new run begins.
            (&[(0, 100), (101, 300), (375, 475)], 476, 0),
            (&[(0, 100), (175, 275), (350, 450)], 451, 0),
        ] {
            let mut run = None;
            for &(asked_at, now) in leases {
                run = Some(LeaseRun::released(run, ms(asked_at), ms(now)));
            }
            let found = run.map(|run| run.pause(ms(next)));
            assert_eq!(found, Some(ms(pause)), "{leases:?}, {next}");
        }
    }
}

//! How often one refresh request is sent.

use std::time::Duration;

/// Logto accepts a replaced refresh token for three seconds and ends the grant when it comes later. A replay
/// must arrive within that time, counted from the earliest moment at which the first request can have been
/// processed: when it was sent. Half a second remains for the transfer.
const REPLAY_WINDOW: Duration = Duration::from_millis(2500);

/// How often a request that was certainly not sent is repeated.
const MAX_RECONNECTS: u32 = 2;

/// What was tried so far for one refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Attempts {
    reconnects: u32,
    first_sent_at: Option<Duration>,
    replayed: bool,
}

/// What to do after an attempt without a usable response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextAttempt {
    /// Nothing was sent. Send it after a pause, for the `n`th time.
    Reconnect(u32),
    /// The response is lost. Send the same refresh token again at once: if Logto has replaced it, only the
    /// response to a replay can still deliver the new one.
    Replay,
    /// Stop. Another attempt would be useless, or too late.
    GiveUp,
}

impl Attempts {
    /// The request was certainly not sent.
    pub(super) fn not_sent(&mut self, now: Duration) -> NextAttempt {
        if self.reconnects == MAX_RECONNECTS || !self.in_time(now) {
            return NextAttempt::GiveUp;
        }
        self.reconnects += 1;
        NextAttempt::Reconnect(self.reconnects)
    }

    /// The request that left at `sent_at` may have been processed, and its response is lost.
    pub(super) fn lost(&mut self, sent_at: Duration, now: Duration) -> NextAttempt {
        self.first_sent_at.get_or_insert(sent_at);
        if self.replayed || !self.in_time(now) {
            return NextAttempt::GiveUp;
        }
        self.replayed = true;
        NextAttempt::Replay
    }

    /// Whether a response was lost: the refresh token may have been replaced.
    pub(super) fn may_have_been_processed(&self) -> bool {
        self.first_sent_at.is_some()
    }

    /// Until when a request with the same refresh token may be sent.
    pub(super) fn start_by(&self) -> Option<Duration> {
        Some(self.first_sent_at?.saturating_add(REPLAY_WINDOW))
    }

    fn in_time(&self, now: Duration) -> bool {
        self.start_by().is_none_or(|start_by| now < start_by)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        NextAttempt::{GiveUp, Reconnect, Replay},
        *,
    };

    #[derive(Clone, Copy)]
    enum Happened {
        NotSent(u64),
        /// When it left, and when that became known.
        Lost(u64, u64),
    }
    use Happened::{Lost, NotSent};

    #[test]
    fn s4_one_replay_in_time_and_two_reconnects() {
        for (name, history) in [
            (
                "nothing leaves",
                &[
                    (NotSent(0), Reconnect(1)),
                    (NotSent(100), Reconnect(2)),
                    (NotSent(300), GiveUp),
                ][..],
            ),
            (
                "one replay",
                &[(Lost(0, 100), Replay), (Lost(110, 200), GiveUp)],
            ),
            ("the last moment", &[(Lost(0, 2499), Replay)]),
            ("too late", &[(Lost(0, 2500), GiveUp)]),
            (
                "the window begins when the first request left",
                &[
                    (NotSent(9_000), Reconnect(1)),
                    (Lost(9_100, 11_599), Replay),
                ],
            ),
            (
                "a replay that did not leave is tried again in time",
                &[
                    (Lost(0, 100), Replay),
                    (NotSent(200), Reconnect(1)),
                    (NotSent(2_600), GiveUp),
                ],
            ),
        ] {
            let mut attempts = Attempts::default();
            for (happened, expected) in history {
                let ms = Duration::from_millis;
                let next = match *happened {
                    NotSent(now) => attempts.not_sent(ms(now)),
                    Lost(sent_at, now) => attempts.lost(ms(sent_at), ms(now)),
                };
                assert_eq!(next, *expected, "{name}");
            }
        }
    }
}

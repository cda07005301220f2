//! Whether a refresh token is still the newest one of its session, where only the provider knows.
//!
//! A session cookie opens as it was sealed, however old it is, and the refresh token in it may have been
//! replaced by another process. Logto forgives the use of a replaced token for three seconds and ends the
//! grant after that. Introspection tells the same without that price
//! ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): a token that was replaced, has expired or was
//! revoked is not active.

use std::time::Duration;

use super::Moment;
use crate::time::UnixTime;

/// For how long after the question a refresh token that was the newest one may be spent. Another process
/// may replace it right after the question; Logto then forgives for three seconds, and one of them is
/// left for the way.
pub const NEWEST_FOR: Duration = Duration::from_secs(2);

/// After this long no request with an old cookie is still on its way: proxies and browsers give up sooner.
/// A browser that sends the same cookie again has no other.
pub const SUPERSEDED_FOR: Duration = Duration::from_secs(60);

/// What this process knows about a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenStatus {
    /// The provider was asked then, and the token was active.
    Newest {
        /// When the question was sent, by the monotonic clock.
        asked_at: Duration,
    },
    /// It is not active any more, as this process learned then.
    Replaced {
        /// When that became known.
        since: UnixTime,
    },
}

/// Whether a refresh token may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// Yes, if the request leaves until then.
    Until(Duration),
    /// Not before the provider was asked.
    AskFirst,
    /// No. A newer cookie of the same session may be on its way, so the request fails and the session
    /// goes on.
    Superseded,
    /// No, and the browser has no newer cookie: the session has ended.
    Ended,
}

impl TokenStatus {
    /// Whether a refresh token of this status may be spent.
    pub fn spend(status: Option<Self>, now: Moment) -> Spend {
        match status {
            Some(Self::Newest { asked_at }) => {
                let until = asked_at.saturating_add(NEWEST_FOR);
                match now.monotonic < until {
                    true => Spend::Until(until),
                    false => Spend::AskFirst,
                }
            }
            Some(Self::Replaced { since }) if now.wall.since(since) < SUPERSEDED_FOR => {
                Spend::Superseded
            }
            Some(Self::Replaced { .. }) => Spend::Ended,
            None => Spend::AskFirst,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn f36_the_time_counts_from_the_question() {
        let secs = Duration::from_secs;
        let newest = Some(TokenStatus::Newest { asked_at: secs(10) });
        let replaced = Some(TokenStatus::Replaced {
            since: UnixTime::from_secs(10),
        });
        for (status, now, expected) in [
            (None, 0, Spend::AskFirst),
            (newest, 10, Spend::Until(secs(12))),
            (newest, 11, Spend::Until(secs(12))),
            (newest, 12, Spend::AskFirst),
            (newest, 9_999, Spend::AskFirst),
            (replaced, 10, Spend::Superseded),
            (replaced, 69, Spend::Superseded),
            (replaced, 70, Spend::Ended),
        ] {
            let moment = Moment {
                wall: UnixTime::from_secs(i64::try_from(now).unwrap()),
                monotonic: secs(now),
            };
            let spend = TokenStatus::spend(status, moment);
            assert_eq!(spend, expected, "{status:?} at {now}");
        }
    }
}

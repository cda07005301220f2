//! Whether a refresh token is still the newest one of its session, where only the provider knows.
//!
//! A session cookie opens as it was sealed, however old it is, and the refresh token in it may have been
//! replaced by another process. Logto tolerates the use of a replaced token for three seconds and ends the
//! grant after that. Introspection answers the question without that risk ([RFC
//! 7662](https://www.rfc-editor.org/rfc/rfc7662)): a token that was replaced more than three seconds ago, has
//! expired or was revoked is not active.

use std::time::Duration;

use crate::{secret::Secret, session::Session, time::UnixTime, tokens::TokenTarget};

/// An access token that expires within this time proves nothing by being inactive: the clocks may differ.
const WITNESS_MARGIN: Duration = Duration::from_secs(60);

/// For how long a refresh token may be spent after it came from the provider, or after an introspection that
/// found it active. Another process may replace it right after that, or just before the introspection: Logto
/// reports a token as active for as long as it tolerates its use. That is three seconds, of which one remains
/// for the transfer.
pub const NEWEST_FOR: Duration = Duration::from_secs(2);

/// After this long no request with an old cookie is still on its way: proxies and browsers give up sooner. A
/// browser that then still sends the same cookie has no newer one.
pub const SUPERSEDED_FOR: Duration = Duration::from_secs(60);

/// What this process knows about a refresh token. Times are monotonic: a wall clock that is set forward must
/// not make a stale cookie count as the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenStatus {
    /// The provider issued it, or accepted it without replacing it.
    Newest {
        /// When the request for that was sent.
        since: Duration,
    },
    /// It is not active any more, as this process learned then.
    Replaced {
        /// When that became known.
        since: Duration,
    },
}

/// Whether a refresh token may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spend {
    /// Yes, if the request is sent before that time.
    Until(Duration),
    /// Only after asking the provider.
    AskFirst,
    /// No. A newer cookie of the same session may be on its way, so the request fails and the session
    /// continues.
    Superseded,
    /// No, and the browser has no newer cookie: the session has ended.
    Ended,
}

impl TokenStatus {
    /// Whether a refresh token of this status may be spent.
    pub(super) fn spend(status: Option<Self>, now: Duration) -> Spend {
        match status {
            Some(Self::Newest { since }) => {
                let until = since.saturating_add(NEWEST_FOR);
                match now < until {
                    true => Spend::Until(until),
                    false => Spend::AskFirst,
                }
            }
            Some(Self::Replaced { since }) if now.saturating_sub(since) < SUPERSEDED_FOR => {
                Spend::Superseded
            }
            Some(Self::Replaced { .. }) => Spend::Ended,
            None => Spend::AskFirst,
        }
    }
}

/// The opaque access token of a session, which tells why a refresh token is not active: it ends with the
/// grant and is never revoked alone, so if it is active, the refresh token was replaced.
pub(super) fn witness(session: &Session, now: UnixTime) -> Option<Secret> {
    let token = session.access_tokens().get(&TokenTarget::user_info())?;
    let is_usable = token.is_usable(now, WITNESS_MARGIN);
    is_usable.then(|| token.token.clone())
}

#[cfg(test)]
mod tests {
    use super::{
        super::catch_up::tests::{NOW, session_with},
        *,
    };

    #[test]
    fn f36_the_time_counts_from_the_request() {
        let secs = Duration::from_secs;
        let newest = Some(TokenStatus::Newest { since: secs(10) });
        let replaced = Some(TokenStatus::Replaced { since: secs(10) });
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
            let spend = TokenStatus::spend(status, secs(now));
            assert_eq!(spend, expected, "{status:?} at {now}");
        }
    }

    #[test]
    fn a_witness_is_an_opaque_access_token_that_lives_for_longer_than_clocks_differ() {
        let user_info = TokenTarget::user_info;
        let api = || TokenTarget::resource("https://api.example.com");
        for (name, held, expected) in [
            ("an hour", vec![(user_info(), 3_600)], true),
            ("a minute and a second", vec![(user_info(), 61)], true),
            ("half a minute", vec![(user_info(), 30)], false),
            ("expired", vec![(user_info(), 0)], false),
            ("for an API", vec![(api(), 3_600)], false),
            ("dropped", vec![], false),
        ] {
            let session = session_with(held);
            assert_eq!(witness(&session, NOW).is_some(), expected, "{name}");
        }
    }
}

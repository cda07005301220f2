//! Retries of requests that changed nothing at the provider.

use std::time::Duration;

use crate::time::UnixTime;

/// While a browser waits, and its code is still valid: three times, within four seconds.
///
/// The second pause is longer than the one that the caches of metadata and keys keep after a failure
/// ([`FreshnessPolicy::back_off`](crate::freshness::FreshnessPolicy::back_off)), and so is the third.
const PAUSES_BEFORE_REDEMPTION: &[Duration] = &[
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// After the code is spent, with its response in memory: giving up costs a sign-in.
const PAUSES_WITH_TOKENS: &[Duration] = &[
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// No pause begins later than this after the first failure, however long each attempt takes.
const MAX_RETRY_TIME: Duration = Duration::from_secs(10);

/// When to retry a request that certainly changed nothing at the provider.
#[derive(Clone, Debug)]
pub struct Retries {
    pauses: &'static [Duration],
    first_failure: Option<UnixTime>,
}

impl Retries {
    /// For requests before the redemption of a code: three more attempts within four seconds.
    pub const fn before_redemption() -> Self {
        Self::with(PAUSES_BEFORE_REDEMPTION)
    }

    /// For requests after the tokens were received.
    pub(super) const fn with_tokens() -> Self {
        Self::with(PAUSES_WITH_TOKENS)
    }

    const fn with(pauses: &'static [Duration]) -> Self {
        Self {
            pauses,
            first_failure: None,
        }
    }

    /// How long to pause before the next attempt, after a failure at `now`; `None` to give up. No retry follows
    /// if the server asks for a longer pause than these.
    pub fn after_failure(
        &mut self,
        retry_after: Option<Duration>,
        now: UnixTime,
    ) -> Option<Duration> {
        let first_failure = *self.first_failure.get_or_insert(now);
        let (pause, rest) = self.pauses.split_first()?;
        let longest = rest.last().unwrap_or(pause);
        let asked_for = retry_after.unwrap_or_default();
        if asked_for > *longest || now.since(first_failure) >= MAX_RETRY_TIME {
            self.pauses = &[];
            return None;
        }
        self.pauses = rest;
        Some(asked_for.max(*pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_795_335_765);

    fn pauses(mut retries: Retries, retry_after: Option<u64>, each_takes: u64) -> Vec<u128> {
        let mut now = NOW;
        let mut pauses = Vec::new();
        while let Some(pause) = retries.after_failure(retry_after.map(Duration::from_secs), now) {
            pauses.push(pause.as_millis());
            now = now.plus(pause + Duration::from_secs(each_takes));
        }
        assert_eq!(retries.after_failure(None, NOW), None, "given up for good");
        pauses
    }

    #[test]
    fn f8_the_pauses_grow_and_end() {
        let short = Retries::before_redemption;
        assert_eq!(pauses(short(), None, 0), [250, 1_000, 2_000]);
        assert_eq!(pauses(short(), Some(0), 0), [250, 1_000, 2_000]);
        assert_eq!(pauses(short(), Some(2), 0), [2_000, 2_000, 2_000]);
        assert_eq!(pauses(short(), Some(3), 0), [0; 0]);
        assert_eq!(pauses(short(), None, 10), [250]);
        let patient = pauses(Retries::with_tokens(), None, 0);
        assert_eq!(patient, [250, 1_000, 2_000, 4_000, 8_000]);
    }
}

//! The cache policy of metadata and keys: when to fetch them again.

use std::time::Duration;

use crate::time::UnixTime;

/// The longest pause that one `Retry-After` can cause. No user can sign in while the metadata is missing, and a
/// proxy that asks for an hour may be back in a second.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(20);

/// How long a fetched value stays valid, and how often to retry a provider that does not respond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreshnessPolicy {
    /// Below this age, a value is used without a fetch.
    pub fresh_for: Duration,
    /// Up to this age, a value is used while a new one is fetched, and during an outage.
    pub stale_for: Duration,
    /// The pause after a failed fetch. It doubles with every further failure, up to
    /// [`max_back_off`](Self::max_back_off).
    pub back_off: Duration,
    /// The longest pause between two attempts.
    pub max_back_off: Duration,
    /// How many fetches unknown keys may trigger in a row.
    pub burst: u32,
    /// After this time unknown keys may trigger one more fetch.
    pub refill: Duration,
}

impl FreshnessPolicy {
    /// For the discovery document: fresh for an hour, usable for a day.
    pub const METADATA: Self = Self {
        fresh_for: Duration::from_secs(3600),
        stale_for: Duration::from_secs(24 * 3600),
        back_off: Duration::from_secs(1),
        max_back_off: Duration::from_secs(60),
        burst: 0,
        refill: Duration::MAX,
    };

    /// For the key set: fresh for ten minutes, usable for a day. An unknown key triggers a fetch at once, up
    /// to four in a row, then one every 30 seconds.
    ///
    /// Logto sends its keys with `Cache-Control: no-cache`. Obeying it would make every verification wait for
    /// a request; an unknown key reveals a rotation just as well.
    pub const KEYS: Self = Self {
        fresh_for: Duration::from_secs(600),
        burst: 4,
        refill: Duration::from_secs(30),
        ..Self::METADATA
    };
}

/// What to do when a value is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookup {
    /// Use the cached value.
    Hit,
    /// Use the cached value, and fetch a new one in the background.
    HitAndRefresh,
    /// Fetch: there is no usable value.
    Fetch,
    /// There is no usable value, and it is too early for the next attempt.
    Wait(Duration),
}

/// The state of one cached value: its age, its failures, and the fetches that unknown keys triggered.
#[derive(Clone, Debug)]
pub struct Freshness {
    policy: FreshnessPolicy,
    fetched_at: Option<UnixTime>,
    failures: u32,
    failed_at: Option<UnixTime>,
    pause: Duration,
    tokens: u32,
    refilled_at: Option<UnixTime>,
}

impl Freshness {
    /// Nothing has been fetched.
    pub fn new(policy: FreshnessPolicy) -> Self {
        Self {
            policy,
            fetched_at: None,
            failures: 0,
            failed_at: None,
            pause: Duration::ZERO,
            tokens: policy.burst,
            refilled_at: None,
        }
    }

    /// What to do at `now`.
    pub fn lookup(&self, now: UnixTime) -> Lookup {
        let pause = self.remaining_pause(now);
        match self.age(now) {
            Some(age) if age < self.policy.fresh_for => Lookup::Hit,
            Some(age) if age < self.policy.stale_for => match pause {
                None => Lookup::HitAndRefresh,
                Some(_) => Lookup::Hit,
            },
            _ => pause.map_or(Lookup::Fetch, Lookup::Wait),
        }
    }

    /// Asks to fetch the value because of an unknown key. Counts against the allowance: without a limit, a
    /// flood of tokens with invented keys would be passed on to the provider as a flood of requests.
    ///
    /// # Errors
    /// The time until the allowance permits one more fetch, if it is used up. Until then it is unknown
    /// whether the provider has such a key: it may have rotated its keys more often than the allowance
    /// permits.
    pub fn fetch_for_unknown_key(&mut self, now: UnixTime) -> Result<(), Duration> {
        self.refill(now);
        if self.tokens == 0 {
            let since = self.refilled_at.unwrap_or(now);
            return Err(since.plus(self.policy.refill).since(now));
        }
        self.tokens -= 1;
        self.refilled_at.get_or_insert(now);
        Ok(())
    }

    /// A value arrived at `now`.
    pub fn fetched(&mut self, now: UnixTime) {
        self.fetched_at = Some(now);
        self.failures = 0;
        self.failed_at = None;
    }

    /// An attempt failed at `now`. The server may have sent `Retry-After`, which is respected for up to 20
    /// seconds. The cached value stays.
    pub fn failed(&mut self, now: UnixTime, retry_after: Option<Duration>) {
        let doubled = self
            .policy
            .back_off
            .saturating_mul(1 << self.failures.min(16));
        self.pause = doubled
            .min(self.policy.max_back_off)
            .max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
    }

    /// What remains of the pause after a failure; nothing if the clock was set back to before it.
    fn remaining_pause(&self, now: UnixTime) -> Option<Duration> {
        let failed_at = self.failed_at.filter(|failed_at| *failed_at <= now)?;
        let remaining = failed_at.plus(self.pause).since(now);
        (!remaining.is_zero()).then_some(remaining)
    }

    /// The age of the value. If the clock was set back, the value counts as old: otherwise it would stay
    /// fresh for as long as the clock was wrong.
    fn age(&self, now: UnixTime) -> Option<Duration> {
        self.fetched_at.map(|at| {
            if now < at {
                self.policy.fresh_for
            } else {
                now.since(at)
            }
        })
    }

    fn refill(&mut self, now: UnixTime) {
        let Some(since) = self.refilled_at else {
            return;
        };
        if now < since {
            self.refilled_at = Some(now);
            return;
        }
        let refill = self.policy.refill.as_secs().max(1);
        let gained = now.since(since).as_secs() / refill;
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(gained).min(self.policy.burst);
            let spent = Duration::from_secs(u64::from(gained).saturating_mul(refill));
            self.refilled_at = (self.tokens < self.policy.burst).then(|| since.plus(spent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn r32_a_value_ages_from_fresh_to_stale_to_gone() {
        let mut freshness = Freshness::new(FreshnessPolicy::KEYS);
        assert_eq!(freshness.lookup(at(0)), Lookup::Fetch);
        freshness.fetched(at(0));
        assert_eq!(freshness.lookup(at(599)), Lookup::Hit);
        assert_eq!(freshness.lookup(at(600)), Lookup::HitAndRefresh);
        assert_eq!(freshness.lookup(at(24 * 3600 - 1)), Lookup::HitAndRefresh);
        assert_eq!(freshness.lookup(at(24 * 3600)), Lookup::Fetch);
        assert_eq!(freshness.lookup(at(-5)), Lookup::HitAndRefresh);
    }

    #[test]
    fn c35_a_failure_passes_and_r25_keeps_the_last_good_value() {
        let mut freshness = Freshness::new(FreshnessPolicy::METADATA);
        freshness.failed(at(0), None);
        assert_eq!(
            freshness.lookup(at(0)),
            Lookup::Wait(Duration::from_secs(1))
        );
        assert_eq!(freshness.lookup(at(1)), Lookup::Fetch);
        freshness.failed(at(1), None);
        assert_eq!(
            freshness.lookup(at(1)),
            Lookup::Wait(Duration::from_secs(2))
        );
        for _ in 0..100 {
            freshness.failed(at(10), None);
        }
        assert_eq!(
            freshness.lookup(at(10)),
            Lookup::Wait(Duration::from_secs(60))
        );
        freshness.failed(at(10), Some(Duration::from_secs(120)));
        assert_eq!(
            freshness.lookup(at(10)),
            Lookup::Wait(Duration::from_secs(60))
        );
        assert_eq!(
            freshness.lookup(at(-86_400)),
            Lookup::Fetch,
            "clock went back"
        );
        freshness.fetched(at(200));
        freshness.failed(at(4000), None);
        assert_eq!(freshness.lookup(at(4000)), Lookup::Hit);
        assert_eq!(freshness.lookup(at(4001)), Lookup::HitAndRefresh);
    }

    #[test]
    fn f16_retry_after_is_respected_for_seconds_and_not_for_hours() {
        for (asked, pause) in [(0, 1), (17, 17), (600, 20), (u64::MAX, 20)] {
            let mut freshness = Freshness::new(FreshnessPolicy::METADATA);
            freshness.failed(at(0), Some(Duration::from_secs(asked)));
            let wait = Lookup::Wait(Duration::from_secs(pause));
            assert_eq!(freshness.lookup(at(0)), wait, "{asked}");
        }
    }

    #[test]
    fn r24_unknown_keys_cause_a_bounded_number_of_fetches() {
        let mut freshness = Freshness::new(FreshnessPolicy::KEYS);
        let mut fetches = 0;
        for second in 0..600 {
            for _ in 0..1000 {
                fetches += u32::from(freshness.fetch_for_unknown_key(at(second)).is_ok());
            }
        }
        assert_eq!(fetches, 4 + 599 / 30);
        assert_eq!(
            freshness.fetch_for_unknown_key(at(599)),
            Err(Duration::from_secs(1))
        );
        assert!(
            freshness.fetch_for_unknown_key(at(100_000)).is_ok(),
            "and it recovers"
        );
    }
}

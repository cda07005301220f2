//! How often to try again: not so often that a provider in trouble is buried.

use std::sync::atomic::{AtomicU32, Ordering};

/// One retry in hundredths.
const RETRY: u32 = 100;
/// What every call pays in: a fifth of a retry.
const DEPOSIT: u32 = 20;
/// What can be saved up.
const MOST: u32 = 20 * RETRY;

/// An account of retries: a fifth of all calls may be tried again, and a few more after quiet times.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicU32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

impl RetryBudget {
    /// Pays in for a call.
    pub(crate) fn deposit(&self) {
        let add = |saved: u32| Some(saved.saturating_add(DEPOSIT).min(MOST));
        // The update never refuses.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes out a retry, if there is one.
    pub(crate) fn withdraw(&self) -> bool {
        let take = |saved: u32| saved.checked_sub(RETRY);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f17_a_fifth_of_all_calls_may_be_tried_again() {
        let budget = RetryBudget::default();
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
        }
        assert!((200..=220).contains(&retries), "{retries}");
    }
}

//! The limit of retries, so that they do not overload a failing provider.

/// One retry in hundredths.
const RETRY: u32 = 100;
/// What each request adds: a fifth of a retry.
const DEPOSIT: u32 = 20;
/// The largest balance.
const MAX_SAVED: u32 = 20 * RETRY;

/// A budget of retries: a fifth of all requests may be retried, and a few more after quiet times.
///
/// The single replay that can save a session does not count against it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryBudget(u32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(MAX_SAVED)
    }
}

impl RetryBudget {
    /// Adds the share of one request.
    pub fn deposit(&mut self) {
        self.0 = self.0.saturating_add(DEPOSIT).min(MAX_SAVED);
    }

    /// Takes one retry, if the budget allows it.
    pub fn withdraw(&mut self) -> bool {
        match self.0.checked_sub(RETRY) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f17_a_fifth_of_all_calls_may_be_tried_again() {
        let mut budget = RetryBudget::default();
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
        }
        assert!((200..=220).contains(&retries), "{retries}");
    }
}

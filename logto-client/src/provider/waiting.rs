//! The shared limit of the time that the calls on one session value may wait for the provider.

use std::{sync::Mutex, time::Duration};

use super::Provider;
use crate::{clock::Clock, error::Error, single_flight::lock};

/// The share of time without waiting that is added to the budget. A page that computes between two calls gains
/// little, and a program that keeps one session value for days never runs out.
const REFILL_DIVISOR: u32 = 10;

/// The time that the calls on one session value have waited so far.
#[derive(Debug, Default)]
pub(crate) struct WaitingBudget(Mutex<Waits>);

#[derive(Debug, Default)]
struct Waits {
    spent: Duration,
    /// Overlapping waits count once.
    under_way: usize,
    /// The end of the time that was accounted for.
    at: Duration,
}

impl Provider {
    /// Waits for `work`, at most for the rest of `budget`.
    ///
    /// # Errors
    /// [`Error::WaitingBudgetSpent`]. If nothing was left to begin with, `work` is not even started.
    pub(crate) async fn wait<T>(
        &self,
        budget: &WaitingBudget,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let total = self.context.limits.waiting_budget;
        let spent = Error::WaitingBudgetSpent { budget: total };
        let Some((_wait, left)) = budget.begin(&*self.context.clock, total) else {
            return Err(spent);
        };
        self.within(left, work).await.ok_or(spent)
    }
}

impl WaitingBudget {
    /// Begins a wait, and returns how long it may last. `None` if nothing is left.
    fn begin<'a>(&'a self, clock: &'a dyn Clock, total: Duration) -> Option<(Wait<'a>, Duration)> {
        self.with(clock, |waits| {
            let left = total.saturating_sub(waits.spent);
            if left.is_zero() {
                return None;
            }
            waits.under_way += 1;
            let wait = Wait {
                budget: self,
                clock,
            };
            Some((wait, left))
        })
    }

    fn with<T>(&self, clock: &dyn Clock, change: impl FnOnce(&mut Waits) -> T) -> T {
        let mut waits = lock(&self.0);
        let now = clock.monotonic();
        let passed = now.saturating_sub(waits.at);
        waits.spent = match waits.under_way {
            0 => waits.spent.saturating_sub(passed / REFILL_DIVISOR),
            _ => waits.spent.saturating_add(passed),
        };
        waits.at = now;
        change(&mut waits)
    }
}

/// A wait in progress. It ends when this is dropped, even if its caller was cancelled.
struct Wait<'a> {
    budget: &'a WaitingBudget,
    clock: &'a dyn Clock,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.budget.with(self.clock, |waits| waits.under_way -= 1);
    }
}

//! How long the calls on one session value may wait for the provider, all together.

use std::{sync::Mutex, time::Duration};

use super::Provider;
use crate::{clock::Clock, error::Error, single_flight::lock};

/// Time without waiting gives back this part of itself. A page that computes between two calls gains
/// little by it, and a program that keeps one session value for days never runs out.
const REFILL_DIVISOR: u32 = 10;

/// What the calls on one session value have waited so far.
#[derive(Debug, Default)]
pub(crate) struct WaitingBudget(Mutex<Waits>);

#[derive(Debug, Default)]
struct Waits {
    spent: Duration,
    /// Time passes once for waits that overlap.
    under_way: usize,
    /// Until when time is accounted for.
    at: Duration,
}

impl Provider {
    /// Waits for `work`, at most for what `budget` has left.
    ///
    /// # Errors
    /// [`Error::WaitingBudgetSpent`]. If nothing was left to begin with, `work` is not even started.
    pub(crate) async fn wait<T>(
        &self,
        budget: &WaitingBudget,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let total = self.limits.waiting_budget;
        let spent = Error::WaitingBudgetSpent { budget: total };
        let Some((_wait, left)) = budget.begin(&*self.clock, total) else {
            return Err(spent);
        };
        self.within(left, work).await.ok_or(spent)
    }
}

impl WaitingBudget {
    /// Begins a wait, and says how long it may last; `None` if nothing is left.
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

/// A wait under way. It ends when this is dropped, also when its caller has gone.
struct Wait<'a> {
    budget: &'a WaitingBudget,
    clock: &'a dyn Clock,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.budget.with(self.clock, |waits| waits.under_way -= 1);
    }
}

//! One flight: many callers, one piece of work.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::runtime::Runtime;

/// Work that is shared by everybody who waits for it.
pub(crate) type Inflight<T> = Shared<BoxFuture<'static, T>>;

type UnderWay<K, T> = Mutex<HashMap<K, Inflight<T>>>;

/// Work under way, by key. Whoever asks for a key that is in flight shares its outcome.
///
/// A flight goes on when its callers are cancelled: the runtime carries it to its end. A runtime that
/// cannot leaves it to whoever asks for the key next.
pub(crate) struct SingleFlight<K, T: Clone> {
    under_way: Arc<UnderWay<K, T>>,
}

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the flight of `key`, or starts it with `work`.
    pub(crate) fn join(
        &self,
        runtime: &dyn Runtime,
        key: K,
        work: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Inflight<T> {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(&key) {
            return flight.clone();
        }
        let registration = Registration {
            key: key.clone(),
            under_way: Arc::downgrade(&self.under_way),
        };
        let work = work();
        let flight = async move {
            let outcome = work.await;
            drop(registration);
            outcome
        }
        .boxed()
        .shared();
        under_way.insert(key, flight.clone());
        drop(under_way);
        runtime.spawn(flight.clone().map(drop).boxed());
        flight
    }

    /// Whether a flight of `key` is under way.
    pub(crate) fn is_under_way(&self, key: &K) -> bool {
        lock(&self.under_way).contains_key(key)
    }

    /// Waits until no flight is under way.
    pub(crate) async fn drain(&self) {
        loop {
            let flight = lock(&self.under_way).values().next().cloned();
            match flight {
                Some(flight) => drop(flight.await),
                None => break,
            }
        }
    }

    /// How many flights are under way.
    pub(crate) fn len(&self) -> usize {
        lock(&self.under_way).len()
    }
}

impl<K, T: Clone> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self {
            under_way: Arc::default(),
        }
    }
}

impl<K, T: Clone> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

/// Takes a flight off the list when it has ended.
struct Registration<K: Eq + Hash, T: Clone> {
    key: K,
    under_way: Weak<UnderWay<K, T>>,
}

impl<K: Eq + Hash, T: Clone> Drop for Registration<K, T> {
    fn drop(&mut self) {
        if let Some(under_way) = self.under_way.upgrade() {
            let landed = lock(&under_way).remove(&self.key);
            drop(landed);
        }
    }
}

/// Locks, also after a panic elsewhere: what these locks guard is whole at every moment.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

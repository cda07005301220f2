//! Single-flight: concurrent callers for the same key share one task.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::{FutureExt, future::Shared};

use crate::runtime::{BoxFuture, BoxedFuture, MaybeSend, MaybeSync, Runtime};

/// A task that all its callers wait for.
pub(crate) type Inflight<T> = Shared<BoxFuture<'static, T>>;

type Tasks<K, T> = Mutex<HashMap<K, Inflight<T>>>;

/// Tasks in flight, by key. A caller that asks for a key in flight shares its outcome.
///
/// A task continues if its callers are cancelled: it is spawned on the runtime. If the runtime drops it, the
/// next caller for its key continues it.
pub(crate) struct SingleFlight<K, T: Clone> {
    tasks: Arc<Tasks<K, T>>,
}

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + MaybeSend + 'static,
    T: Clone + MaybeSend + MaybeSync + 'static,
{
    /// Joins the task of `key`, or starts the task of `start`.
    pub(crate) fn join(
        &self,
        runtime: &dyn Runtime,
        key: K,
        start: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Inflight<T> {
        let mut tasks = lock(&self.tasks);
        if let Some(task) = tasks.get(&key) {
            return task.clone();
        }
        let registration = Registration {
            key: key.clone(),
            tasks: Arc::downgrade(&self.tasks),
        };
        let work = start();
        let task = async move {
            let outcome = work.await;
            drop(registration);
            outcome
        }
        .boxed_future()
        .shared();
        tasks.insert(key, task.clone());
        // A runtime may run the task at once, and the end of a task takes this lock.
        drop(tasks);
        runtime.spawn(task.clone().map(drop).boxed_future());
        task
    }

    /// Whether a task of `key` is in flight.
    pub(crate) fn is_in_flight(&self, key: &K) -> bool {
        lock(&self.tasks).contains_key(key)
    }

    /// Waits until no task is in flight.
    pub(crate) async fn drain(&self) {
        loop {
            let task = lock(&self.tasks).values().next().cloned();
            match task {
                Some(task) => drop(task.await),
                None => break,
            }
        }
    }

    /// How many tasks are in flight.
    pub(crate) fn len(&self) -> usize {
        lock(&self.tasks).len()
    }
}

impl<K, T: Clone> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self {
            tasks: Arc::default(),
        }
    }
}

impl<K, T: Clone> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

/// Takes a task off the list when it has ended, also by a panic.
struct Registration<K: Eq + Hash, T: Clone> {
    key: K,
    tasks: Weak<Tasks<K, T>>,
}

impl<K: Eq + Hash, T: Clone> Drop for Registration<K, T> {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.upgrade() {
            // Dropped after the lock is released: the last reference to a task may take other locks.
            let ended = lock(&tasks).remove(&self.key);
            drop(ended);
        }
    }
}

/// Locks a mutex, even after a panic in another thread: the guarded values are never left in an inconsistent
/// state.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Taking turns: one at a time for each key, in the order of asking.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
};

use tokio::sync::OwnedMutexGuard;

use crate::single_flight::lock;

type Queues<K> = Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>;

/// Queues by key. A key that nobody waits for takes no memory.
#[derive(Debug)]
pub(crate) struct KeyedMutex<K: Eq + Hash> {
    queues: Arc<Queues<K>>,
}

impl<K: Clone + Eq + Hash> KeyedMutex<K> {
    pub(crate) fn new() -> Self {
        Self {
            queues: Arc::default(),
        }
    }

    /// Waits for its turn and keeps it until the guard is dropped.
    pub(crate) async fn take(&self, key: K) -> KeyedMutexGuard<K> {
        let queue = Arc::clone(lock(&self.queues).entry(key.clone()).or_default());
        let place = Place {
            key,
            queue,
            queues: Arc::clone(&self.queues),
        };
        let held = Arc::clone(&place.queue).lock_owned().await;
        KeyedMutexGuard {
            _held: held,
            _place: place,
        }
    }

    /// How many keys somebody waits for or holds.
    pub(crate) fn len(&self) -> usize {
        lock(&self.queues).len()
    }
}

/// The turn of whoever holds it. The fields are dropped in order: first the turn, then the place.
#[derive(Debug)]
pub(crate) struct KeyedMutexGuard<K: Eq + Hash> {
    _held: OwnedMutexGuard<()>,
    _place: Place<K>,
}

/// A place in a queue; the last one to leave it takes the queue along.
#[derive(Debug)]
struct Place<K: Eq + Hash> {
    key: K,
    queue: Arc<tokio::sync::Mutex<()>>,
    queues: Arc<Queues<K>>,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut queues = lock(&self.queues);
        // One reference in the map and this one: nobody else is in the queue.
        if Arc::strong_count(&self.queue) == 2 {
            queues.remove(&self.key);
        }
    }
}

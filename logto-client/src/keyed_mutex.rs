//! A mutex for each key.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
};

use tokio::sync::OwnedMutexGuard;

use crate::single_flight::lock;

type Queues<K> = Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>;

/// One holder at a time for each key, first come, first served. A key without a holder takes no memory.
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

    /// Locks a key until the guard is dropped.
    pub(crate) async fn lock(&self, key: K) -> KeyedMutexGuard<K> {
        let queue = Arc::clone(lock(&self.queues).entry(key.clone()).or_default());
        let entry = Entry {
            key,
            queue,
            queues: Arc::clone(&self.queues),
        };
        let guard = Arc::clone(&entry.queue).lock_owned().await;
        KeyedMutexGuard {
            _guard: guard,
            _entry: entry,
        }
    }

    /// How many keys are held or waited for.
    pub(crate) fn len(&self) -> usize {
        lock(&self.queues).len()
    }
}

/// Holds a key. The fields are dropped in order: first the lock, then its entry.
#[derive(Debug)]
pub(crate) struct KeyedMutexGuard<K: Eq + Hash> {
    _guard: OwnedMutexGuard<()>,
    _entry: Entry<K>,
}

/// An entry of the map; the last one to be dropped removes it.
#[derive(Debug)]
struct Entry<K: Eq + Hash> {
    key: K,
    queue: Arc<tokio::sync::Mutex<()>>,
    queues: Arc<Queues<K>>,
}

impl<K: Eq + Hash> Drop for Entry<K> {
    fn drop(&mut self) {
        let mut queues = lock(&self.queues);
        // One reference in the map and this one: the queue is empty.
        if Arc::strong_count(&self.queue) == 2 {
            queues.remove(&self.key);
        }
    }
}

//! What is over and must not come back: a bounded, expiring set.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    sync::Mutex,
    time::Duration,
};

use logto_core::UnixTime;

use crate::flight::lock;

/// How many are remembered; the oldest go first.
const CAPACITY: usize = 100_000;

/// Remembers that something is over, for a while.
#[derive(Debug)]
pub(crate) struct Bygones<K> {
    lifetime: Duration,
    entries: Mutex<Entries<K>>,
}

#[derive(Debug)]
struct Entries<K> {
    known: HashSet<K>,
    by_age: VecDeque<(UnixTime, K)>,
}

impl<K: Clone + Eq + Hash> Bygones<K> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        let entries = Entries { known: HashSet::new(), by_age: VecDeque::new() };
        Self { lifetime, entries: Mutex::new(entries) }
    }

    /// Remembers `key`, and says whether that is news.
    pub(crate) fn insert(&self, key: K, now: UnixTime) -> bool {
        let mut entries = lock(&self.entries);
        let news = entries.known.insert(key.clone());
        if news {
            entries.by_age.push_back((now, key));
        }
        while entries
            .by_age
            .front()
            .is_some_and(|(at, _)| entries.by_age.len() > CAPACITY || now.since(*at) > self.lifetime)
        {
            if let Some((_, oldest)) = entries.by_age.pop_front() {
                entries.known.remove(&oldest);
            }
        }
        news
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        lock(&self.entries).known.contains(key)
    }
}

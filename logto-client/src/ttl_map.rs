//! A bounded map whose entries end.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Mutex,
};

use logto_core::UnixTime;

use crate::single_flight::lock;

/// Remembers values for a while, and no more than `capacity` of them: the oldest go first.
#[derive(Debug)]
pub(crate) struct TtlMap<K, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// In the order of insertion; those whose `generation` is no longer the entry's are skipped.
    by_age: VecDeque<(u64, K)>,
    generation: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: UnixTime,
    generation: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> TtlMap<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = Entries {
            by_key: HashMap::new(),
            by_age: VecDeque::new(),
            generation: 0,
        };
        Self {
            capacity,
            entries: Mutex::new(entries),
        }
    }

    /// Remembers `value` under `key` until then, and says whether the key is news at `now`.
    pub(crate) fn insert(&self, key: K, value: V, until: UnixTime, now: UnixTime) -> bool {
        let mut entries = lock(&self.entries);
        entries.generation += 1;
        let generation = entries.generation;
        entries.by_age.push_back((generation, key.clone()));
        let before = entries.by_key.insert(
            key,
            Entry {
                value,
                until,
                generation,
            },
        );
        entries.evict(self.capacity, now);
        before.is_none_or(|before| before.until <= now)
    }

    /// Forgets `key`.
    pub(crate) fn remove(&self, key: &K) {
        lock(&self.entries).by_key.remove(key);
    }

    /// The value of `key`, unless it has ended by `now`.
    pub(crate) fn get(&self, key: &K, now: UnixTime) -> Option<V> {
        let entries = lock(&self.entries);
        let entry = entries.by_key.get(key)?;
        (now < entry.until).then(|| entry.value.clone())
    }
}

impl<K: Clone + Eq + Hash, V> Entries<K, V> {
    fn evict(&mut self, capacity: usize, now: UnixTime) {
        // Behind an entry that lives long, those that were replaced or have ended pile up.
        if self.by_age.len() > 2 * self.by_key.len().max(capacity.min(64)) {
            self.by_key.retain(|_, entry| now < entry.until);
            let by_key = &self.by_key;
            self.by_age.retain(|(generation, key)| {
                by_key
                    .get(key)
                    .is_some_and(|entry| entry.generation == *generation)
            });
        }
        while let Some((generation, key)) = self.by_age.front() {
            let current = self
                .by_key
                .get(key)
                .filter(|entry| entry.generation == *generation);
            let full = self.by_key.len() > capacity;
            if current.is_some_and(|entry| now < entry.until && !full) {
                break;
            }
            let is_current = current.is_some();
            if let Some((_, key)) = self.by_age.pop_front() {
                if is_current {
                    self.by_key.remove(&key);
                }
            }
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
    fn entries_end_with_their_time() {
        let map = TtlMap::new(10);
        assert!(map.insert("a", 1, at(10), at(0)));
        assert_eq!(map.get(&"a", at(9)), Some(1));
        assert_eq!(map.get(&"a", at(10)), None);
        assert!(!map.insert("a", 2, at(20), at(5)), "known already");
        assert!(map.insert("a", 3, at(40), at(30)), "news again");
    }

    #[test]
    fn w6_nothing_piles_up_behind_an_entry_that_lives_long() {
        let map = TtlMap::new(1_000);
        map.insert(0, (), at(1_000_000), at(0));
        for time in 1..10_000 {
            map.insert(1, (), at(time + 2), at(time));
        }
        let entries = lock(&map.entries);
        assert!(entries.by_age.len() <= 200, "{}", entries.by_age.len());
        assert!(entries.by_key.contains_key(&0) && entries.by_key.contains_key(&1));
    }

    #[test]
    fn w6_no_more_than_the_capacity_is_kept_and_the_oldest_go_first() {
        let map = TtlMap::new(100);
        for key in 0..10_000 {
            map.insert(key, (), at(1_000_000), at(key));
            map.insert(key, (), at(1_000_000), at(key));
        }
        let entries = lock(&map.entries);
        assert_eq!(entries.by_key.len(), 100);
        assert!(entries.by_age.len() <= 200);
        assert!(entries.by_key.contains_key(&9_999) && !entries.by_key.contains_key(&0));
    }
}

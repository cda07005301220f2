//! A bounded map whose entries expire.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Mutex,
};

use logto_core::UnixTime;

use crate::single_flight::lock;

/// Keeps values for a while, and at most `capacity` of them. Expired entries are evicted first, then those that
/// would expire soonest; among equals, the oldest.
#[derive(Debug)]
pub(crate) struct TtlMap<K, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    by_end: BTreeMap<End, K>,
    insertions: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    end: End,
}

/// When an entry expires, and which insertion it was, so that no two entries have the same end.
type End = (UnixTime, u64);

impl<K: Clone + Eq + Hash, V> TtlMap<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = Entries {
            by_key: HashMap::new(),
            by_end: BTreeMap::new(),
            insertions: 0,
        };
        Self {
            capacity,
            entries: Mutex::new(entries),
        }
    }

    /// Keeps `value` under `key` until `until`, and returns whether the key is new at `now`.
    pub(crate) fn insert(&self, key: K, value: V, until: UnixTime, now: UnixTime) -> bool {
        self.insert_evicting(key, value, until, now, drop)
    }

    /// As [`insert`](Self::insert), and passes each value that is evicted before its time to `evicted`, before
    /// other callers can find it missing.
    pub(crate) fn insert_evicting(
        &self,
        key: K,
        value: V,
        until: UnixTime,
        now: UnixTime,
        evicted: impl FnMut(V),
    ) -> bool {
        let mut entries = lock(&self.entries);
        entries.remove_expired(now);
        let is_news = entries.remove(&key).is_none();
        entries.add(key, value, until);
        entries.shrink_to(self.capacity, evicted);
        is_news
    }

    /// Changes the value of `key`, or the default value if there is none, and keeps it until `until`.
    pub(crate) fn update(&self, key: K, until: UnixTime, now: UnixTime, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        self.update_evicting(key, until, now, change, drop);
    }

    /// As [`update`](Self::update), with evicted values as in [`insert_evicting`](Self::insert_evicting).
    pub(crate) fn update_evicting(
        &self,
        key: K,
        until: UnixTime,
        now: UnixTime,
        change: impl FnOnce(&mut V),
        evicted: impl FnMut(V),
    ) where
        V: Default,
    {
        let mut entries = lock(&self.entries);
        entries.remove_expired(now);
        let mut value = entries.remove(&key).unwrap_or_default();
        change(&mut value);
        entries.add(key, value, until);
        entries.shrink_to(self.capacity, evicted);
    }

    /// Changes the value of `key`, if there is one, for the rest of its time.
    pub(crate) fn change(&self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(entry) = lock(&self.entries).by_key.get_mut(key) {
            change(&mut entry.value);
        }
    }

    /// How many entries there are, including those that have expired and were not removed yet.
    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).by_key.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes `key`, and returns its value, expired or not.
    pub(crate) fn remove(&self, key: &K) -> Option<V> {
        lock(&self.entries).remove(key)
    }

    /// The value of `key`, unless it has expired by `now`.
    pub(crate) fn get(&self, key: &K, now: UnixTime) -> Option<V>
    where
        V: Clone,
    {
        let entries = lock(&self.entries);
        let Entry { value, end } = entries.by_key.get(key)?;
        (now < end.0).then(|| value.clone())
    }
}

impl<K: Clone + Eq + Hash, V> Entries<K, V> {
    fn add(&mut self, key: K, value: V, until: UnixTime) {
        self.insertions = self.insertions.wrapping_add(1);
        let end = (until, self.insertions);
        self.by_end.insert(end, key.clone());
        self.by_key.insert(key, Entry { value, end });
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let Entry { value, end } = self.by_key.remove(key)?;
        self.by_end.remove(&end);
        Some(value)
    }

    fn remove_expired(&mut self, now: UnixTime) {
        while let Some(first) = self.by_end.first_entry() {
            if now < first.key().0 {
                break;
            }
            self.by_key.remove(&first.remove());
        }
    }

    fn shrink_to(&mut self, capacity: usize, mut evicted: impl FnMut(V)) {
        while self.by_key.len() > capacity {
            let Some((_, key)) = self.by_end.pop_first() else {
                break;
            };
            if let Some(entry) = self.by_key.remove(&key) {
                evicted(entry.value);
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
        assert_eq!((entries.by_key.len(), entries.by_end.len()), (2, 2));
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
        assert_eq!(entries.by_end.len(), 100);
        assert!(entries.by_key.contains_key(&9_999) && !entries.by_key.contains_key(&0));
    }

    #[test]
    fn w6_what_has_expired_makes_room_before_what_has_not() {
        let map = TtlMap::new(2);
        map.insert("long", (), at(1_000), at(0));
        map.insert("short", (), at(10), at(0));
        map.insert("new", (), at(1_000), at(20));
        assert!(map.get(&"long", at(20)).is_some() && map.get(&"new", at(20)).is_some());
    }

    #[test]
    fn w6_what_goes_before_its_time_is_handed_over_and_what_has_expired_is_not() {
        let map = TtlMap::new(2);
        let mut gone = Vec::new();
        for (key, until, now) in [("a", 10, 0), ("b", 40, 0), ("c", 30, 20), ("d", 50, 20)] {
            map.insert_evicting(key, key, at(until), at(now), |value| gone.push(value));
        }
        assert_eq!(gone, ["c"], "`a` had expired");
        map.update_evicting("e", at(60), at(20), |_| {}, |value| gone.push(value));
        assert_eq!(gone, ["c", "b"]);
        TtlMap::new(0).insert_evicting("f", "f", at(60), at(20), |value| gone.push(value));
        assert_eq!(gone, ["c", "b", "f"], "not even itself is kept");
    }

    #[test]
    fn an_update_begins_the_time_anew_and_a_change_does_not() {
        let map = TtlMap::<_, Vec<u8>>::new(10);
        map.update("a", at(10), at(0), |value| value.push(1));
        map.change(&"a", |value| value.push(2));
        map.change(&"b", |value| value.push(2));
        assert_eq!(map.get(&"a", at(10)), None);
        map.update("a", at(20), at(9), |value| value.push(3));
        assert_eq!(map.get(&"a", at(19)), Some(vec![1, 2, 3]));
        map.update("a", at(40), at(20), |value| value.push(4));
        assert_eq!(map.get(&"a", at(30)), Some(vec![4]), "it had expired");
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn what_was_removed_leaves_nothing() {
        let map = TtlMap::new(usize::MAX);
        map.insert("a", 1, at(10), at(0));
        map.remove(&"a");
        assert_eq!(map.get(&"a", at(1)), None);
        assert!(lock(&map.entries).by_end.is_empty());
        assert!(map.insert("a", 2, at(10), at(1)), "news again");
    }
}

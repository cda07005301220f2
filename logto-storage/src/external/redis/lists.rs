//! The lists of recently read entries.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;

/// About 300 bytes each.
const CAPACITY: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(capacity) => capacity,
    None => NonZeroUsize::MIN,
};

/// The lists of entries that this process has recently read, by the keys of the entries. They only allow an
/// early request; the lists that the entry names are authoritative.
pub(super) struct KnownLists(Mutex<LruCache<String, Arc<[String]>>>);

impl KnownLists {
    /// None for an entry that is not known.
    pub(super) fn of(&self, key: &str) -> Arc<[String]> {
        self.lock().get(key).map(Arc::clone).unwrap_or_default()
    }

    /// Remembers the lists of an entry. Entries that are in no list, such as leases, are not kept.
    pub(super) fn note(&self, key: String, lists: Vec<String>) {
        if !lists.is_empty() {
            let mut known = self.lock();
            match known.get_mut(&key) {
                Some(there) if **there == *lists => {}
                _ => {
                    known.put(key, lists.into());
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<String, Arc<[String]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for KnownLists {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

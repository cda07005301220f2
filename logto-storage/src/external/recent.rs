//! Recently read and written versions.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use logto_client::storage::Version;
use logto_core::UnixTime;

use crate::lifetimes::Expiry;

/// About 150 bytes each.
const CAPACITY: usize = 10_000;

/// The versions that this process has recently read or written, and when they expire.
///
/// A store compares versions, but it cannot tell whether an entry can be read, or whether its session has
/// expired by the clock of the process. A write that replaces a recently read version does not have to read it
/// again; if another process has changed or removed the entry since, the store refuses the write.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<HashMap<String, (Version, Expiry)>>);

impl Recent {
    pub(super) fn note(&self, key: &str, version: Version, expiry: Expiry) {
        let mut recent = self.lock();
        // A missing version costs one more request, so it does not matter which one is dropped.
        if recent.len() >= CAPACITY && !recent.contains_key(key) {
            recent.clear();
        }
        recent.insert(key.to_owned(), (version, expiry));
    }

    pub(super) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Whether `version` was readable and has not expired.
    pub(super) fn is_alive(&self, key: &str, version: Version, now: UnixTime) -> bool {
        self.lock()
            .get(key)
            .is_some_and(|(noted, expiry)| *noted == version && !expiry.is_over(now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Version, Expiry)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (recent, now) = (Recent::default(), UnixTime::from_secs(0));
        let expiry = Expiry {
            idle: UnixTime::from_secs(10),
            absolute: UnixTime::from_secs(20),
        };
        for key in 0..CAPACITY * 3 {
            recent.note(&key.to_string(), Version(1), expiry);
            assert!(recent.is_alive(&key.to_string(), Version(1), now));
            assert!(recent.lock().len() <= CAPACITY);
        }
    }
}

//! The store: whatever compares and writes in one step will do, such as a table of a database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logto::client::key_value::{Entry, Found, KeyValueStore};
use logto::client::storage::{SessionOwner, StorageError};

type Entries = HashMap<String, (Entry, Instant)>;
type Result<T> = std::result::Result<T, StorageError>;

#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Entries>);

impl Store {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, (_, end)| *end > Instant::now());
        entries
    }
}

#[async_trait::async_trait]
impl KeyValueStore for Store {
    async fn get(&self, key: &str) -> Result<Option<Found>> {
        let found = self.entries().get(key).cloned();
        Ok(found.map(|(entry, end)| Found {
            entry,
            expires_in: end - Instant::now(),
        }))
    }

    async fn put(&self, key: &str, old: Option<u64>, new: Entry, ttl: Duration) -> Result<bool> {
        let mut entries = self.entries();
        let is_expected = entries.get(key).map(|(entry, _)| entry.version) == old;
        if is_expected {
            entries.insert(key.to_owned(), (new, Instant::now() + ttl));
        }
        Ok(is_expected)
    }

    async fn delete(&self, keys: &[&str], version: Option<u64>) -> Result<()> {
        let is_meant = |entry: &Entry| version.is_none_or(|version| version == entry.version);
        let mut entries = self.entries();
        entries.retain(|key, (entry, _)| !(keys.contains(&key.as_str()) && is_meant(entry)));
        Ok(())
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>> {
        let entries = self.entries();
        let theirs = entries.iter().filter(|(_, (entry, _))| entry.is_of(owner));
        Ok(theirs.map(|(key, _)| key.clone()).collect())
    }
}

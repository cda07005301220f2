//! The store: whatever compares and writes in one step will do, such as a table of a database.

use std::{collections::HashMap, time::Duration, time::Instant};

use logto::client::key_value::{Entry, Found, KeyValueStore};
use logto::client::storage::{SessionOwner, StorageError};
use tokio::sync::{Mutex, MutexGuard};

type Result<T> = std::result::Result<T, StorageError>;

#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<HashMap<String, (Entry, Instant)>>);

impl Store {
    /// What has not expired.
    async fn live(&self) -> MutexGuard<'_, HashMap<String, (Entry, Instant)>> {
        let mut entries = self.0.lock().await;
        entries.retain(|_, (_, end)| *end > Instant::now());
        entries
    }
}

#[async_trait::async_trait]
impl KeyValueStore for Store {
    async fn get(&self, key: &str) -> Result<Option<Found>> {
        let found = self.live().await.get(key).cloned();
        let found = found.map(|(entry, end)| (entry, end - Instant::now()));
        Ok(found.map(|(entry, expires_in)| Found { entry, expires_in }))
    }

    async fn put(&self, key: &str, old: Option<u64>, new: Entry, ttl: Duration) -> Result<bool> {
        let (mut entries, end) = (self.live().await, Instant::now() + ttl);
        let is_expected = entries.get(key).map(|(entry, _)| entry.version) == old;
        entries.extend(is_expected.then(|| (key.to_owned(), (new, end))));
        Ok(is_expected)
    }

    async fn delete(&self, keys: &[&str], version: Option<u64>) -> Result<()> {
        let stays = |entry: &Entry| version.is_some_and(|version| version != entry.version);
        let mut entries = self.live().await;
        entries.retain(|key, (entry, _)| !keys.contains(&key.as_str()) || stays(entry));
        Ok(())
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>> {
        let entries = self.live().await;
        let theirs = entries.iter().filter(|(_, (entry, _))| entry.is_of(owner));
        Ok(theirs.map(|(key, _)| key.clone()).collect())
    }
}

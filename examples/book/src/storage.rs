//! A store of the application's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use logto::client::key_value::{Entry, Found, KeyValueStore};
use logto::client::storage::{SessionOwner, StorageError};
use logto::{LogtoApp, StartError};
use tokio::time::Instant;

// ANCHOR: store
/// Sessions in a map: what a store has to do, in the fewest lines. Keys are hashes, and values are sealed.
#[derive(Clone, Debug, Default)]
pub struct MapStore {
    entries: Arc<Mutex<HashMap<String, (Entry, Instant)>>>,
}

impl MapStore {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut HashMap<String, (Entry, Instant)>) -> T,
    ) -> Result<T, StorageError> {
        let entries = self.entries.lock();
        let mut entries = entries.map_err(|_| StorageError::Unavailable("poisoned".into()))?;
        entries.retain(|_, (_, end)| *end > Instant::now());
        Ok(work(&mut entries))
    }
}

#[async_trait]
impl KeyValueStore for MapStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        self.with(|entries| {
            let (entry, end) = entries.get(key)?;
            Some(Found {
                entry: entry.clone(),
                expires_in: end.saturating_duration_since(Instant::now()),
            })
        })
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        self.with(|entries| {
            let is_expected = entries.get(key).map(|(current, _)| current.version) == expected;
            if is_expected {
                entries.insert(key.to_owned(), (entry, Instant::now() + ttl));
            }
            is_expected
        })
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        self.with(|entries| {
            entries.retain(|key, (entry, _)| {
                let is_meant = expected.is_none_or(|version| version == entry.version);
                !(is_meant && keys.contains(&key.as_str()))
            });
        })
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        self.with(|entries| {
            let theirs = entries.iter().filter(|(_, (entry, _))| entry.is_of(owner));
            theirs.map(|(key, _)| key.clone()).collect()
        })
    }
}
// ANCHOR_END: store

// ANCHOR: use
/// A store needs a cookie key, because the sessions in it are sealed.
pub async fn logto(store: MapStore) -> Result<LogtoApp, StartError> {
    logto::from_env().store(store).await
}
// ANCHOR_END: use

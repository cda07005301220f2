//! What became of spent refresh tokens, for several processes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_client::{
    entropy::OsEntropy,
    ledger::SharedLedger,
    storage::{Lease, StorageError},
};

use super::{Entry, KeyValueStore, lease};

/// A [`SharedLedger`] in a [`KeyValueStore`], for sessions that live in cookies and are served by
/// several processes: a request that comes with an old cookie to one of them is brought up to date with
/// what another has fetched.
///
/// The store sees hashes and sealed values only.
#[derive(Clone, Debug)]
pub struct ExternalLedger {
    store: Arc<dyn KeyValueStore>,
}

impl ExternalLedger {
    /// A ledger in `store`, which may hold sessions as well.
    pub fn new(store: impl KeyValueStore + 'static) -> Self {
        Self {
            store: Arc::new(store),
        }
    }
}

#[async_trait]
impl SharedLedger for ExternalLedger {
    async fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self
            .store
            .get(&name_of(key))
            .await?
            .map(|found| found.entry.value))
    }

    async fn put(
        &self,
        key: &[u8; 32],
        value: Vec<u8>,
        lifetime: Duration,
    ) -> Result<(), StorageError> {
        let name = name_of(key);
        for _ in 0..ATTEMPTS {
            let expected = self
                .store
                .get(&name)
                .await?
                .map(|found| found.entry.version);
            let version = expected.unwrap_or(0).wrapping_add(1);
            let entry = Entry {
                version,
                value: value.clone(),
                ..Entry::default()
            };
            if self.store.put(&name, expected, entry, lifetime).await? {
                return Ok(());
            }
        }
        Err(StorageError::Unavailable(
            "others write to the same entry all the time".into(),
        ))
    }

    async fn lease(&self, key: &[u8; 32], ttl: Duration) -> Result<Option<Lease>, StorageError> {
        lease::take(&*self.store, &name_of(key), ttl, &OsEntropy).await
    }

    async fn renew(
        &self,
        key: &[u8; 32],
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        lease::renew(&*self.store, &name_of(key), lease, ttl).await
    }

    async fn release(&self, key: &[u8; 32], lease: Lease) -> Result<(), StorageError> {
        lease::give_back(&*self.store, &name_of(key), &lease).await
    }
}

/// Each attempt fails only because another writer was faster, and few write what became of one token.
const ATTEMPTS: u32 = 5;

fn name_of(key: &[u8; 32]) -> String {
    format!("{}.ledger", URL_SAFE_NO_PAD.encode(key))
}

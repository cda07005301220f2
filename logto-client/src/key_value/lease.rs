//! Leases in a key-value store.
//!
//! A lease is an entry without a value; its version is the token of the holder. The entry outlives the lease
//! by [`LINGER`]. An entry whose remaining time is shorter than that was never released, and the next holder
//! learns it. Only the store's clock counts, so the clocks of the processes may differ.
//!
//! A lease excludes others only while its holder renews it in time. What makes a takeover safe is the
//! question to the provider that follows it: see [`Lease::was_taken_over`].

use std::time::Duration;

use super::{Entry, KeyValueStore};
use crate::{
    entropy::{Entropy, random},
    storage::{Lease, StorageError},
};

/// How long a lease that was not given back is remembered. Users return after hours, and only leases of crashed
/// processes stay.
const LINGER: Duration = Duration::from_secs(24 * 3600);

impl Lease {
    /// Takes the lease `key` in `store`, for `ttl`, if it is free or was not renewed in time. `None` means
    /// that another holder has it.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store or the random source fails.
    pub async fn take(
        store: &dyn KeyValueStore,
        key: &str,
        ttl: Duration,
        entropy: &dyn Entropy,
    ) -> Result<Option<Self>, StorageError> {
        let token = random(entropy).map_err(|error| StorageError::Unavailable(Box::new(error)))?;
        let version = u64::from_be_bytes(token);
        let lease = Self::held_by(version.to_string());
        if put(store, key, None, version, ttl).await? {
            return Ok(Some(lease));
        }
        let Some(found) = store.get(key).await? else {
            // Given back just now. The caller tries again.
            return Ok(None);
        };
        if found.expires_in > LINGER {
            return Ok(None);
        }
        let granted = put(store, key, Some(found.entry.version), version, ttl).await?;
        Ok(granted.then(|| lease.taken_over()))
    }

    /// Prolongs a lease from [`take`](Self::take): it ends `ttl` from now. `false` means that it is lost.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    pub async fn renew(
        &self,
        store: &dyn KeyValueStore,
        key: &str,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        match self.version() {
            Some(version) => put(store, key, Some(version), version, ttl).await,
            None => Ok(false),
        }
    }

    /// Gives back a lease from [`take`](Self::take). A lease that another holder has taken over is not changed.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    pub async fn release(self, store: &dyn KeyValueStore, key: &str) -> Result<(), StorageError> {
        match self.version() {
            Some(version) => store.delete(&[key], Some(version)).await,
            None => Ok(()),
        }
    }

    fn version(&self) -> Option<u64> {
        self.token()?.parse().ok()
    }
}

async fn put(
    store: &dyn KeyValueStore,
    key: &str,
    expected: Option<u64>,
    version: u64,
    ttl: Duration,
) -> Result<bool, StorageError> {
    let entry = Entry {
        version,
        ..Entry::default()
    };
    store
        .put(key, expected, entry, ttl.saturating_add(LINGER))
        .await
}

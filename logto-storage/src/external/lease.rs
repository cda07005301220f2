//! The right to refresh a session, as an entry that only one can put.

use std::time::Duration;

use logto_client::{
    entropy::Entropy,
    storage::{Lease, StorageError},
};

use super::{Entry, KeyValueStore, unavailable};

/// Puts the entry of a lease, unless there is one. Its version is the holder's token.
pub(super) async fn take(
    store: &dyn KeyValueStore,
    key: &str,
    ttl: Duration,
    entropy: &dyn Entropy,
) -> Result<Option<Lease>, StorageError> {
    let mut token = [0; 8];
    entropy.fill(&mut token).map_err(unavailable)?;
    let version = u64::from_be_bytes(token);
    let entry = Entry {
        version,
        ..Entry::default()
    };
    let granted = store.put(key, None, entry, ttl).await?;
    Ok(granted.then(|| Lease::held_by(version.to_string())))
}

/// Deletes the entry of a lease, if it is still the holder's.
pub(super) async fn give_back(
    store: &dyn KeyValueStore,
    key: &str,
    lease: &Lease,
) -> Result<(), StorageError> {
    match lease.token().and_then(|token| token.parse().ok()) {
        Some(version) => store.delete(key, Some(version)).await,
        None => Ok(()),
    }
}

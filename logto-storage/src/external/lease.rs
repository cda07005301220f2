//! The right to refresh a session, as an entry of a store.
//!
//! The entry outlives the right by [`LINGER`]. An entry with no more than that to live was never given
//! back, and whoever takes it over knows it. All times are measured by the store's clock, so the clocks
//! of the processes do not matter. A lease excludes others only while its holder renews it in time; what
//! makes a takeover safe is the question to the provider that follows it.

use std::time::Duration;

use logto_client::{
    entropy::Entropy,
    storage::{Lease, StorageError},
};

use super::{Entry, KeyValueStore, unavailable};

/// For so long a lease that was not given back is remembered: users come back after hours, and only
/// leases of crashed processes stay.
const LINGER: Duration = Duration::from_secs(24 * 3600);

/// Takes a lease that nobody has, or whose time is over.
pub(super) async fn take(
    store: &dyn KeyValueStore,
    key: &str,
    ttl: Duration,
    entropy: &dyn Entropy,
) -> Result<Option<Lease>, StorageError> {
    let mut token = [0; 8];
    entropy.fill(&mut token).map_err(unavailable)?;
    let version = u64::from_be_bytes(token);
    if put(store, key, None, version, ttl).await? {
        return Ok(Some(Lease::held_by(version.to_string())));
    }
    let Some(found) = store.get(key).await? else {
        // Given back just now. The caller, who waits for it, comes again.
        return Ok(None);
    };
    if found.expires_in > LINGER {
        return Ok(None);
    }
    let granted = put(store, key, Some(found.entry.version), version, ttl).await?;
    Ok(granted.then(|| Lease::held_by(version.to_string()).taken_over()))
}

/// Prolongs a lease, if it is still the holder's.
pub(super) async fn renew(
    store: &dyn KeyValueStore,
    key: &str,
    lease: &Lease,
    ttl: Duration,
) -> Result<bool, StorageError> {
    match version_of(lease) {
        Some(version) => put(store, key, Some(version), version, ttl).await,
        None => Ok(false),
    }
}

/// Deletes the entry of a lease, if it is still the holder's.
pub(super) async fn give_back(
    store: &dyn KeyValueStore,
    key: &str,
    lease: &Lease,
) -> Result<(), StorageError> {
    match version_of(lease) {
        Some(version) => store.delete(key, Some(version)).await,
        None => Ok(()),
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

/// The holder's token is the version of the entry.
fn version_of(lease: &Lease) -> Option<u64> {
    lease.token()?.parse().ok()
}

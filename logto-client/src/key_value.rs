//! Key-value stores: the operations that the client and `logto-storage` need from Redis, a database or your own
//! store.

mod lease;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    runtime::{MaybeSend, MaybeSync},
    storage::{SessionOwner, StorageError},
};

/// A store of small values with versions and times to live.
///
/// It serves two purposes. `ExternalStorage` of `logto-storage` keeps sessions in it, and
/// [`LogtoClientBuilder::shared_ledger`](crate::LogtoClientBuilder::shared_ledger) lets processes whose
/// sessions live in cookies share one. The store sees no content in either case: keys are hashes, values are
/// sealed.
///
/// Any store with an atomic compare-and-swap can be used; `logto-storage` has Redis and SQL databases (features
/// `redis`, `postgres`, `sqlite`). The documentation of `ExternalStorage` has an example.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait KeyValueStore: fmt::Debug + MaybeSend + MaybeSync {
    /// Returns the entry of `key` and its remaining time to live, by the store's clock. `None` if there is no
    /// entry or it has expired.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError>;

    /// Writes `entry` for `ttl`, by the store's clock, if the current version is `expected`, or, with
    /// `None`, if there is no entry. Returns whether it was written.
    ///
    /// Comparing and writing is one atomic step. `ttl` is at least a millisecond and at most ten years.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError>;

    /// Deletes the entries of `keys`, in this order where the store cannot delete them in one step. With a
    /// version, deletes only entries whose current version it is; comparing and deleting is one atomic step
    /// for each entry. Deleting an entry that does not exist is not an error.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError>;

    /// The keys of all entries of an owner, by [`Entry::is_of`]. They may include keys of entries that are gone
    /// or belong to another owner now.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store does not respond.
    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError>;
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<T: KeyValueStore + ?Sized> KeyValueStore for Arc<T> {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        (**self).get(key).await
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        (**self).put(key, expected, entry, ttl).await
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        (**self).delete(keys, expected).await
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        (**self).keys_of(owner).await
    }
}

/// An entry of a [`KeyValueStore`]. Keys and the ids of owners consist of up to 64 characters of base64url and
/// dots.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The version: any 64 bits.
    pub version: u64,
    /// The value: sealed, a few kilobytes. The entry of a lease has none.
    pub value: Vec<u8>,
    /// The id of the user to whom the entry belongs, for [`KeyValueStore::keys_of`].
    pub subject: Option<String>,
    /// The id of the session at the provider to which the entry belongs, for [`KeyValueStore::keys_of`].
    pub provider_session: Option<String>,
}

/// What [`KeyValueStore::get`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// Its remaining time to live.
    pub expires_in: Duration,
}

impl Entry {
    /// Whether the entry belongs to this user or this session at the provider.
    pub fn is_of(&self, owner: &SessionOwner) -> bool {
        match owner {
            SessionOwner::Subject(name) => self.subject.as_ref() == Some(name),
            SessionOwner::ProviderSession(name) => self.provider_session.as_ref() == Some(name),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("version", &self.version)
            .field("len", &self.value.len())
            .finish_non_exhaustive()
    }
}

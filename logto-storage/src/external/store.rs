//! What a store has to be able to do.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use logto_client::storage::{SessionOwner, StorageError};

/// A store of small values with versions and times to live, for
/// [`ExternalStorage`](crate::ExternalStorage).
///
/// Any store that can compare and swap will do. This one lives in a map; `logto-storage` has one for
/// Redis and for SQL databases (features `redis`, `postgres`, `sqlite`).
///
/// ```
/// use std::{collections::HashMap, sync::{Arc, Mutex}, time::{Duration, Instant}};
/// use async_trait::async_trait;
/// use logto_client::storage::{StorageError, SessionOwner};
/// use logto_storage::{Entry, Found, KeyValueStore};
///
/// #[derive(Clone, Debug, Default)]
/// struct MapStore(Arc<Mutex<HashMap<String, (Entry, Instant)>>>);
///
/// impl MapStore {
///     fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, (Entry, Instant)>) -> T) -> T {
///         let mut map = self.0.lock().unwrap();
///         map.retain(|_, (_, end)| *end > Instant::now());
///         act(&mut map)
///     }
/// }
///
/// #[async_trait]
/// impl KeyValueStore for MapStore {
///     async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
///         Ok(self.with(|map| map.get(key).map(|(entry, end)| Found {
///             entry: entry.clone(),
///             expires_in: *end - Instant::now(),
///         })))
///     }
///     async fn put(
///         &self, key: &str, expected: Option<u64>, entry: Entry, ttl: Duration,
///     ) -> Result<bool, StorageError> {
///         Ok(self.with(|map| {
///             let is_expected = map.get(key).map(|(there, _)| there.version) == expected;
///             if is_expected {
///                 map.insert(key.to_owned(), (entry, Instant::now() + ttl));
///             }
///             is_expected
///         }))
///     }
///     async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StorageError> {
///         let meant = |at: &str, version| at == key && expected.is_none_or(|it| it == version);
///         Ok(self.with(|map| map.retain(|at, (there, _)| !meant(at, there.version))))
///     }
///     async fn delete_all(&self, whose: &SessionOwner) -> Result<u64, StorageError> {
///         Ok(self.with(|map| {
///             let before = map.len();
///             map.retain(|_, (there, _)| !there.is_of(whose));
///             (before - map.len()) as u64
///         }))
///     }
/// }
///
/// # use logto_client::{LogtoConfig, seal::{KeyRing, SealKey}};
/// # use logto_storage::{ExternalStorage, Lifetimes, conformance::{self, Place, Promises}};
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// // And it passes the suite:
/// let config = LogtoConfig::builder("https://tenant.logto.app", "app-id").build()?;
/// let keys = KeyRing::new(SealKey::new(&[7; 32]));
/// let store = MapStore::default();
/// let promises = Promises { place: Place::Shared, lifetimes: Lifetimes::default() };
/// let make = async || Arc::new(ExternalStorage::new(store.clone(), keys.clone(), &config)) as _;
/// conformance::run(promises, make).await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test()).unwrap();
/// ```
#[async_trait]
pub trait KeyValueStore: fmt::Debug + Send + Sync {
    /// The entry of `key` and the rest of its time to live, by the store's clock as well; `None` when
    /// there is no entry or its time is over.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store cannot be asked.
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError>;

    /// Writes `entry` for `ttl`, which the store measures by its own clock, if the version that is
    /// there is `expected`; with `None`, if there is nothing. Says whether it wrote. Comparing and
    /// writing must be one step that nobody can come between.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store cannot be asked.
    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError>;

    /// Deletes the entry of `key`; if a version is given, only that one, in one step as well. It is no
    /// error if there is none.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store cannot be asked.
    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StorageError>;

    /// Deletes all entries that are [of](Entry::is_of) somebody, and says how many there were.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the store cannot be asked.
    async fn delete_all(&self, whose: &SessionOwner) -> Result<u64, StorageError>;
}

/// What a store keeps under a key. Keys and names are up to 64 characters of base64url and dots.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Which write it is; any 64 bits.
    pub version: u64,
    /// The value: sealed, a few kilobytes.
    pub value: Vec<u8>,
    /// A name for the user that it belongs to, to be found by [`KeyValueStore::delete_all`].
    pub subject: Option<String>,
    /// A name for the session at the provider that it belongs to, to be found in the same way.
    pub provider_session: Option<String>,
}

/// What [`KeyValueStore::get`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// The rest of its time to live.
    pub expires_in: Duration,
}

impl Entry {
    /// Whether it belongs to that user or session at the provider.
    pub fn is_of(&self, whose: &SessionOwner) -> bool {
        match whose {
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

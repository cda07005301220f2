//! Sessions in a store that several processes share.

mod recent;

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use logto_client::{
    entropy::{Entropy, OsEntropy},
    key_value::{Entry, KeyValueStore},
    seal::{KeyRing, Purpose, SealContext},
    storage::{
        Handle, Lease, Logout, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError,
        Stored, Version,
    },
};
use logto_core::{LogtoConfig, Session, UnixTime, session::SessionId};
use sha2::{Digest, Sha256};

use self::recent::Recent;
use crate::{
    Lifetimes,
    lifetimes::Expiry,
    record::{Record, Unreadable},
    seen::{self, Seen},
};

const SUBJECT: &str = "sub";
const PROVIDER_SESSION: &str = "sid";
const USED: &str = "used";

const MIN_TTL: Duration = Duration::from_millis(1);
const MAX_TTL: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);

/// Keeps sessions in a [`KeyValueStore`]: Redis, a database, or your own store. The browser has only a random
/// id.
///
/// Reading the store reveals no session: ids are stored as their SHA-256, users as a keyed hash, and each
/// record is sealed for its own key, issuer and application.
///
/// Every use of a session restarts its idle time, with a precision of a twenty-fourth, so that reads rarely
/// write. An unused session is kept for ten years at most, whatever its lifetimes.
///
/// # A store of your own
///
/// Any store with an atomic compare-and-swap can be used. This one is a map, and the conformance suite (feature
/// `conformance`) checks it:
///
/// ```
/// use std::{collections::HashMap, sync::{Arc, Mutex}, time::{Duration, Instant}};
/// use async_trait::async_trait;
/// use logto_client::storage::{SessionOwner, StorageError};
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
///             let is_expected = map.get(key).map(|(current, _)| current.version) == expected;
///             if is_expected {
///                 map.insert(key.to_owned(), (entry, Instant::now() + ttl));
///             }
///             is_expected
///         }))
///     }
///     async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
///         let is_meant = |key: &str, version| {
///             keys.contains(&key) && expected.is_none_or(|expected| expected == version)
///         };
///         Ok(self.with(|map| map.retain(|key, (current, _)| !is_meant(key, current.version))))
///     }
///     async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
///         Ok(self.with(|map| {
///             let theirs = map.iter().filter(|(_, (current, _))| current.is_of(owner));
///             theirs.map(|(key, _)| key.clone()).collect()
///         }))
///     }
/// }
///
/// # use logto_client::{LogtoConfig, seal::{KeyRing, SealKey}};
/// # use logto_storage::{ExternalStorage, Lifetimes, conformance::{self, StorageKind, Promises}};
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// let config = LogtoConfig::builder("https://tenant.logto.app", "app-id").build()?;
/// let keys = KeyRing::new(SealKey::new(&[7; 32]));
/// let store = MapStore::default();
/// let promises = Promises { kind: StorageKind::Shared, lifetimes: Lifetimes::default() };
/// let make = async || Arc::new(ExternalStorage::new(store.clone(), keys.clone(), &config)) as _;
/// conformance::run(promises, make).await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test()).unwrap();
/// ```
#[derive(Clone)]
pub struct ExternalStorage {
    store: Arc<dyn KeyValueStore>,
    keys: KeyRing,
    issuer: String,
    app_id: String,
    lifetimes: Lifetimes,
    entropy: Arc<dyn Entropy>,
    recent: Arc<Recent>,
    seen: Arc<Seen<Vec<u8>, Arc<Opened>>>,
}

/// An opened record with its key, to which it is bound.
struct Opened {
    key: String,
    record: Record,
}

impl ExternalStorage {
    /// Creates a storage in `store`, sealed with `keys` for the issuer and the application of `config`. Several
    /// applications may share a store.
    pub fn new(store: impl KeyValueStore + 'static, keys: KeyRing, config: &LogtoConfig) -> Self {
        Self {
            store: Arc::new(store),
            keys,
            issuer: config.issuer().to_owned(),
            app_id: config.app_id().to_owned(),
            lifetimes: Lifetimes::default(),
            entropy: Arc::new(OsEntropy),
            recent: Arc::default(),
            seen: Arc::new(Seen::new(seen::DEFAULT_LIMIT)),
        }
    }

    /// Keeps opened sessions in this many bytes of memory, for a minute each, so that a record that has not
    /// changed in the store is not opened again; zero switches that off. Default: 16 MiB, some 1,000 sessions.
    /// The store is still read for each request.
    #[must_use]
    pub fn keep_opened(mut self, bytes: usize) -> Self {
        self.seen = Arc::new(Seen::new(bytes));
        self
    }

    /// Sets the lifetimes of sessions.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Sets the source of handles and nonces. Default: the operating system.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    fn context<'a>(&'a self, key: &'a str) -> SealContext<'a> {
        SealContext {
            purpose: Purpose::Record,
            name: key,
            issuer: &self.issuer,
            app_id: &self.app_id,
        }
    }

    async fn find(&self, key: &str, now: UnixTime) -> Result<Option<Record>, StorageError> {
        let found = self.store.get(key).await?;
        let record = found.and_then(|found| self.open(key, found.entry, now));
        match &record {
            Some(record) => self.note(key, record),
            None => self.recent.forget(key),
        }
        Ok(record)
    }

    fn note(&self, key: &str, record: &Record) {
        let version = Version(record.version);
        self.recent.note(key, version, record.expiry);
    }

    /// The record of an entry, from memory or opened now, unless it has expired.
    fn open(&self, key: &str, entry: Entry, now: UnixTime) -> Option<Record> {
        let seen = self.seen.get(&entry.value, now);
        let seen = seen.filter(|seen| seen.key == key && seen.record.version == entry.version);
        if let Some(seen) = seen {
            let is_over = seen.record.expiry.is_over(now);
            if is_over {
                self.seen.remove(&entry.value);
            }
            return (!is_over).then(|| seen.record.clone());
        }
        let (record, bytes) = self.open_even_if_over(key, &entry)?;
        if record.expiry.is_over(now) {
            return None;
        }
        let opened = Opened {
            key: key.to_owned(),
            record: record.clone(),
        };
        self.seen.insert(entry.value, Arc::new(opened), bytes, now);
        Some(record)
    }

    fn drop_opened(&self, key: &str) {
        self.seen.remove_all(|seen| seen.key == key);
    }

    /// The record of an entry, and its size in memory, in bytes.
    fn open_even_if_over(&self, key: &str, entry: &Entry) -> Option<(Record, usize)> {
        let opened = self.keys.open(&self.context(key), &entry.value);
        let decoded = opened.ok_or(Unreadable::Malformed).and_then(|opened| {
            let record = 0..opened.len();
            Record::decode_with(opened, record, [])
        });
        match decoded {
            Ok(found) => Some(found).filter(|(record, _)| record.version == entry.version),
            Err(_unreadable) => {
                #[cfg(feature = "tracing")]
                tracing::warn!(reason = ?_unreadable, "unreadable stored session");
                None
            }
        }
    }

    /// Writes a record if the stored version is `expected`, and returns whether it was written.
    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        record: &Record,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        let bytes = record.encode().map_err(unavailable)?;
        let value = self.keys.seal(&self.context(key), &bytes, &*self.entropy);
        let claims = record.session.claims();
        let entry = Entry {
            version: record.version,
            value: value.map_err(unavailable)?,
            subject: self.owner_names(SUBJECT, &claims.sub).next(),
            provider_session: claims
                .sid
                .as_deref()
                .and_then(|sid| self.owner_names(PROVIDER_SESSION, sid).next()),
        };
        let ttl = record
            .expiry
            .known_until()
            .since(now)
            .clamp(MIN_TTL, MAX_TTL);
        let is_written = self.store.put(key, expected, entry, ttl).await?;
        if is_written {
            self.note(key, record);
        }
        Ok(is_written)
    }

    /// Restarts the idle time of a session that was read, if enough of it has passed. A failure does no harm:
    /// the session was found, and another writer has done the same.
    async fn touch(&self, key: &str, record: &mut Record, now: UnixTime) {
        let renewed = now.plus(self.lifetimes.idle);
        let passed = renewed.since(record.expiry.idle);
        if passed > self.lifetimes.idle / 24 {
            record.expiry.idle = renewed;
            let _ = self.put(key, Some(record.version), record, now).await;
        }
    }

    /// An owner by its ids in the store.
    fn owners_in_store(&self, owner: &SessionOwner) -> Vec<SessionOwner> {
        match owner {
            SessionOwner::Subject(sub) => {
                let names = self.owner_names(SUBJECT, sub);
                names.map(SessionOwner::Subject).collect()
            }
            SessionOwner::ProviderSession(sid) => {
                let names = self.owner_names(PROVIDER_SESSION, sid);
                names.map(SessionOwner::ProviderSession).collect()
            }
        }
    }

    /// Whether a logout ends the session of `key`, which may be gone or belong to another owner by now. A
    /// session that can no longer be opened has ended with the key that sealed it.
    async fn is_ended(
        &self,
        key: &str,
        owner: &SessionOwner,
        logout: &Logout,
    ) -> Result<bool, StorageError> {
        let found = self.store.get(key).await?;
        Ok(found.is_some_and(|found| {
            let record = self.open_even_if_over(key, &found.entry);
            found.entry.is_of(owner)
                && record.is_none_or(|(record, _)| logout.ends(&record.session))
        }))
    }

    /// The ids in the store of a user, or of a session at the provider: one for each key, that of the first key
    /// first.
    fn owner_names(&self, kind: &str, id: &str) -> impl Iterator<Item = String> + use<> {
        self.keys
            .keyed_hashes(&[kind, &self.issuer, &self.app_id, id])
            .into_iter()
            .map(|hash| URL_SAFE_NO_PAD.encode_to_string(hash))
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionReader for ExternalStorage {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        let key = key_of(handle);
        let Some(mut record) = self.find(&key, now).await? else {
            return Ok(None);
        };
        self.touch(&key, &mut record, now).await;
        Ok(Some(stored(record)))
    }

    fn forget_opened(&self, handle: &Handle) {
        self.drop_opened(&key_of(handle));
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionStorage for ExternalStorage {
    fn longest_lifetime(&self) -> Duration {
        self.lifetimes.absolute
    }

    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        let mut id = [0; 32];
        self.entropy.fill(&mut id).map_err(unavailable)?;
        let handle = Handle::new(URL_SAFE_NO_PAD.encode_to_string(id));
        let expiry = Expiry::of(session, self.lifetimes, now);
        let record = Record {
            version: 1,
            expiry,
            session: Arc::new(session.clone()),
        };
        if self.put(&key_of(&handle), None, &record, now).await? {
            Ok((handle, Version(record.version)))
        } else {
            Err(StorageError::Unavailable(
                "the store reports that a new random id exists".into(),
            ))
        }
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let key = key_of(handle);
        let record = Record {
            version: expected.0.saturating_add(1),
            expiry: Expiry::of(session, self.lifetimes, now),
            session: Arc::new(session.clone()),
        };
        if !self.recent.is_alive(&key, expected, now) {
            match self.find(&key, now).await? {
                Some(current) if current.version == expected.0 => {}
                Some(current) => return Ok(Replaced::Conflict(stored(current))),
                None => return Ok(Replaced::Gone),
            }
        }
        if self.put(&key, Some(expected.0), &record, now).await? {
            return Ok(Replaced::Stored {
                handle: handle.clone(),
                version: Version(record.version),
            });
        }
        // Another process was faster.
        Ok(match self.find(&key, now).await? {
            Some(current) => Replaced::Conflict(stored(current)),
            None => Replaced::Gone,
        })
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        let key = key_of(handle);
        let found = self.store.get(&key).await?;
        let record = found.and_then(|found| self.open_even_if_over(&key, &found.entry));
        let old = record.filter(|(record, _)| record.expiry.has_reached_lifetime(now));
        Ok(old.map(|(record, _)| record.session.id().clone()))
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        let key = key_of(handle);
        self.recent.forget(&key);
        self.drop_opened(&key);
        self.store.delete(&[&key, &lease_key(handle)], None).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        let mut removed: u64 = 0;
        for owner in logout
            .owners()
            .flat_map(|owner| self.owners_in_store(&owner))
        {
            for key in self.store.keys_of(&owner).await? {
                if self.is_ended(&key, &owner, logout).await? {
                    self.recent.forget(&key);
                    self.drop_opened(&key);
                    self.store.delete(&[&key, &lease_of(&key)], None).await?;
                    removed = removed.saturating_add(1);
                }
            }
        }
        Ok(Some(removed))
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        let names = self
            .keys
            .keyed_hashes(&[USED, &self.issuer, &self.app_id, name]);
        let mut is_first = true;
        // With previous keys too: a process without the new key may have written it.
        for name in names {
            let key = format!("{}.used", URL_SAFE_NO_PAD.encode_to_string(name));
            let ttl = ttl.clamp(MIN_TTL, MAX_TTL);
            is_first &= self.store.put(&key, None, Entry::default(), ttl).await?;
        }
        Ok(is_first)
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        Lease::take(&*self.store, &lease_key(handle), ttl, &*self.entropy).await
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        lease.renew(&*self.store, &lease_key(handle), ttl).await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        lease.release(&*self.store, &lease_key(handle)).await
    }
}

impl fmt::Debug for ExternalStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalStorage")
            .field("store", &self.store)
            .field("issuer", &self.issuer)
            .field("app_id", &self.app_id)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

/// The store receives only the hash of a handle.
fn key_of(handle: &Handle) -> String {
    URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(handle.value()))
}

fn lease_key(handle: &Handle) -> String {
    lease_of(&key_of(handle))
}

fn lease_of(key: &str) -> String {
    format!("{key}.lease")
}

fn stored(record: Record) -> Stored {
    Stored {
        session: record.session,
        version: Version(record.version),
    }
}

/// Whether a host name has no address, by the text of the error: the standard library has no kind for it. A
/// name server that does not respond is a temporary failure.
#[cfg(any(feature = "postgres", feature = "redis"))]
fn is_unknown_host(error: &std::io::Error) -> bool {
    let text = error.to_string();
    (text.contains("failed to lookup address") && !text.contains("emporary failure"))
        || text.contains("No such host is known")
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError::Unavailable(Box::new(error))
}

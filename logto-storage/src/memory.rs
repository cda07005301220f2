//! Sessions in the memory of one process.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::RandomState},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use logto_client::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, OsEntropy},
    storage::{
        Handle, Lease, Logout, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError,
        Stored, Version,
    },
};
use logto_core::{Session, UnixTime, session::SessionId};
use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::{Lifetimes, lifetimes::Expiry};

const DEFAULT_CAPACITY: usize = 100_000;

/// How many sessions that have reached their longest lifetime are remembered.
const MAX_REACHED: usize = 1_000;

/// Keeps sessions in memory, for development, tests and applications of a single process. Sessions end
/// with the process.
///
/// Handles are 256 random bits, and only their SHA-256 is stored. The number of sessions is limited, by
/// default to 100,000: beyond that, each new session ends the least recently used one. A session with two
/// access tokens takes about 8 KB, a full storage of the default size some 800 MB.
///
/// Every use of a session, even reading, restarts its idle time. Several clients may share one storage in an
/// [`Arc`]: its leases ensure that one of them refreshes a session at a time.
pub struct MemoryStorage {
    sessions: Mutex<Sessions>,
    leases: Mutex<Leases>,
    capacity: usize,
    lifetimes: Lifetimes,
    entropy: Arc<dyn Entropy>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self {
            sessions: Mutex::default(),
            leases: Mutex::default(),
            capacity: DEFAULT_CAPACITY,
            lifetimes: Lifetimes::default(),
            entropy: Arc::new(OsEntropy),
        }
    }

    /// Sets the largest number of sessions, at least one.
    #[must_use]
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.capacity = sessions.max(1);
        self
    }

    /// Sets the lifetimes of sessions.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Sets the source of handles. Default: the operating system.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// How many sessions there are, including those that have expired and were not removed yet.
    pub fn len(&self) -> usize {
        self.sessions().entries.len()
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, handle: &Handle, now: UnixTime) -> Option<Stored> {
        let key = Key::of(handle);
        let mut sessions = self.sessions();
        sessions.remove_expired(now);
        sessions.touch(&key, now, self.lifetimes).map(Entry::stored)
    }

    /// A panic elsewhere while the lock was held leaves at worst an outdated index.
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionReader for MemoryStorage {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        Ok(self.find(handle, now))
    }

    fn load_at_once(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Option<Result<Option<Stored>, StorageError>> {
        Some(Ok(self.find(handle, now)))
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionStorage for MemoryStorage {
    fn longest_lifetime(&self) -> Duration {
        self.lifetimes.absolute
    }

    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        let mut id = [0; 32];
        self.entropy
            .fill(&mut id)
            .map_err(|error| StorageError::Unavailable(Box::new(error)))?;
        let handle = Handle::new(URL_SAFE_NO_PAD.encode_to_string(id));
        let expiry = Expiry::of(session, self.lifetimes, now);

        let mut sessions = self.sessions();
        sessions.remove_expired(now);
        while sessions.entries.len() >= self.capacity && sessions.remove_longest_unused() {}
        let version = Version(1);
        sessions.insert(Key::of(&handle), Arc::new(session.clone()), version, expiry);
        Ok((handle, version))
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let key = Key::of(handle);
        let mut sessions = self.sessions();
        sessions.remove_expired(now);
        let Some(entry) = sessions.touch(&key, now, self.lifetimes) else {
            return Ok(Replaced::Gone);
        };
        if entry.version != expected {
            return Ok(Replaced::Conflict(entry.stored()));
        }
        let version = Version(expected.0.saturating_add(1));
        let expiry = Expiry::of(session, self.lifetimes, now);
        sessions.remove(&key);
        sessions.insert(key, Arc::new(session.clone()), version, expiry);
        Ok(Replaced::Stored {
            handle: handle.clone(),
            version,
        })
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        let key = Key::of(handle);
        let mut sessions = self.sessions();
        sessions.remove_expired(now);
        sessions.end_if_over(&key, now);
        let mut reached = sessions.reached.iter();
        let reached = reached.find(|reached| reached.key == key && now < reached.until);
        Ok(reached.map(|reached| reached.session.clone()))
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        let key = Key::of(handle);
        self.sessions().remove(&key);
        self.leases().granted.remove(&key);
        Ok(())
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        Ok(self.leases().grant(Key::of(handle), ttl))
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        Ok(self.leases().prolong(&Key::of(handle), lease, ttl))
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        self.leases().end(&Key::of(handle), &lease);
        Ok(())
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        let mut sessions = self.sessions();
        let keys = logout
            .owners()
            .filter_map(|owner| sessions.by_owner.get(&owner))
            .flatten()
            .filter(|key| {
                let entry = sessions.entries.peek(key);
                entry.is_some_and(|entry| logout.ends(&entry.session))
            });
        let keys: Vec<Key> = keys.copied().collect();
        let removed = keys.iter().filter(|key| sessions.remove(key)).count();
        Ok(u64::try_from(removed).ok())
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        Ok(self.leases().is_first_use(name, ttl))
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("sessions", &self.len())
            .field("capacity", &self.capacity)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of a handle.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl Key {
    fn of(handle: &Handle) -> Self {
        Self(Sha256::digest(handle.value()).into())
    }
}

/// State that expires by a monotonic clock: leases, and used names.
#[derive(Default)]
struct Leases {
    clock: SystemClock,
    granted: HashMap<Key, Grant>,
    /// Names that were used, and until when they are remembered.
    used: HashMap<String, Duration>,
    grants: u64,
}

struct Grant {
    number: u64,
    until: Duration,
}

impl Grant {
    fn is_of(&self, lease: &Lease) -> bool {
        lease.token() == Some(&self.number.to_string())
    }
}

impl Leases {
    fn grant(&mut self, key: Key, ttl: Duration) -> Option<Lease> {
        let now = self.clock.monotonic();
        if self.granted.get(&key).is_some_and(|held| now < held.until) {
            return None;
        }
        self.grants = self.grants.saturating_add(1);
        let grant = Grant {
            number: self.grants,
            until: now.saturating_add(ttl),
        };
        let lease = Lease::held_by(grant.number.to_string());
        // A lease that is given back leaves no entry.
        Some(match self.granted.insert(key, grant) {
            Some(_) => lease.taken_over(),
            None => lease,
        })
    }

    fn prolong(&mut self, key: &Key, lease: &Lease, ttl: Duration) -> bool {
        let until = self.clock.monotonic().saturating_add(ttl);
        match self.granted.get_mut(key) {
            Some(held) if held.is_of(lease) => {
                held.until = until;
                true
            }
            _ => false,
        }
    }

    fn is_first_use(&mut self, name: &str, ttl: Duration) -> bool {
        let now = self.clock.monotonic();
        self.used.retain(|_, until| now < *until);
        let until = now.saturating_add(ttl);
        self.used.insert(name.to_owned(), until).is_none()
    }

    fn end(&mut self, key: &Key, lease: &Lease) {
        if self.granted.get(key).is_some_and(|held| held.is_of(lease)) {
            self.granted.remove(key);
        }
    }
}

struct Entry {
    session: Arc<Session>,
    version: Version,
    expiry: Expiry,
}

impl Entry {
    fn stored(&self) -> Stored {
        Stored {
            session: Arc::clone(&self.session),
            version: self.version,
        }
    }
}

/// The record of a session that has reached its longest lifetime.
struct Reached {
    key: Key,
    session: SessionId,
    /// Until when it is kept, so that the user can be informed.
    until: UnixTime,
}

/// The sessions, and the two orders in which they end.
struct Sessions {
    /// By last use: the longest unused one, which expires first, comes first.
    entries: LruCache<Key, Entry, RandomState>,
    /// Those that have reached their longest lifetime, the earliest first.
    reached: VecDeque<Reached>,
    by_owner: HashMap<SessionOwner, HashSet<Key>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(RandomState::new()),
            reached: VecDeque::new(),
            by_owner: HashMap::new(),
        }
    }
}

impl Sessions {
    fn insert(&mut self, key: Key, session: Arc<Session>, version: Version, expiry: Expiry) {
        for owner in owners(&session) {
            self.by_owner.entry(owner).or_default().insert(key);
        }
        let entry = Entry {
            session,
            version,
            expiry,
        };
        self.entries.put(key, entry);
    }

    fn remove(&mut self, key: &Key) -> bool {
        let Some(entry) = self.entries.pop(key) else {
            return false;
        };
        for owner in owners(&entry.session) {
            if let Some(keys) = self.by_owner.get_mut(&owner) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_owner.remove(&owner);
                }
            }
        }
        true
    }

    /// A session that is used now, unless it has expired.
    fn touch(&mut self, key: &Key, now: UnixTime, lifetimes: Lifetimes) -> Option<&Entry> {
        self.end_if_over(key, now);
        let entry = self.entries.get_mut(key)?;
        entry.expiry.idle = entry.expiry.idle.max(now.plus(lifetimes.idle));
        Some(entry)
    }

    /// Removes a session that has ended, and returns whether it had.
    fn end_if_over(&mut self, key: &Key, now: UnixTime) -> bool {
        let Some(entry) = self.entries.peek(key) else {
            return false;
        };
        let expiry = entry.expiry;
        if !expiry.is_over(now) {
            return false;
        }
        if expiry.has_reached_lifetime(now) {
            self.reached.push_back(Reached {
                key: *key,
                session: entry.session.id().clone(),
                until: expiry.known_until(),
            });
        }
        self.remove(key)
    }

    /// Removes sessions whose idle time is over. Each session is removed once, so the amortized cost is
    /// constant.
    fn remove_expired(&mut self, now: UnixTime) {
        while let Some((key, _)) = self.entries.peek_lru() {
            let key = *key;
            if !self.end_if_over(&key, now) {
                break;
            }
        }
        let is_forgotten = |reached: &Reached| now >= reached.until;
        while self.reached.len() > MAX_REACHED || self.reached.front().is_some_and(is_forgotten) {
            self.reached.pop_front();
        }
    }

    fn remove_longest_unused(&mut self) -> bool {
        let longest_unused = self.entries.peek_lru().map(|(key, _)| *key);
        longest_unused.is_some_and(|key| self.remove(&key))
    }
}

fn owners(session: &Session) -> impl Iterator<Item = SessionOwner> + use<> {
    let claims = session.claims();
    let subject = SessionOwner::Subject(claims.sub.clone());
    let provider_session = claims.sid.clone().map(SessionOwner::ProviderSession);
    std::iter::once(subject).chain(provider_session)
}

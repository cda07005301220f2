//! What several processes share: stores for sessions with locks, and a key-value store. What goes over a
//! network takes three milliseconds.

use std::{
    collections::HashMap,
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use logto_client::{
    Session, UnixTime,
    core::session::SessionId,
    key_value::{Entry, Found, KeyValueStore},
    storage::{
        Handle, Lease, Logout, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError,
        Stored, Version,
    },
};
use logto_storage::MemoryStorage;
use tokio::time::{Instant, sleep};

const LATENCY: Duration = Duration::from_millis(3);

/// A store that several processes share. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct SharedStore(Arc<MemoryStorage>);

impl SharedStore {
    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[async_trait]
impl SessionReader for SharedStore {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        sleep(LATENCY).await;
        self.0.load(handle, now).await
    }
}

#[async_trait]
impl SessionStorage for SharedStore {
    fn longest_lifetime(&self) -> Duration {
        self.0.longest_lifetime()
    }

    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        self.0.touch(handle, now)
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        self.0.lifetime_reached(handle, now).await
    }

    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        sleep(LATENCY).await;
        self.0.create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        sleep(LATENCY).await;
        self.0.replace(handle, expected, session, now).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        sleep(LATENCY).await;
        self.0.remove(handle).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        sleep(LATENCY).await;
        self.0.remove_all(logout).await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        sleep(LATENCY).await;
        self.0.is_first_use(name, ttl).await
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        sleep(LATENCY).await;
        self.0.lease(handle, ttl).await
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        sleep(LATENCY).await;
        self.0.renew(handle, lease, ttl).await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        sleep(LATENCY).await;
        self.0.release(handle, lease).await
    }
}

/// A storage whose lock does as it is told.
#[derive(Debug)]
pub struct Locked {
    inner: Arc<MemoryStorage>,
    lock: Mutex<Lock>,
}

/// What a lock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// One at a time has it.
    Works,
    /// Somebody else has it.
    Taken,
    /// It cannot be asked.
    Broken,
    /// Everybody has it, as when it ends too early.
    Absent,
}

impl Locked {
    /// The sessions of `inner` behind such a lock.
    pub fn new(inner: &Arc<MemoryStorage>, lock: Lock) -> Arc<Self> {
        let (inner, lock) = (Arc::clone(inner), Mutex::new(lock));
        Arc::new(Self { inner, lock })
    }

    /// Tells the lock what to do from now on.
    pub fn set(&self, lock: Lock) {
        *self.lock() = lock;
    }

    fn lock(&self) -> MutexGuard<'_, Lock> {
        self.lock
            .lock()
            .expect("no test panics while it holds this")
    }
}

#[async_trait]
impl SessionReader for Locked {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        self.inner.load(handle, now).await
    }
}

#[async_trait]
impl SessionStorage for Locked {
    fn longest_lifetime(&self) -> Duration {
        self.inner.longest_lifetime()
    }

    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        self.inner.touch(handle, now)
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        self.inner.lifetime_reached(handle, now).await
    }

    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        self.inner.create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        self.inner.replace(handle, expected, session, now).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        self.inner.remove(handle).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        self.inner.remove_all(logout).await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        self.inner.is_first_use(name, ttl).await
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let lock = *self.lock();
        match lock {
            Lock::Works => self.inner.lease(handle, ttl).await,
            Lock::Taken => Ok(None),
            Lock::Broken => Err(StorageError::Unavailable("the lock is broken".into())),
            Lock::Absent => Ok(Some(Lease::unshared())),
        }
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        self.inner.renew(handle, lease, ttl).await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        self.inner.release(handle, lease).await
    }
}

/// A key-value store that several processes share. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MapStore(Arc<Mutex<HashMap<String, (Entry, Instant)>>>);

impl MapStore {
    async fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, (Entry, Instant)>) -> T) -> T {
        sleep(LATENCY).await;
        let mut entries = self.0.lock().expect("no test panics while it holds this");
        entries.retain(|_, (_, end)| *end > Instant::now());
        act(&mut entries)
    }
}

#[async_trait]
impl KeyValueStore for MapStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        let found = |(entry, end): &(Entry, Instant)| Found {
            entry: entry.clone(),
            expires_in: *end - Instant::now(),
        };
        Ok(self.with(|entries| entries.get(key).map(found)).await)
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let written = self.with(|entries| {
            let is_expected = entries.get(key).map(|(current, _)| current.version) == expected;
            if is_expected {
                entries.insert(key.to_owned(), (entry, Instant::now() + ttl));
            }
            is_expected
        });
        Ok(written.await)
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        let is_meant = |key: &str, version| {
            keys.contains(&key) && expected.is_none_or(|expected| expected == version)
        };
        self.with(|entries| entries.retain(|key, (entry, _)| !is_meant(key, entry.version)))
            .await;
        Ok(())
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        let keys = self.with(|entries| {
            let theirs = entries.iter().filter(|(_, (entry, _))| entry.is_of(owner));
            theirs.map(|(key, _)| key.clone()).collect()
        });
        Ok(keys.await)
    }
}

/// A [`MapStore`] that notes its calls. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct CountingStore {
    inner: MapStore,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl CountingStore {
    fn note(&self, call: &'static str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
    }

    /// The calls since this was asked before.
    pub fn calls(&self) -> Vec<&'static str> {
        take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl KeyValueStore for CountingStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        self.note("get");
        self.inner.get(key).await
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        self.note("put");
        self.inner.put(key, expected, entry, ttl).await
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        self.note("delete");
        self.inner.delete(keys, expected).await
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        self.note("keys_of");
        self.inner.keys_of(owner).await
    }
}

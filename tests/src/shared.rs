//! What several processes share: stores for sessions with locks, and a ledger. What goes
//! over a network takes three milliseconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use logto_client::{
    Session, UnixTime,
    ledger::SharedLedger,
    storage::{
        Handle, Lease, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError, Stored,
        Version,
    },
};
use logto_storage::MemoryStorage;
use tokio::time::sleep;

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
    async fn create(&self, session: &Session, now: UnixTime) -> Result<Handle, StorageError> {
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

    async fn remove_all(&self, whose: &SessionOwner) -> Result<Option<u64>, StorageError> {
        sleep(LATENCY).await;
        self.0.remove_all(whose).await
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
    async fn create(&self, session: &Session, now: UnixTime) -> Result<Handle, StorageError> {
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

    async fn remove_all(&self, whose: &SessionOwner) -> Result<Option<u64>, StorageError> {
        self.inner.remove_all(whose).await
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

/// A ledger that several processes share. Clones are the same ledger.
#[derive(Clone, Debug, Default)]
pub struct LedgerMap {
    entries: Arc<Mutex<HashMap<[u8; 32], Vec<u8>>>>,
    /// Stands for its leases only.
    leases: Arc<MemoryStorage>,
}

impl LedgerMap {
    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 32], Vec<u8>>> {
        self.entries
            .lock()
            .expect("no test panics while it holds this")
    }
}

#[async_trait]
impl SharedLedger for LedgerMap {
    async fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StorageError> {
        sleep(LATENCY).await;
        Ok(self.entries().get(key).cloned())
    }

    async fn put(&self, key: &[u8; 32], value: Vec<u8>, _: Duration) -> Result<(), StorageError> {
        sleep(LATENCY).await;
        self.entries().insert(*key, value);
        Ok(())
    }

    async fn lease(&self, key: &[u8; 32], ttl: Duration) -> Result<Option<Lease>, StorageError> {
        sleep(LATENCY).await;
        self.leases.lease(&handle_of(key), ttl).await
    }

    async fn renew(
        &self,
        key: &[u8; 32],
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        sleep(LATENCY).await;
        self.leases.renew(&handle_of(key), lease, ttl).await
    }

    async fn release(&self, key: &[u8; 32], lease: Lease) -> Result<(), StorageError> {
        sleep(LATENCY).await;
        self.leases.release(&handle_of(key), lease).await
    }
}

fn handle_of(key: &[u8; 32]) -> Handle {
    Handle::new(format!("{key:02x?}"))
}

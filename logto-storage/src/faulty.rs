//! A storage that fails on request, for tests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use logto_client::storage::{
    Handle, Lease, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
};
use logto_core::{Session, UnixTime, session::SessionId};

/// An operation of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`SessionReader::load`].
    Load,
    /// [`SessionStorage::create`].
    Create,
    /// [`SessionStorage::replace`].
    Replace,
    /// [`SessionStorage::remove`].
    Remove,
    /// [`SessionStorage::remove_all`].
    RemoveAll,
    /// [`SessionStorage::is_first_use`].
    FirstUse,
    /// [`SessionStorage::lease`].
    Lease,
    /// [`SessionStorage::renew`].
    Renew,
    /// [`SessionStorage::release`].
    Release,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The call fails and has no effect.
    Before,
    /// The call takes effect and fails nevertheless: its response was lost.
    After,
    /// A load returns the result of the previous load of the same handle, as a lagging replica does. Other
    /// calls are not affected.
    Stale,
}

/// Wraps a storage and fails at chosen calls.
///
/// ```
/// use logto_client::storage::{Handle, SessionReader};
/// use logto_core::UnixTime;
/// use logto_storage::{MemoryStorage, faulty::{Fault, FaultyStorage, Operation}};
///
/// # async fn test() {
/// let storage = FaultyStorage::new(MemoryStorage::new());
/// storage.fail(Operation::Load, 2, Fault::Before);
/// let (handle, now) = (Handle::new("unknown"), UnixTime::from_secs(0));
/// assert!(storage.load(&handle, now).await.is_ok());
/// assert!(storage.load(&handle, now).await.is_err());
/// assert_eq!(storage.calls(Operation::Load), 2);
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test());
/// ```
#[derive(Debug)]
pub struct FaultyStorage<S> {
    inner: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<Operation, u64>,
    faults: HashMap<(Operation, u64), Fault>,
    down: Option<Fault>,
    loaded: HashMap<Handle, Option<Stored>>,
}

impl<S> FaultyStorage<S> {
    /// A storage that works until a fault is set.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            state: Mutex::default(),
        }
    }

    /// The wrapped storage, which does not fail.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Makes the `nth` call of an operation fail, counted from 1 and from the beginning.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        self.state().faults.insert((operation, nth), fault);
    }

    /// Makes the next call of an operation fail.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        let nth = self.calls(operation).saturating_add(1);
        self.fail(operation, nth, fault);
    }

    /// Makes every call fail until [`come_back`](Self::come_back).
    pub fn go_down(&self, fault: Fault) {
        self.state().down = Some(fault);
    }

    /// Ends [`go_down`](Self::go_down).
    pub fn come_back(&self) {
        self.state().down = None;
    }

    /// How often an operation was called, including failed calls.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.state().calls.get(&operation).copied().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and returns its fault.
    fn next_fault(&self, operation: Operation) -> Option<Fault> {
        let mut state = self.state();
        let calls = state.calls.entry(operation).or_default();
        *calls = calls.saturating_add(1);
        let nth = *calls;
        state.faults.remove(&(operation, nth)).or(state.down)
    }

    async fn run<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let injected = || StorageError::Unavailable("an injected fault".into());
        match self.next_fault(operation) {
            Some(Fault::Before) => Err(injected()),
            Some(Fault::After) => {
                call.await?;
                Err(injected())
            }
            Some(Fault::Stale) | None => call.await,
        }
    }
}

#[async_trait]
impl<S: SessionReader> SessionReader for FaultyStorage<S> {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        let injected = || StorageError::Unavailable("an injected fault".into());
        match self.next_fault(Operation::Load) {
            Some(Fault::Before | Fault::After) => return Err(injected()),
            Some(Fault::Stale) => {
                if let Some(before) = self.state().loaded.get(handle) {
                    return Ok(before.clone());
                }
            }
            None => {}
        }
        let stored = self.inner.load(handle, now).await?;
        self.state().loaded.insert(handle.clone(), stored.clone());
        Ok(stored)
    }

    fn forget_opened(&self, handle: &Handle) {
        self.inner.forget_opened(handle);
    }
}

#[async_trait]
impl<S: SessionStorage> SessionStorage for FaultyStorage<S> {
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
        self.run(Operation::Create, self.inner.create(session, now))
            .await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let call = self.inner.replace(handle, expected, session, now);
        self.run(Operation::Replace, call).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        self.run(Operation::Remove, self.inner.remove(handle)).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        self.run(Operation::RemoveAll, self.inner.remove_all(logout))
            .await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        self.run(Operation::FirstUse, self.inner.is_first_use(name, ttl))
            .await
    }

    fn is_authoritative(&self) -> bool {
        self.inner.is_authoritative()
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        self.run(Operation::Lease, self.inner.lease(handle, ttl))
            .await
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        self.run(Operation::Renew, self.inner.renew(handle, lease, ttl))
            .await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        self.run(Operation::Release, self.inner.release(handle, lease))
            .await
    }
}

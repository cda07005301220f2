//! Who waits for a lease gets it in turn: on a store whose clock the test moves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use logto_client::{
    entropy::OsEntropy,
    key_value::{Entry, Found, KeyValueStore, Waiter},
    storage::{Lease, SessionOwner, StorageError},
};

const TTL: Duration = Duration::from_secs(6);

#[derive(Clone, Debug, Default)]
struct Store(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    now: Duration,
    entries: HashMap<String, (Entry, Duration)>,
    calls: usize,
}

impl Store {
    fn wait(&self, time: Duration) {
        self.0.lock().unwrap().now += time;
    }

    fn with<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> T {
        let mut contents = self.0.lock().unwrap();
        let now = contents.now;
        contents.entries.retain(|_, (_, end)| *end > now);
        contents.calls += 1;
        act(&mut contents)
    }

    /// The store as a process sees it that waits for leases.
    fn process(&self) -> Process {
        Process(self.clone(), Waiter::new())
    }

    fn calls(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }
}

#[async_trait]
impl KeyValueStore for Store {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        Ok(self.with(|contents| {
            let (entry, end) = contents.entries.get(key)?;
            Some(Found {
                entry: entry.clone(),
                expires_in: *end - contents.now,
            })
        }))
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        Ok(self.with(|contents| {
            let current = contents.entries.get(key).map(|(entry, _)| entry.version);
            if current == expected {
                let end = contents.now + ttl;
                contents.entries.insert(key.to_owned(), (entry, end));
            }
            current == expected
        }))
    }

    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StorageError> {
        self.with(|contents| {
            let current = contents.entries.get(key).map(|(entry, _)| entry.version);
            if expected.is_none() || current == expected {
                contents.entries.remove(key);
            }
        });
        Ok(())
    }

    async fn delete_all(&self, _: &SessionOwner) -> Result<u64, StorageError> {
        Ok(0)
    }
}

struct Process(Store, Waiter);

impl Process {
    async fn take(&self) -> Option<Lease> {
        let lease = Lease::take(&self.0, "lease", &self.1, TTL, &OsEntropy);
        lease.await.unwrap()
    }

    async fn taken(&self) -> Lease {
        self.take().await.expect("it is its turn")
    }

    async fn is_refused(&self) {
        assert!(self.take().await.is_none(), "it is not its turn");
    }

    async fn release(&self, lease: Lease) {
        lease.release(&self.0, "lease").await.unwrap();
    }
}

#[tokio::test]
async fn f34_processes_that_wait_get_a_lease_in_the_order_in_which_they_came() {
    let store = Store::default();
    let [holder, first, second, third] = [(); 4].map(|()| store.process());
    let mut lease = holder.taken().await;
    for process in [&first, &second, &third] {
        process.is_refused().await;
    }
    let mut order = vec![&holder, &first, &second, &third];
    for _ in 0..12 {
        let done = order.remove(0);
        done.release(lease).await;
        // The one that had it wants it again at once, and comes last; of the others only the first may.
        for process in order.iter().skip(1).chain([&done]) {
            process.is_refused().await;
        }
        order.push(done);
        lease = order[0].taken().await;
        assert!(!lease.was_taken_over());
    }
}

#[tokio::test]
async fn f34_a_process_that_does_not_come_any_more_loses_its_turn() {
    let store = Store::default();
    let [holder, gone, other] = [(); 3].map(|()| store.process());
    let lease = holder.taken().await;
    gone.is_refused().await;
    other.is_refused().await;
    holder.release(lease).await;
    for _ in 0..9 {
        other.is_refused().await;
        store.wait(Duration::from_millis(50));
    }
    store.wait(Duration::from_millis(50));
    other.taken().await;
}

#[tokio::test]
async fn f34_the_first_in_the_queue_takes_over_what_a_dead_process_had() {
    let store = Store::default();
    let [dead, first, second] = [(); 3].map(|()| store.process());
    let _lease = dead.taken().await;
    for _ in 0..119 {
        first.is_refused().await;
        second.is_refused().await;
        store.wait(Duration::from_millis(50));
    }
    store.wait(Duration::from_millis(50));
    second.is_refused().await;
    assert!(first.taken().await.was_taken_over());
}

#[tokio::test]
async fn f34_waiting_costs_the_store_little() {
    let store = Store::default();
    let [holder, first, second] = [(); 3].map(|()| store.process());
    let lease = holder.taken().await;
    assert_eq!(store.calls(), 2, "a look at the queue, and the lease");
    first.is_refused().await;
    second.is_refused().await;
    store.calls();
    second.is_refused().await;
    assert_eq!(store.calls(), 1, "a look at the queue");
    holder.release(lease).await;
    assert_eq!(store.calls(), 1);
}

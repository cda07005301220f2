//! What every key-value store has to do, checked on real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use logto_client::{
    entropy::{Entropy, OsEntropy},
    storage::{Handle, Lease, Replaced, SessionOwner, SessionReader, SessionStorage},
};
use logto_storage::{
    Entry, ExternalStorage, KeyValueStore, Lifetimes,
    conformance::{self, Promises, Sample, StorageKind},
};

use super::{NOW, config, ring};

const LONG: Duration = Duration::from_secs(600);

pub(crate) fn storage(store: impl KeyValueStore + 'static) -> ExternalStorage {
    ExternalStorage::new(store, ring(1), &config("https://tenant.logto.app", "app"))
}

/// A variable that says where a server is. A test without its server fails.
pub(crate) fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("set {variable} to the URL of a server for tests, or leave out its feature")
    })
}

/// A session of a user and of a session at the provider.
pub(crate) async fn create(storage: &ExternalStorage) -> Handle {
    let session = Sample {
        provider_session: Some("provider-session".to_owned()),
        ..Sample::default()
    };
    let (handle, _) = storage
        .create(&session.build().unwrap(), NOW)
        .await
        .unwrap();
    handle
}

/// How often a store is asked through this switch for one session.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) async fn round_trips(
    storage: &ExternalStorage,
    handle: &Handle,
    switch: &super::switch::Switch,
) -> u64 {
    let before = switch.round_trips();
    assert!(storage.load(handle, NOW).await.unwrap().is_some());
    switch.round_trips() - before
}

/// Text that no earlier run has used.
pub(crate) fn unique(name: &str) -> String {
    let mut bytes = [0_u8; 8];
    OsEntropy.fill(&mut bytes).unwrap();
    format!("{name}-{:016x}", u64::from_be_bytes(bytes))
}

pub(crate) fn entry(version: u64, value: &[u8]) -> Entry {
    Entry {
        version,
        value: value.to_vec(),
        ..Entry::default()
    }
}

async fn entry_of(store: &impl KeyValueStore, key: &str) -> Option<Entry> {
    store.get(key).await.unwrap().map(|found| found.entry)
}

/// The whole contract, on two connections to one place.
pub(crate) async fn check<S: KeyValueStore + Clone + 'static>(one: S, other: S) {
    for lifetimes in [
        Lifetimes::default(),
        Lifetimes {
            idle: Duration::from_secs(3_600),
            absolute: Duration::from_secs(36_000),
        },
    ] {
        let connections = AtomicU64::new(0);
        let make = async || {
            let first = connections.fetch_add(1, Ordering::Relaxed) == 0;
            let store = if first { one.clone() } else { other.clone() };
            Arc::new(storage(store).lifetimes(lifetimes)) as _
        };
        conformance::run(
            Promises {
                kind: StorageKind::Shared,
                lifetimes,
            },
            make,
        )
        .await
        .unwrap();
    }
    versions_and_values(&one, &other).await;
    times_to_live(&one).await;
    owners(&one).await;
    one_writer_at_a_time(&one, &other).await;
    many_processes_lose_no_write(&one, &other).await;
    leases(&one, &other).await;
}

async fn versions_and_values(one: &impl KeyValueStore, other: &impl KeyValueStore) {
    let key = unique("entry");
    assert_eq!(entry_of(one, &key).await, None);
    assert!(
        !one.put(&key, Some(0), entry(1, b""), LONG).await.unwrap(),
        "nothing has no version"
    );
    let all_bytes: Vec<u8> = (0..=255).collect();
    let large = vec![0xab; 100_000];
    let writes: [(Option<u64>, u64, &[u8]); 5] = [
        (None, 0, b""),
        (Some(0), u64::MAX, &all_bytes),
        (Some(u64::MAX), 1 << 63, &large),
        (Some(1 << 63), 1 << 53 | 1, b"\0"),
        (Some(1 << 53 | 1), 7, b"end"),
    ];
    for (expected, version, value) in writes {
        for wrong in [None, Some(1), Some(0), Some(u64::MAX), Some(1 << 53)] {
            if wrong != expected {
                let written = other
                    .put(&key, wrong, entry(9, b"wrong"), LONG)
                    .await
                    .unwrap();
                assert_eq!(
                    written,
                    wrong.is_none() && expected.is_none(),
                    "{wrong:?} {expected:?}"
                );
            }
        }
        assert!(
            one.put(&key, expected, entry(version, value), LONG)
                .await
                .unwrap(),
            "{version}"
        );
        assert_eq!(entry_of(other, &key).await, Some(entry(version, value)));
    }
    other.delete(&[&key], Some(8)).await.unwrap();
    assert!(
        entry_of(one, &key).await.is_some(),
        "another version was deleted"
    );
    other.delete(&[&key], Some(7)).await.unwrap();
    assert_eq!(entry_of(one, &key).await, None);
    other.delete(&[&key], None).await.unwrap();
    assert!(one.put(&key, None, entry(1, b""), LONG).await.unwrap());
    other.delete(&[&key], None).await.unwrap();
    assert_eq!(entry_of(one, &key).await, None);

    let keys = [unique("first"), unique("second"), unique("third")];
    let [first, second, third] = &keys;
    for (key, version) in keys.iter().zip([1, 2, 1]) {
        assert!(one.put(key, None, entry(version, b""), LONG).await.unwrap());
    }
    other.delete(&[second, first], Some(1)).await.unwrap();
    assert_eq!(entry_of(one, first).await, None);
    assert!(entry_of(one, second).await.is_some(), "another version");
    let missing = unique("missing");
    other.delete(&[second, &missing], None).await.unwrap();
    assert_eq!(entry_of(one, second).await, None);
    assert!(entry_of(one, third).await.is_some(), "nobody named it");
    other.delete(&[third], None).await.unwrap();
}

async fn times_to_live(store: &impl KeyValueStore) {
    let forever = unique("forever");
    let written = store.put(&forever, None, entry(1, b"x"), Duration::MAX);
    assert!(written.await.unwrap());
    assert!(entry_of(store, &forever).await.is_some());
    let (short, longer) = (unique("short"), unique("longer"));
    let ttl = Duration::from_millis(300);
    store.put(&short, None, entry(1, b"x"), ttl).await.unwrap();
    store.put(&longer, None, entry(1, b"x"), ttl).await.unwrap();
    assert!(
        store
            .put(&longer, Some(1), entry(2, b"x"), LONG)
            .await
            .unwrap(),
        "a write prolongs"
    );
    assert!(entry_of(store, &short).await.is_some());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(entry_of(store, &short).await, None);
    assert!(
        !store
            .put(&short, Some(1), entry(2, b"x"), LONG)
            .await
            .unwrap(),
        "it is over"
    );
    assert!(
        store.put(&short, None, entry(5, b"y"), LONG).await.unwrap(),
        "the key is free again"
    );
    assert_eq!(entry_of(store, &short).await, Some(entry(5, b"y")));
    assert_eq!(entry_of(store, &longer).await, Some(entry(2, b"x")));
}

async fn owners(store: &impl KeyValueStore) {
    let (alice, bob, first, second) = (unique("alice"), unique("bob"), unique("1"), unique("2"));
    let owned = |version, subject: &str, session: Option<&str>| Entry {
        subject: Some(subject.to_owned()),
        provider_session: session.map(str::to_owned),
        ..entry(version, b"x")
    };
    let keys: Vec<String> = (0..4).map(|_| unique("owned")).collect();
    for (key, entry) in keys.iter().zip([
        owned(1, &alice, Some(&first)),
        owned(1, &alice, None),
        owned(1, &bob, Some(&first)),
        owned(1, &bob, Some(&second)),
    ]) {
        store.put(key, None, entry.clone(), LONG).await.unwrap();
        assert_eq!(entry_of(store, key).await, Some(entry));
    }
    // The last session changes hands; what is over does not count.
    store
        .put(&keys[3], Some(1), owned(2, &alice, None), LONG)
        .await
        .unwrap();
    let over = unique("over");
    store
        .put(
            &over,
            None,
            owned(1, &alice, None),
            Duration::from_millis(1),
        )
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let session = |name: &str| SessionOwner::ProviderSession(name.to_owned());
    let subject = |name: &str| SessionOwner::Subject(name.to_owned());
    for (whose, theirs) in [
        (session(&second), [false, false, false, false]),
        (session(&alice), [false, false, false, false]),
        (session(&first), [true, false, true, false]),
        (subject(&bob), [false, false, true, false]),
        (subject(&alice), [true, true, false, true]),
    ] {
        let listed = store.keys_of(&whose).await.unwrap();
        for (key, theirs) in keys.iter().zip(theirs) {
            // What is listed may be gone, or belong to another owner by now.
            let entry = entry_of(store, key).await;
            let is_theirs = listed.contains(key) && entry.is_some_and(|entry| entry.is_of(&whose));
            assert_eq!(is_theirs, theirs, "{whose:?}");
        }
    }
}

async fn one_writer_at_a_time<S: KeyValueStore + Clone + 'static>(one: &S, other: &S) {
    for expected in [None, Some(0)] {
        let key = unique("contended");
        if expected.is_some() {
            one.put(&key, None, entry(0, b""), LONG).await.unwrap();
        }
        let writers: Vec<_> = (1..=50)
            .map(|writer| {
                let store = if writer % 2 == 0 {
                    one.clone()
                } else {
                    other.clone()
                };
                let key = key.clone();
                tokio::spawn(async move {
                    store
                        .put(&key, expected, entry(writer, b"x"), LONG)
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut winners = 0;
        for writer in writers {
            winners += u32::from(writer.await.unwrap());
        }
        assert_eq!(winners, 1, "{expected:?}");
    }
}

/// Two processes that add up through compare-and-swap.
async fn many_processes_lose_no_write<S: KeyValueStore + Clone + 'static>(one: &S, other: &S) {
    let first = storage(one.clone());
    let session = Sample::default().build().unwrap();
    let (handle, _) = first.create(&session, NOW).await.unwrap();
    let writers: Vec<_> = [one, other, one, other]
        .into_iter()
        .map(|store| {
            let (storage, handle) = (storage(store.clone()), handle.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut stored = storage.load(&handle, NOW).await.unwrap().unwrap();
                    loop {
                        let (version, session) = (stored.version, stored.session.clone());
                        match storage
                            .replace(&handle, version, &session, NOW)
                            .await
                            .unwrap()
                        {
                            Replaced::Stored { .. } => break,
                            Replaced::Conflict(current) => stored = current,
                            Replaced::Gone => panic!("nobody removed it"),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(
        first.load(&handle, NOW).await.unwrap().unwrap().version.0,
        41
    );
}

/// Leases of any key, as the shared ledger takes them.
async fn leases<S: KeyValueStore + Clone + 'static>(one: &S, other: &S) {
    let key = unique("lease");
    let take = async |store: &S, ttl| Lease::take(store, &key, ttl, &OsEntropy).await.unwrap();
    let stalled = take(one, Duration::from_millis(300)).await.unwrap();
    assert!(!stalled.was_taken_over());
    tokio::time::sleep(Duration::from_millis(400)).await;
    let taken = take(other, LONG).await.expect("it ended");
    assert!(taken.was_taken_over());
    assert!(take(one, LONG).await.is_none());
    assert!(!stalled.renew(one, &key, LONG).await.unwrap());
    assert!(taken.renew(other, &key, LONG).await.unwrap());
    stalled.release(one, &key).await.unwrap();
    assert!(take(one, LONG).await.is_none());
    taken.release(other, &key).await.unwrap();
    let next = take(one, LONG).await.expect("it is free");
    assert!(!next.was_taken_over());
    next.release(one, &key).await.unwrap();
}

//! `ExternalStorage`: what the store sees, and what it can do.

#![allow(
    clippy::disallowed_methods,
    reason = "the store's own clock, as a real store has one"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use logto_client::{
    seal::SealKey,
    storage::{
        Handle, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError, Version,
    },
};
use logto_storage::{Entry, ExternalStorage, Found, KeyValueStore, Lifetimes, conformance::Sample};

use crate::common::{NOW, NoEntropy, config, logout, ring, stores};

/// A store whose contents the test can see and change.
#[derive(Clone, Debug, Default)]
struct OpenStore {
    entries: Arc<Mutex<HashMap<String, (Entry, Instant)>>>,
    writes: Arc<Mutex<u32>>,
    down: Arc<Mutex<bool>>,
}

impl OpenStore {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut HashMap<String, (Entry, Instant)>) -> T,
    ) -> Result<T, StorageError> {
        if *self.down.lock().unwrap() {
            return Err(StorageError::Unavailable("down".into()));
        }
        let mut entries = self.entries.lock().unwrap();
        entries.retain(|_, (_, end)| *end > Instant::now());
        Ok(act(&mut entries))
    }

    fn writes(&self) -> u32 {
        *self.writes.lock().unwrap()
    }
}

#[async_trait]
impl KeyValueStore for OpenStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        self.with(|entries| {
            let (entry, end) = entries.get(key)?;
            Some(Found {
                entry: entry.clone(),
                expires_in: end.saturating_duration_since(Instant::now()),
            })
        })
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        *self.writes.lock().unwrap() += 1;
        self.with(|entries| {
            let is_expected = entries.get(key).map(|(there, _)| there.version) == expected;
            if is_expected {
                entries.insert(
                    key.to_owned(),
                    (
                        entry,
                        Instant::now() + ttl.min(Duration::from_secs(1 << 30)),
                    ),
                );
            }
            is_expected
        })
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        let is_meant = |key: &str, version| {
            keys.contains(&key) && expected.is_none_or(|expected| expected == version)
        };
        self.with(|entries| entries.retain(|key, (entry, _)| !is_meant(key, entry.version)))
    }

    async fn keys_of(&self, whose: &SessionOwner) -> Result<Vec<String>, StorageError> {
        self.with(|entries| {
            let theirs = entries.iter().filter(|(_, (entry, _))| entry.is_of(whose));
            theirs.map(|(key, _)| key.clone()).collect()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_f34_f35_f36_a_store_of_ones_own_keeps_the_contract() {
    let store = OpenStore::default();
    stores::check(store.clone(), store).await;
}

#[tokio::test]
async fn b11_the_store_learns_nothing_that_could_be_used() {
    let store = OpenStore::default();
    let storage = stores::storage(store.clone());
    let session = Sample {
        access_tokens: 3,
        ..Sample::default()
    }
    .build()
    .unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    storage
        .lease(&handle, Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(handle.value().len(), 43, "256 bits");

    let claims = session.claims();
    let secrets = [
        handle.value(),
        session.id_token().unwrap().expose(),
        session.refresh_token().unwrap().expose(),
        &claims.sub,
        claims.sid.as_deref().unwrap(),
        "alice@example.com",
    ];
    let entries = store.entries.lock().unwrap().clone();
    assert_eq!(entries.len(), 2);
    for (key, (entry, _)) in &entries {
        let value = String::from_utf8_lossy(&entry.value);
        let seen = format!(
            "{key} {value} {:?} {:?}",
            entry.subject, entry.provider_session
        );
        for secret in secrets {
            assert!(!seen.contains(secret), "{secret}");
        }
        // What stands in the store does not open a session.
        assert!(
            storage
                .load(&Handle::new(key), NOW)
                .await
                .unwrap()
                .is_none()
        );
    }
    assert!(!format!("{storage:?} {entries:?}").contains(claims.sub.as_str()));
}

#[tokio::test]
async fn b11_a_record_is_bound_to_its_place_its_application_and_its_key() {
    let store = OpenStore::default();
    let storage = stores::storage(store.clone());
    let (mine, _) = storage
        .create(&Sample::default().build().unwrap(), NOW)
        .await
        .unwrap();
    let (my_key, (my_entry, _)) = store
        .entries
        .lock()
        .unwrap()
        .clone()
        .into_iter()
        .next()
        .unwrap();
    let theirs = Sample {
        subject: "victim".to_owned(),
        ..Sample::default()
    };
    let (theirs, _) = storage.create(&theirs.build().unwrap(), NOW).await.unwrap();

    // Whoever can write to the store copies one record over another.
    let their_key = {
        let mut entries = store.entries.lock().unwrap();
        let key = entries.keys().find(|key| **key != my_key).unwrap().clone();
        entries.get_mut(&key).unwrap().0 = my_entry;
        key
    };
    assert!(storage.load(&theirs, NOW).await.unwrap().is_none());
    assert!(storage.load(&mine, NOW).await.unwrap().is_some());
    assert!(store.entries.lock().unwrap().contains_key(&their_key));

    let tenant = config("https://tenant.logto.app", "app");
    for (keys, config, opens) in [
        (ring(1), tenant.clone(), true),
        (
            ring(2).with_previous_key(SealKey::new(&[1; 32])),
            tenant.clone(),
            true,
        ),
        (ring(2), tenant, false),
        (ring(1), config("https://other.logto.app", "app"), false),
        (ring(1), config("https://tenant.logto.app", "other"), false),
    ] {
        let storage = ExternalStorage::new(store.clone(), keys, &config);
        let found = storage.load(&mine, NOW).await.unwrap();
        assert_eq!(found.is_some(), opens, "{storage:?}");
    }
}

#[tokio::test]
async fn b11_users_are_named_by_a_keyed_hash_that_survives_a_change_of_keys() {
    let store = OpenStore::default();
    let config = config("https://tenant.logto.app", "app");
    let storage = |keys| ExternalStorage::new(store.clone(), keys, &config);
    let names = || {
        let entries = store.entries.lock().unwrap();
        let owners = entries.values().flat_map(|(entry, _)| {
            [entry.subject.clone(), entry.provider_session.clone()].map(Option::unwrap)
        });
        owners.collect::<std::collections::BTreeSet<_>>()
    };
    let session = Sample::default().build().unwrap();
    let claims = session.claims();
    let (subject, sid) = (claims.sub.clone(), claims.sid.clone().unwrap());
    let rotated = || {
        ring(3)
            .with_previous_key(SealKey::new(&[2; 32]))
            .with_previous_key(SealKey::new(&[1; 32]))
    };

    // The same user has other names under another key, and the two kinds of names differ.
    storage(ring(1)).create(&session, NOW).await.unwrap();
    let first = names();
    storage(ring(2)).create(&session, NOW).await.unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(names().len(), 4);
    assert!(names().is_superset(&first));

    for whose in [logout(None, Some(&subject)), logout(Some(&sid), None)] {
        store.entries.lock().unwrap().clear();
        for byte in 1..=3 {
            storage(ring(byte)).create(&session, NOW).await.unwrap();
        }
        // Whoever has one key finds what was written under it; the ring finds all.
        assert_eq!(storage(ring(4)).remove_all(&whose).await.unwrap(), Some(0));
        assert_eq!(
            storage(rotated()).remove_all(&whose).await.unwrap(),
            Some(3)
        );
        assert!(store.entries.lock().unwrap().is_empty());
    }

    // A write renames.
    let (handle, _) = storage(ring(1)).create(&session, NOW).await.unwrap();
    let rotated = storage(rotated());
    let stored = rotated.load(&handle, NOW).await.unwrap().unwrap();
    let replaced = rotated.replace(&handle, stored.version, &session, NOW);
    assert!(matches!(replaced.await.unwrap(), Replaced::Stored { .. }));
    assert!(names().is_disjoint(&first));
}

#[tokio::test]
async fn b11_applications_share_a_store_but_no_user() {
    let store = OpenStore::default();
    let storage = |app_id| {
        let config = config("https://tenant.logto.app", app_id);
        ExternalStorage::new(store.clone(), ring(1), &config)
    };
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage("one").create(&session, NOW).await.unwrap();
    let whose = logout(None, Some(&session.claims().sub));
    assert_eq!(storage("other").remove_all(&whose).await.unwrap(), Some(0));
    assert!(storage("one").load(&handle, NOW).await.unwrap().is_some());
    assert_eq!(storage("one").remove_all(&whose).await.unwrap(), Some(1));
}

#[tokio::test]
async fn f33_what_cannot_be_read_is_no_session_and_is_left_alone() {
    let store = OpenStore::default();
    let storage = stores::storage(store.clone());
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let original = store
        .entries
        .lock()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .0
        .clone();
    let mut flipped = original.value.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for changed in [
        Entry {
            value: Vec::new(),
            ..original.clone()
        },
        Entry {
            value: b"another program's data".to_vec(),
            ..original.clone()
        },
        Entry {
            value: flipped,
            ..original.clone()
        },
        Entry {
            version: original.version + 1,
            ..original.clone()
        },
    ] {
        store.entries.lock().unwrap().values_mut().next().unwrap().0 = changed.clone();
        assert!(storage.load(&handle, NOW).await.unwrap().is_none());
        let replaced = storage
            .replace(&handle, Version(1), &session, NOW)
            .await
            .unwrap();
        assert_eq!(replaced, Replaced::Gone);
        assert_eq!(
            store.entries.lock().unwrap().values().next().unwrap().0,
            changed
        );
    }
    store.entries.lock().unwrap().values_mut().next().unwrap().0 = original;
    assert!(storage.load(&handle, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn f41_a_flushed_store_ends_sessions_cleanly() {
    let store = OpenStore::default();
    let storage = stores::storage(store.clone());
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    store.entries.lock().unwrap().clear();
    assert!(storage.load(&handle, NOW).await.unwrap().is_none());
    let replaced = storage
        .replace(&handle, Version(1), &session, NOW)
        .await
        .unwrap();
    assert_eq!(replaced, Replaced::Gone);
    storage.remove(&handle).await.unwrap();
    assert!(store.entries.lock().unwrap().is_empty());
}

#[tokio::test]
async fn f31_a_store_that_is_down_is_an_error_and_never_nobody() {
    let store = OpenStore::default();
    let storage = stores::storage(store.clone());
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    *store.down.lock().unwrap() = true;
    let unavailable = |error| matches!(error, StorageError::Unavailable(_));
    assert!(unavailable(storage.load(&handle, NOW).await.unwrap_err()));
    assert!(unavailable(
        storage.create(&session, NOW).await.unwrap_err()
    ));
    assert!(unavailable(
        storage
            .replace(&handle, Version(1), &session, NOW)
            .await
            .unwrap_err()
    ));
    assert!(unavailable(storage.remove(&handle).await.unwrap_err()));
    assert!(unavailable(
        storage
            .lease(&handle, Duration::from_secs(1))
            .await
            .unwrap_err()
    ));
    *store.down.lock().unwrap() = false;
    assert!(storage.load(&handle, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn b5_reading_keeps_a_session_alive_and_seldom_writes() {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(2_400),
        absolute: Duration::from_secs(24_000),
    };
    let store = OpenStore::default();
    let storage = stores::storage(store.clone()).lifetimes(lifetimes);
    let (handle, _) = storage
        .create(&Sample::default().build().unwrap(), NOW)
        .await
        .unwrap();
    assert_eq!(store.writes(), 1);

    for second in 0..=100 {
        let found = storage
            .load(&handle, NOW.plus(Duration::from_secs(second)))
            .await
            .unwrap();
        assert_eq!(found.unwrap().version, Version(1));
    }
    assert_eq!(
        store.writes(),
        1,
        "a twenty-fourth of the idle time has not yet passed"
    );

    let mut seconds = 0;
    while seconds < 24_000 {
        let found = storage
            .load(&handle, NOW.plus(Duration::from_secs(seconds)))
            .await
            .unwrap();
        assert_eq!(
            found.expect("it is used").version,
            Version(1),
            "reading is not a new version"
        );
        seconds += 500;
    }
    let end = NOW.plus(Duration::from_secs(24_000));
    assert!(storage.load(&handle, end).await.unwrap().is_none());
    assert!(store.writes() < 60, "{}", store.writes());
}

#[tokio::test]
async fn b2_a_record_that_was_opened_is_found_in_its_own_place_only() {
    let store = OpenStore::default();
    let storage = ExternalStorage::new(
        store.clone(),
        ring(1),
        &config("https://tenant.logto.app", "app"),
    );
    let user = |subject: &str| Sample {
        subject: subject.to_owned(),
        ..Sample::default()
    };
    let create = async |subject| {
        let session = user(subject).build().unwrap();
        storage.create(&session, NOW).await.unwrap().0
    };
    let (alice, bob) = (create("alice").await, create("bob").await);
    let load = async |handle| storage.load(handle, NOW).await.unwrap();
    let first = load(&alice).await.unwrap();
    assert!(load(&bob).await.is_some());
    let again = load(&alice).await.unwrap();
    assert!(Arc::ptr_eq(&first.session, &again.session), "kept");

    // Who can write to the store puts each record in the place of the other.
    store
        .with(|entries| {
            let mut records = entries.values_mut().map(|(entry, _)| &mut entry.value);
            let (one, other) = (records.next().unwrap(), records.next().unwrap());
            std::mem::swap(one, other);
        })
        .unwrap();
    assert_eq!((load(&alice).await, load(&bob).await), (None, None));
}

#[tokio::test]
async fn b5_a_record_that_was_opened_is_kept_until_it_changes_ends_or_is_forgotten() {
    let store = OpenStore::default();
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(3_600),
        absolute: Duration::from_secs(30),
    };
    let storage = stores::storage(store.clone()).lifetimes(lifetimes);
    let session = Sample::default().build().unwrap();
    let (handle, version) = storage.create(&session, NOW).await.unwrap();
    let load = async |storage: &ExternalStorage, later| {
        let now = NOW.plus(Duration::from_secs(later));
        let found = storage.load(&handle, now).await.unwrap();
        found.map(|found| found.session)
    };
    let first = load(&storage, 0).await.unwrap();
    assert!(Arc::ptr_eq(&first, &load(&storage, 0).await.unwrap()));

    storage.forget_opened(&handle);
    let second = load(&storage, 0).await.unwrap();
    assert_eq!(first, second);
    assert!(!Arc::ptr_eq(&first, &second), "forgotten");

    // Another process writes; this one finds out, because it asks the store each time.
    let elsewhere = stores::storage(store.clone()).lifetimes(lifetimes);
    let replaced = elsewhere.replace(&handle, version, &session, NOW).await;
    assert!(matches!(replaced, Ok(Replaced::Stored { .. })));
    let found = storage.load(&handle, NOW).await.unwrap().unwrap();
    assert_ne!(found.version, version);

    // Within the minute for which it is kept, it ends all the same.
    assert!(load(&storage, 29).await.is_some());
    assert!(load(&storage, 30).await.is_none());

    let never = stores::storage(store).lifetimes(lifetimes).keep_opened(0);
    let first = load(&never, 0).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &load(&never, 0).await.unwrap()));
}

#[tokio::test]
async fn without_randomness_nothing_is_written_and_what_was_written_opens() {
    let store = OpenStore::default();
    let session = Sample::default().build().unwrap();
    let working = stores::storage(store.clone());
    let (handle, version) = working.create(&session, NOW).await.unwrap();
    let storage = stores::storage(store.clone()).entropy(NoEntropy);
    let created = storage.create(&session, NOW).await;
    let replaced = storage.replace(&handle, version, &session, NOW).await;
    for error in [created.unwrap_err(), replaced.unwrap_err()] {
        assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("out of order"), "{error}");
    }
    assert_eq!(store.writes(), 1);
    let found = storage.load(&handle, NOW).await.unwrap().unwrap();
    assert_eq!(found.version, version);
}

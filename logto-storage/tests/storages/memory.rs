//! `MemoryStorage`: capacity, lifetimes and owners.

use std::{sync::Arc, time::Duration};

use logto_client::{
    entropy::{Entropy, EntropyError},
    storage::{Handle, Replaced, SessionReader, SessionStorage, StorageError},
};
use logto_core::Session;
use logto_storage::{Lifetimes, MemoryStorage, conformance::Sample};

use crate::common::{NOW, logout};

fn session() -> Session {
    Sample::default().build().unwrap()
}

async fn is_there(storage: &MemoryStorage, handle: &Handle) -> bool {
    storage.load(handle, NOW).await.unwrap().is_some()
}

#[tokio::test]
async fn b11_handles_are_256_random_bits() {
    let storage = MemoryStorage::new();
    let (handle, _) = storage.create(&session(), NOW).await.unwrap();
    assert_eq!(handle.value().len(), 43);

    #[derive(Debug)]
    struct Exhausted;
    impl Entropy for Exhausted {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError("exhausted".into()))
        }
    }
    let storage = MemoryStorage::new().entropy(Exhausted);
    let refused = storage.create(&session(), NOW).await;
    assert!(
        matches!(refused, Err(StorageError::Unavailable(_))),
        "no handle without randomness"
    );
    assert!(storage.is_empty());
}

#[tokio::test]
async fn b18_the_storage_shows_no_session() {
    let storage = MemoryStorage::new();
    let (handle, _) = storage.create(&session(), NOW).await.unwrap();
    let shown = format!("{storage:?}");
    assert!(
        !shown.contains(handle.value()) && !shown.contains("3xd0sv4gw2qm"),
        "{shown}"
    );
}

#[tokio::test]
async fn f41_a_full_storage_ends_the_session_that_was_used_longest_ago() {
    let storage = MemoryStorage::new().capacity(3);
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(storage.create(&session(), NOW).await.unwrap().0);
    }
    // The first is read, the second written: the third is now the longest unused.
    assert!(is_there(&storage, &handles[0]).await);
    let version = storage
        .load(&handles[1], NOW)
        .await
        .unwrap()
        .unwrap()
        .version;
    let replaced = storage
        .replace(&handles[1], version, &session(), NOW)
        .await
        .unwrap();
    assert!(matches!(replaced, Replaced::Stored { .. }));

    let (newest, _) = storage.create(&session(), NOW).await.unwrap();
    assert_eq!(storage.len(), 3);
    assert!(!is_there(&storage, &handles[2]).await);
    for handle in [&handles[0], &handles[1], &newest] {
        assert!(is_there(&storage, handle).await);
    }
}

#[tokio::test]
async fn w5_c19_f41_a_flood_of_sessions_keeps_to_the_capacity() {
    let storage = MemoryStorage::new().capacity(1_000);
    let session = session();
    for _ in 0..100_000 {
        storage.create(&session, NOW).await.unwrap();
    }
    assert_eq!(storage.len(), 1_000);
    let removed = storage
        .remove_all(&logout(None, Some("3xd0sv4gw2qm")))
        .await
        .unwrap();
    assert_eq!(
        removed,
        Some(1_000),
        "the index of owners has kept to it as well"
    );
    assert!(storage.is_empty());
}

#[tokio::test]
async fn f41_expired_sessions_make_room_without_being_asked_for() {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(60),
        absolute: Duration::from_secs(600),
    };
    let storage = MemoryStorage::new().lifetimes(lifetimes);
    for _ in 0..100 {
        storage.create(&session(), NOW).await.unwrap();
    }
    let later = NOW.plus(Duration::from_secs(60));
    let (handle, _) = storage.create(&session(), later).await.unwrap();
    assert_eq!(storage.len(), 1);
    assert!(storage.load(&handle, later).await.unwrap().is_some());
}

#[tokio::test]
async fn b5_reading_keeps_a_session_alive_but_not_for_good() {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(60),
        absolute: Duration::from_secs(600),
    };
    let storage = MemoryStorage::new().lifetimes(lifetimes);
    let (handle, _) = storage.create(&session(), NOW).await.unwrap();
    for seconds in (0..600).step_by(59) {
        let found = storage
            .load(&handle, NOW.plus(Duration::from_secs(seconds)))
            .await
            .unwrap();
        assert!(found.is_some(), "after {seconds} s");
    }
    let end = NOW.plus(Duration::from_secs(600));
    assert!(storage.load(&handle, end).await.unwrap().is_none());
    assert!(storage.is_empty());
}

#[tokio::test]
async fn f50_a_clock_that_goes_back_ends_no_session() {
    let storage = MemoryStorage::new();
    let (handle, _) = storage.create(&session(), NOW).await.unwrap();
    let before = NOW.minus(Duration::from_secs(24 * 3600));
    assert!(storage.load(&handle, before).await.unwrap().is_some());
    let almost_idle = NOW
        .plus(Lifetimes::default().idle)
        .minus(Duration::from_secs(1));
    assert!(storage.load(&handle, almost_idle).await.unwrap().is_some());
}

#[tokio::test]
async fn a_new_id_token_moves_a_session_to_its_new_owner_session() {
    let sample = |sid: &str| Sample {
        provider_session: Some(sid.to_owned()),
        ..Sample::default()
    };
    let storage = MemoryStorage::new();
    let (handle, _) = storage
        .create(&sample("old").build().unwrap(), NOW)
        .await
        .unwrap();
    let version = storage.load(&handle, NOW).await.unwrap().unwrap().version;
    let renewed = sample("new").build().unwrap();
    storage
        .replace(&handle, version, &renewed, NOW)
        .await
        .unwrap();
    let remove = async |sid: &str| storage.remove_all(&logout(Some(sid), None)).await.unwrap();
    assert_eq!(remove("old").await, Some(0));
    assert_eq!(remove("new").await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f36_many_threads_lose_no_write() {
    let storage = Arc::new(MemoryStorage::new());
    let (handle, _) = storage.create(&session(), NOW).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (storage, handle) = (storage.clone(), handle.clone());
            tokio::spawn(async move {
                for _ in 0..100 {
                    loop {
                        let stored = storage.load(&handle, NOW).await.unwrap().unwrap();
                        let replaced = storage
                            .replace(&handle, stored.version, &stored.session, NOW)
                            .await;
                        match replaced.unwrap() {
                            Replaced::Stored { .. } => break,
                            Replaced::Conflict(_) => {}
                            Replaced::Gone => panic!("nobody removed it"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stored = storage.load(&handle, NOW).await.unwrap().unwrap();
    assert_eq!(stored.version.0, 801);
}

//! `FaultyStorage` fails as instructed.

use logto_client::storage::{Replaced, SessionReader, SessionStorage, Version};
use logto_storage::{
    MemoryStorage,
    conformance::Sample,
    faulty::{Fault, FaultyStorage, Operation},
};

use crate::common::NOW;

#[tokio::test]
async fn f30_a_write_fails_before_or_after_it_happened() {
    for (fault, written) in [(Fault::Before, Version(1)), (Fault::After, Version(2))] {
        let storage = FaultyStorage::new(MemoryStorage::new());
        let session = Sample::default().build().unwrap();
        let (handle, _) = storage.create(&session, NOW).await.unwrap();
        storage.fail(Operation::Replace, 1, fault);
        storage
            .replace(&handle, Version(1), &session, NOW)
            .await
            .unwrap_err();
        let stored = storage.load(&handle, NOW).await.unwrap().unwrap();
        assert_eq!(stored.version, written, "{fault:?}");
        let again = storage
            .replace(&handle, written, &session, NOW)
            .await
            .unwrap();
        assert!(matches!(again, Replaced::Stored { .. }));
        assert_eq!(storage.calls(Operation::Replace), 2);
    }
}

#[tokio::test]
async fn f31_a_store_that_is_down_fails_every_call_until_it_comes_back() {
    let storage = FaultyStorage::new(MemoryStorage::new());
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    storage.go_down(Fault::Before);
    for _ in 0..3 {
        storage.load(&handle, NOW).await.unwrap_err();
        storage.create(&session, NOW).await.unwrap_err();
        storage.remove(&handle).await.unwrap_err();
    }
    storage.come_back();
    assert!(storage.load(&handle, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn f32_a_stale_read_answers_what_was_read_before() {
    let storage = FaultyStorage::new(MemoryStorage::new());
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let old = storage.load(&handle, NOW).await.unwrap();
    storage
        .replace(&handle, Version(1), &session, NOW)
        .await
        .unwrap();
    storage.fail_next(Operation::Load, Fault::Stale);
    assert_eq!(storage.load(&handle, NOW).await.unwrap(), old);
    let fresh = storage.load(&handle, NOW).await.unwrap().unwrap();
    assert_eq!(fresh.version, Version(2));
    let inner = storage.inner().load(&handle, NOW).await.unwrap().unwrap();
    assert_eq!(inner, fresh);
}

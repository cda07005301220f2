//! SQLite, in files that are deleted afterwards.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use logto_client::storage::{SessionReader, SessionStorage, StorageError};
use logto_storage::{Entry, KeyValueStore, SqliteStore, conformance::Sample};

use crate::common::{NOW, stores};

/// A directory that is there for one test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("logto-storage-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(file: &Path) -> SqliteStore {
    let store = SqliteStore::open(file).await.unwrap();
    store.migrate().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_f34_f35_f36_a_file_keeps_the_contract() {
    let directory = Directory::new("contract");
    let (one, other) = (open(&directory.file()).await, open(&directory.file()).await);
    one.migrate().await.unwrap();
    stores::check(one, other).await;
}

#[tokio::test]
async fn f39_sessions_survive_a_restart() {
    let directory = Directory::new("restart");
    let session = Sample::default().build().unwrap();
    let (handle, _) = stores::storage(open(&directory.file()).await)
        .create(&session, NOW)
        .await
        .unwrap();
    let reopened = stores::storage(open(&directory.file()).await);
    assert_eq!(
        reopened.load(&handle, NOW).await.unwrap().unwrap().session,
        session
    );
}

#[tokio::test]
async fn f41_expired_entries_make_room_as_new_ones_come_in() {
    let directory = Directory::new("purge");
    let store = open(&directory.file()).await;
    let entry = Entry {
        version: 1,
        value: vec![0; 4_000],
        ..Entry::default()
    };
    let ttl = Duration::from_millis(1);
    for i in 0..500 {
        store
            .put(&format!("key {i}"), None, entry.clone(), ttl)
            .await
            .unwrap();
    }
    let size = std::fs::metadata(directory.file()).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes for nothing");
}

#[tokio::test]
async fn f31_a_file_that_cannot_be_used_is_unavailable() {
    let directory = Directory::new("unusable");
    let refused = SqliteStore::open(&directory.0).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "a directory: {refused:?}"
    );

    std::fs::write(
        directory.file(),
        "no database, but some text of more than a hundred bytes".repeat(9),
    )
    .unwrap();
    let opened = SqliteStore::open(directory.file()).await;
    let refused = match opened {
        Ok(store) => store.migrate().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn f31_without_its_table_a_store_is_unavailable_and_nobody_is_signed_out() {
    let directory = Directory::new("no-table");
    let storage = stores::storage(SqliteStore::open(directory.file()).await.unwrap());
    let session = Sample::default().build().unwrap();
    let refused = storage.create(&session, NOW).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
    let handle = logto_client::storage::Handle::new("unknown");
    storage.load(&handle, NOW).await.expect_err("not `None`");
}

//! SQLite, in files that are deleted afterwards.

mod misconfigured;
mod processes;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use logto_client::storage::{SessionReader, SessionStorage};
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
        *reopened.load(&handle, NOW).await.unwrap().unwrap().session,
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

//! Paths and files that cannot work, and what to change.

use std::path::Path;

use logto_client::storage::{SessionReader, SessionStorage, StorageError};
use logto_storage::{KeyValueStore, SqliteStore, conformance::Sample};

use super::{Directory, open};
use crate::common::{NOW, stores};

fn assert_misconfigured<T>(outcome: Result<T, StorageError>, advice: &str) {
    match outcome {
        Err(StorageError::Misconfigured(text)) => assert!(text.contains(advice), "{text}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_database_in_memory_or_a_temporary_one_is_refused_by_whatever_name() {
    for path in [
        ":memory:",
        "",
        "file:",
        "file::memory:",
        "file::memory:?cache=shared",
        "file:sessions?mode=memory",
        "file:sessions?mode=memory&cache=shared",
        "file:/sessions?vfs=memdb",
        "file:?mode=rwc",
    ] {
        let outcome = SqliteStore::open(path).await;
        assert_misconfigured(outcome, &format!("`{path}` is no file"));
    }
    assert!(!Path::new(":memory:").exists() && !Path::new("sessions").exists());
}

#[tokio::test]
async fn a_file_may_be_named_by_a_uri() {
    let directory = Directory::new("uri");
    let store = open(Path::new(&format!("file:{}", directory.file().display()))).await;
    assert!(store.get("key").await.unwrap().is_none());
    assert!(directory.file().exists());
}

#[tokio::test]
async fn f31_a_file_that_cannot_be_used_is_misconfigured() {
    let directory = Directory::new("unusable");
    let outcome = SqliteStore::open(&directory.0).await;
    assert_misconfigured(outcome, "give the path of a file");
    let outcome = SqliteStore::open(directory.0.join("no such directory/sessions.db")).await;
    assert_misconfigured(outcome, "a directory that exists");

    let text = "no database, but some text of more than a hundred bytes".repeat(9);
    std::fs::write(directory.file(), text).unwrap();
    let opened = SqliteStore::open(directory.file()).await;
    assert_misconfigured(opened, "no SQLite database");
}

#[tokio::test]
async fn f31_without_its_table_a_store_is_misconfigured_and_nobody_is_signed_out() {
    let directory = Directory::new("no-table");
    let storage = stores::storage(SqliteStore::open(directory.file()).await.unwrap());
    let session = Sample::default().build().unwrap();
    assert_misconfigured(storage.create(&session, NOW).await, "migrate");
    let handle = logto_client::storage::Handle::new("unknown");
    assert_misconfigured(storage.load(&handle, NOW).await, "migrate");
}

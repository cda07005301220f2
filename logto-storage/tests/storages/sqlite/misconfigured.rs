//! Paths and files that cannot work, and what to change.

use std::path::Path;

use logto_client::storage::{Handle, SessionReader, SessionStorage, StorageError};
use logto_storage::{KeyValueStore, SqliteStore, conformance::Sample};
use sqlx::{Connection, SqliteConnection};

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
    assert_misconfigured(opened, "not an SQLite database");
}

#[tokio::test]
async fn f31_without_its_table_a_store_is_misconfigured_and_nobody_is_signed_out() {
    let directory = Directory::new("no-table");
    let storage = stores::storage(SqliteStore::open(directory.file()).await.unwrap());
    let session = Sample::default().build().unwrap();
    assert_misconfigured(storage.create(&session, NOW).await, "migrate");
    let handle = Handle::new("unknown");
    assert_misconfigured(storage.load(&handle, NOW).await, "migrate");
}

/// A second client of a file.
async fn connect(file: &Path) -> SqliteConnection {
    let url = format!("sqlite:{}", file.display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test]
async fn f31_a_table_with_other_columns_is_misconfigured() {
    let directory = Directory::new("columns");
    let storage = stores::storage(open(&directory.file()).await);
    let mut other = connect(&directory.file()).await;
    run(
        &mut other,
        "ALTER TABLE logto_sessions RENAME COLUMN value TO data",
    )
    .await;
    let loaded = storage.load(&Handle::new("any"), NOW).await;
    assert_misconfigured(loaded, "other columns");
}

#[tokio::test]
async fn f31_a_file_that_may_only_be_read_is_misconfigured_when_it_is_written() {
    let directory = Directory::new("read-only");
    let storage = stores::storage(open(&directory.file()).await);
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();

    let uri = format!("file:{}?mode=ro", directory.file().display());
    let reader = stores::storage(SqliteStore::open(uri).await.unwrap());
    let found = reader.load(&handle, NOW).await.unwrap();
    assert_eq!(*found.unwrap().session, session);
    assert_misconfigured(reader.create(&session, NOW).await, "let the process write");
}

#[tokio::test]
async fn f31_a_file_that_stays_locked_is_unavailable_and_nobody_is_signed_out() {
    let directory = Directory::new("locked");
    let storage = stores::storage(open(&directory.file()).await);
    let session = Sample::default().build().unwrap();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let mut other = connect(&directory.file()).await;
    run(&mut other, "BEGIN IMMEDIATE").await;

    // The time that a call may take passes at once.
    tokio::time::pause();
    let outcome = storage.create(&session, NOW).await;
    assert!(matches!(outcome, Err(StorageError::Unavailable(_))));
    tokio::time::resume();

    run(&mut other, "ROLLBACK").await;
    let found = storage.load(&handle, NOW).await.unwrap();
    assert_eq!(*found.unwrap().session, session);
    storage.create(&session, NOW).await.unwrap();
}

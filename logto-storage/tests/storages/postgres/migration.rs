//! Who may create the table, and what is left when it cannot be created.

use std::time::Duration;

use logto_client::{key_value::KeyValueStore, storage::StorageError};
use logto_storage::PostgresStore;

use super::database::Database;
use crate::common::stores::{self, entry};

const GRANT: &str = "GRANT SELECT, INSERT, UPDATE, DELETE ON logto_sessions";

async fn connect(database: &Database, role: &str) -> PostgresStore {
    PostgresStore::connect(&database.url_for(role))
        .await
        .unwrap()
}

fn assert_names_the_grant(refused: Result<(), StorageError>) {
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, StorageError::Misconfigured(_)),
        "{refused:?}"
    );
    assert!(refused.to_string().contains(GRANT), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_dml_only_migrates_where_the_table_is_there_and_keeps_the_contract() {
    let database = Database::create();
    let role = database.role();
    let owner = PostgresStore::connect(&database.url()).await.unwrap();
    owner.migrate().await.unwrap();
    let store = connect(&database, &role).await;
    // As long as rights are missing, it says which.
    for right in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        assert_names_the_grant(store.migrate().await);
        database.run(&format!("GRANT {right} ON logto_sessions TO {role}"));
    }
    store.migrate().await.unwrap();
    stores::check(store.clone(), connect(&database, &role).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_may_be_run_by_a_migration_tool_in_its_own_transaction() {
    let database = Database::create();
    let role = database.role();
    database.run(&format!("BEGIN; {} COMMIT", PostgresStore::SCHEMA));
    database.run(&format!("{} TO {role}", GRANT));
    connect(&database, &role).await.migrate().await.unwrap();
    // And again, and also where a tool has no transaction.
    database.run(PostgresStore::SCHEMA);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_leaves_no_connection_in_a_broken_transaction() {
    let database = Database::create();
    let role = database.role();
    let store = connect(&database, &role).await;
    for _ in 0..20 {
        assert_names_the_grant(store.migrate().await);
    }
    let owner = PostgresStore::connect(&database.url()).await.unwrap();
    owner.migrate().await.unwrap();
    database.run(&format!("{GRANT} TO {role}"));
    let ttl = Duration::from_secs(60);
    assert!(store.put("key", None, entry(1, b"x"), ttl).await.unwrap());
    let reads: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get("key").await })
        })
        .collect();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap().unwrap().entry, entry(1, b"x"));
    }
    // Nothing of it is left on the server either.
    let in_transaction = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(database.run(in_transaction), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_given_up_while_it_waits_poisons_nothing() {
    let database = Database::create();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let url = database.url();
    let holder = std::thread::spawn(move || {
        let hold =
            "BEGIN; SELECT pg_advisory_xact_lock(7307502389427827310); SELECT pg_sleep(1); COMMIT";
        super::database::psql(&url, hold);
    });
    let is_held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while database.run(is_held) == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let given_up = tokio::time::timeout(Duration::from_millis(100), store.migrate()).await;
    assert!(given_up.is_err());
    store.migrate().await.unwrap();
    holder.join().unwrap();
    for _ in 0..20 {
        assert!(store.get("key").await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_is_created_and_another_table_of_that_name_is_misconfigured() {
    let database = Database::create();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let missing = store.get("key").await.unwrap_err();
    assert!(
        matches!(&missing, StorageError::Misconfigured(text) if text.contains("migrate")),
        "{missing:?}"
    );
    store.migrate().await.unwrap();
    database.run("DROP INDEX logto_sessions_subject");
    store.migrate().await.unwrap();
    assert_eq!(
        database.run("SELECT to_regclass('logto_sessions_subject') IS NULL"),
        "f"
    );

    database.run("DROP TABLE logto_sessions; CREATE TABLE logto_sessions (key text)");
    let other = store.get("key").await.unwrap_err();
    assert!(
        matches!(&other, StorageError::Misconfigured(text) if text.contains("other columns")),
        "{other:?}"
    );

    for (column, other_type) in [
        ("key", "bytea USING key::bytea"),
        ("version", "text"),
        ("value", "text"),
        ("subject", "integer USING 0"),
        ("expires_at", "timestamptz USING now()"),
    ] {
        database.run("DROP TABLE logto_sessions");
        store.migrate().await.unwrap();
        database.run(&format!(
            "ALTER TABLE logto_sessions ALTER {column} TYPE {other_type}"
        ));
        let store = PostgresStore::connect(&database.url()).await.unwrap();
        let ttl = Duration::from_secs(60);
        let other = match store.put("key", None, entry(1, b"value"), ttl).await {
            Ok(_) => store.get("key").await.unwrap_err(),
            Err(other) => other,
        };
        assert!(
            matches!(&other, StorageError::Misconfigured(text) if text.contains("other columns")),
            "{column}: {other:?}"
        );
    }
}

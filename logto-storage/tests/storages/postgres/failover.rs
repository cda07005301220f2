//! Servers that refuse, restart, or turn out to be standbys.

use std::time::Duration;

use logto_client::{
    key_value::KeyValueStore,
    storage::{SessionOwner, StorageError},
};
use logto_storage::PostgresStore;

use super::{
    address, connect,
    database::{Database, psql},
    url,
};
use crate::common::{
    stores::{self, entry},
    switch::Switch,
};

const TTL: Duration = Duration::from_secs(600);

/// More calls at the same time than the store has connections.
async fn call_at_once(store: &PostgresStore) {
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get("nothing").await.unwrap() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_none());
    }
}

const ALL_OPEN: &str = "PostgresStore { connections: 10 }";

/// Opens as many connections as the store has. A call that a busy machine makes wait for too long closes them again, so
/// it may take more than one attempt.
async fn open_all(store: &PostgresStore) {
    for _ in 0..50 {
        call_at_once(store).await;
        if format!("{store:?}") == ALL_OPEN {
            return;
        }
    }
    panic!("{store:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_connections_to_the_standby_are_closed_and_the_first_write_succeeds() {
    let primary = connect().await;
    primary.migrate().await.unwrap();
    let standby = stores::server("LOGTO_TEST_POSTGRES_STANDBY_URL");
    let standby_store = PostgresStore::connect(&standby).await.unwrap();
    // The table is replicated.
    while let Err(error) = standby_store.get("nothing").await {
        assert!(matches!(error, StorageError::Misconfigured(_)), "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let switch = Switch::to(address("LOGTO_TEST_POSTGRES_STANDBY_URL")).await;
    let store = PostgresStore::connect(&url(switch.address)).await.unwrap();
    open_all(&store).await;
    // Without another server a write fails.
    let key = stores::unique("failover");
    let refused = store
        .put(&key, None, entry(1, b"x"), TTL)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("read-only"), "{refused}");

    open_all(&store).await;
    switch.lead_to(address("LOGTO_TEST_POSTGRES_URL"));
    assert!(store.put(&key, None, entry(1, b"x"), TTL).await.unwrap());
    for version in 1..20 {
        let written = store.put(&key, Some(version), entry(version + 1, b"x"), TTL);
        assert!(written.await.unwrap());
    }
    store.delete(&[&key], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_or_were_closed_cost_no_call() {
    let database = Database::create();
    let (_, path) = database
        .url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let switch = Switch::to(address("LOGTO_TEST_POSTGRES_URL")).await;
    let url = format!("postgres://postgres@{}/{path}", switch.address);
    let store = PostgresStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    for (version, how) in [(1, "cut"), (2, "terminate"), (3, "silence")] {
        let break_all = async || {
            open_all(&store).await;
            match how {
                "cut" => switch.cut(),
                "silence" => switch.silence(),
                _ => {
                    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                    database.run(others);
                }
            }
        };
        break_all().await;
        let found = store.get("key").await.unwrap().unwrap();
        assert_eq!(found.entry.version, version, "{how}");
        break_all().await;
        let written = store.put("key", Some(version), entry(version + 1, b"x"), TTL);
        assert!(written.await.unwrap(), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_because_they_were_idle_cost_no_call() {
    let database = Database::create();
    let url = format!("{}?options[idle_session_timeout]=1s", database.url());
    let store = PostgresStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    let all_become_idle = async || {
        call_at_once(&store).await;
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while database.run(others) != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    all_become_idle().await;
    let found = store.get("key").await.unwrap();
    assert_eq!(found.unwrap().entry, entry(1, b"x"));
    all_become_idle().await;
    let written = store.put("key", Some(1), entry(2, b"x"), TTL);
    assert!(written.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_decoded_closes_no_other_connection() {
    let database = Database::create();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    store.migrate().await.unwrap();
    let mut entry = entry(1, b"x");
    entry.subject = Some("user".to_owned());
    assert!(store.put("key", None, entry, TTL).await.unwrap());
    open_all(&store).await;
    database.run("ALTER TABLE logto_sessions ALTER COLUMN key TYPE bytea USING key::bytea");
    let owner = SessionOwner::Subject("user".to_owned());
    let refused = store.keys_of(&owner).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::Misconfigured(_)),
        "{refused:?}"
    );
    assert_eq!(format!("{store:?}"), ALL_OPEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_connections_fails_at_once_with_the_cause() {
    let switch = Switch::to(address("LOGTO_TEST_POSTGRES_URL")).await;
    let address = switch.address;
    let store = PostgresStore::connect(&url(address)).await.unwrap();
    store.migrate().await.unwrap();
    open_all(&store).await;
    switch.close().await;
    for refused in [
        store.get("key").await.map(|_| ()),
        store
            .put("key", None, entry(1, b"x"), TTL)
            .await
            .map(|_| ()),
        PostgresStore::connect(&url(address)).await.map(|_| ()),
    ] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, StorageError::Unavailable(_)),
            "{refused:?}"
        );
        // Not that it took too long, which is what waiting would end with.
        assert!(refused.to_string().contains("refused"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_named() {
    let database = Database::create();
    let (role, one) = (database.role(), "CONNECTION LIMIT 1");
    database.run(&format!("ALTER ROLE {role} {one}"));
    let first = PostgresStore::connect(&database.url_for(&role))
        .await
        .unwrap();
    let refused = PostgresStore::connect(&database.url_for(&role))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("too many connections"),
        "{refused}"
    );
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_leaves_no_connection_behind_that_another_gets() {
    let database = Database::create();
    let store = logto_storage::PostgresOptions::new(database.url())
        .max_connections(1)
        .connect()
        .await
        .unwrap();
    store.migrate().await.unwrap();
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    let url = database.url();
    let locker = std::thread::spawn(move || {
        psql(
            &url,
            "BEGIN; LOCK TABLE logto_sessions; SELECT pg_sleep(1); COMMIT",
        );
    });
    // Wait for the lock, so that the call has to.
    let is_locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'logto_sessions'::regclass";
    while database.run(is_locked) == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let given_up = tokio::time::timeout(Duration::from_millis(50), store.get("key")).await;
    assert!(given_up.is_err());
    let found = store.get("key").await.unwrap();
    assert_eq!(found.unwrap().entry, entry(1, b"x"));
    locker.join().unwrap();
}

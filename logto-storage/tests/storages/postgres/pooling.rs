//! PgBouncer in transaction mode, with fewer server connections than clients: needs
//! `LOGTO_TEST_PGBOUNCER_URL`.

use std::time::Duration;

use logto_client::{key_value::KeyValueStore, storage::StorageError};
use logto_storage::{PostgresOptions, PostgresStore};

use crate::common::stores::{self, entry};

const TTL: Duration = Duration::from_secs(600);

async fn pooled() -> PostgresStore {
    PostgresOptions::new(stores::server("LOGTO_TEST_PGBOUNCER_URL"))
        .transaction_pooling()
        .connect()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_in_transaction_mode_a_store_keeps_the_contract() {
    let (one, other) = (pooled().await, pooled().await);
    for _ in 0..2 {
        let (first, second) = tokio::join!(one.migrate(), other.migrate());
        first.unwrap();
        second.unwrap();
    }
    stores::check(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_no_call_of_many_at_once_fails() {
    let stores = [pooled().await, pooled().await, pooled().await];
    stores[0].migrate().await.unwrap();
    let calls: Vec<_> = (0..300)
        .map(|i| {
            let store = stores[i % 3].clone();
            tokio::spawn(async move {
                let key = stores::unique("pooled");
                assert!(store.put(&key, None, entry(1, b"x"), TTL).await.unwrap());
                assert!(store.put(&key, Some(1), entry(2, b"y"), TTL).await.unwrap());
                let found = store.get(&key).await.unwrap().unwrap();
                assert_eq!(found.entry, entry(2, b"y"));
                store.delete(&[&key], Some(2)).await.unwrap();
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_being_told_of_pgbouncer_the_error_names_the_option() {
    let url = stores::server("LOGTO_TEST_PGBOUNCER_URL");
    let direct = PostgresStore::connect(&stores::server("LOGTO_TEST_POSTGRES_URL")).await;
    direct.unwrap().migrate().await.unwrap();
    // Two stores prepare statements under the same names, on the same few connections of the server.
    let stores = [
        PostgresStore::connect(&url).await,
        PostgresStore::connect(&url).await,
    ];
    let mut refused = None;
    for round in 0..200 {
        let Ok(store) = &stores[round % 2] else { break };
        let calls = (0..10).map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                match i % 2 {
                    0 => store.get("key").await.map(|_| ()),
                    _ => store.delete(&["key"], None).await,
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            refused = refused.or(call.await.unwrap().err());
        }
    }
    let refused = refused.expect("named statements do not work there");
    assert!(
        matches!(&refused, StorageError::Misconfigured(text) if text.contains("transaction_pooling")),
        "{refused:?}"
    );
}

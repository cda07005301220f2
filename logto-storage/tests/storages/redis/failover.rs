//! Servers that go, come back, or are replaced, and lines that break.

use std::time::Duration;

use logto_client::storage::{Replaced, SessionReader, SessionStorage, StorageError};
use logto_storage::{KeyValueStore, RedisStore, conformance::Sample};

use super::server::RedisServer;
use crate::common::{
    NOW,
    stores::{self, entry},
    switch::Switch,
};

const TTL: Duration = Duration::from_secs(600);

/// A primary, its replica, and a store that reaches the primary.
async fn pair() -> (RedisServer, RedisServer, Switch, RedisStore) {
    let primary = RedisServer::start(&[]);
    let replica = RedisServer::start(&[]);
    let (host, port) = (primary.address.ip(), primary.address.port());
    replica.command(&format!("REPLICAOF {host} {port}"));
    replica.until("INFO replication", "master_link_status:up");
    let switch = Switch::to(primary.address).await;
    let store = connect(&switch).await;
    (primary, replica, switch, store)
}

async fn connect(switch: &Switch) -> RedisStore {
    let url = format!("redis://{}/", switch.address);
    RedisStore::connect(&url).await.unwrap()
}

async fn version(store: &RedisStore, key: &str) -> Option<u64> {
    let found = store.get(key).await.unwrap();
    found.map(|found| found.entry.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_first_write_reaches_the_new_primary() {
    let (old, new, switch, store) = pair().await;
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    new.until("EXISTS logto:key", "1");

    new.command("REPLICAOF NO ONE");
    let (host, port) = (new.address.ip(), new.address.port());
    old.command(&format!("REPLICAOF {host} {port}"));
    switch.lead_to(new.address);
    // The connection to the old primary, which is a replica now, stands.
    assert!(
        store
            .put("key", Some(1), entry(2, b"y"), TTL)
            .await
            .unwrap()
    );
    assert_eq!(version(&store, "key").await, Some(2));
    assert_eq!(new.command("HGET logto:key v"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lost_its_primary_is_left_for_the_new_one() {
    let (old, new, switch, store) = pair().await;
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    new.until("EXISTS logto:key", "1");

    new.command("REPLICAOF NO ONE");
    old.command("CONFIG SET replica-serve-stale-data no");
    old.command("REPLICAOF 127.0.0.1 1");
    assert!(old.command("GET key").starts_with("MASTERDOWN"));
    switch.lead_to(new.address);
    // Reading is refused as well.
    assert_eq!(version(&store, "key").await, Some(1));
    assert!(
        store
            .put("key", Some(1), entry(2, b"y"), TTL)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_new_primary_a_write_fails_and_the_next_one_tries_again() {
    let (old, new, switch, store) = pair().await;
    let (host, port) = (new.address.ip(), new.address.port());
    old.command(&format!("REPLICAOF {host} {port}"));
    for _ in 0..2 {
        let refused = store.put("key", None, entry(1, b"x"), TTL).await;
        assert!(
            matches!(refused, Err(StorageError::Unavailable(_))),
            "{refused:?}"
        );
    }
    new.command("REPLICAOF NO ONE");
    switch.lead_to(new.address);
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_its_data_is_unavailable_and_then_serves() {
    let mut server = RedisServer::start(&[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let filler = "EVAL \"for i = 1, 3000 do redis.call('SET', i, string.rep('x', 1000)) end\" 0";
    server.command(filler);
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    assert_eq!(server.command("SAVE"), "OK");
    // A millisecond for each key, and an ear for clients in between.
    let slowly = [
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ];
    server.restart(&slowly);
    assert!(server.command("GET key").starts_with("LOADING"));

    let refused = store.get("key").await;
    assert!(
        matches!(refused, Err(StorageError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = RedisStore::connect(&server.url()).await;
    assert!(
        matches!(refused, Err(StorageError::Unavailable(_))),
        "{refused:?}"
    );
    server.until("PING", "PONG");
    assert_eq!(version(&store, "key").await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_the_server_closed_is_made_anew_without_an_error() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    for next in 2..5 {
        assert_eq!(server.command("CLIENT KILL TYPE normal"), "1");
        assert!(
            store
                .put("key", Some(next - 1), entry(next, b"x"), TTL)
                .await
                .unwrap()
        );
    }
    server.command("CLIENT KILL TYPE normal");
    assert_eq!(version(&store, "key").await, Some(4));
    server.command("CLIENT KILL TYPE normal");
    store.delete(&["key"], Some(4)).await.unwrap();
    assert_eq!(version(&store, "key").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_nobody_noticed_costs_no_call() {
    let mut server = RedisServer::start(&[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let storage = stores::storage(store.clone());
    let session = Sample::default().build().unwrap();
    storage.create(&session, NOW).await.unwrap();
    server.restart(&[]);
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    server.command("SAVE");
    server.restart(&[]);
    let found = storage.load(&handle, NOW).await.unwrap();
    assert_eq!(*found.unwrap().session, session);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_a_cluster_costs_no_call() {
    let mut server = RedisServer::start(&["--cluster-enabled", "yes"]);
    server.command("CLUSTER ADDSLOTSRANGE 0 16383");
    server.until("CLUSTER INFO", "cluster_state:ok");
    let store = RedisStore::connect_cluster([server.url()]).await.unwrap();
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    server.command("SAVE");
    server.restart(&["--cluster-enabled", "yes"]);
    server.until("CLUSTER INFO", "cluster_state:ok");
    assert!(
        store
            .put("key", Some(1), entry(2, b"x"), TTL)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_fell_silent_is_replaced() {
    let server = RedisServer::start(&[]);
    let switch = Switch::to(server.address).await;
    let store = connect(&switch).await;
    assert!(store.put("key", None, entry(1, b"x"), TTL).await.unwrap());
    switch.silence();
    assert!(
        store
            .put("key", Some(1), entry(2, b"y"), TTL)
            .await
            .unwrap()
    );
    assert_eq!(version(&store, "key").await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_on_a_broken_line_share_one_new_connection() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    server.command("CLIENT KILL TYPE normal");
    let calls: Vec<_> = (0..50)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = format!("key-{i}");
                store.put(&key, None, entry(1, b"x"), TTL).await.unwrap()
            })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    let clients = server.command("CLIENT LIST TYPE normal");
    // The store, and the one that asks.
    assert_eq!(clients.trim_end().lines().count(), 2, "{clients}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_response_was_lost_knows_itself_again() {
    let server = RedisServer::start(&[]);
    let switch = Switch::to(server.address).await;
    let store = connect(&switch).await;
    switch.lose_every_second_response();
    let written = store.put("key", None, entry(1, b"x"), TTL).await;
    assert!(written.unwrap(), "it was written by this call");
    let written = store.put("key", Some(1), entry(2, b"x"), TTL).await;
    assert!(written.unwrap());
    assert_eq!(version(&store, "key").await, Some(2));

    // The same value by another call is another write.
    assert!(!store.put("key", None, entry(2, b"x"), TTL).await.unwrap());
    assert!(
        !store
            .put("key", Some(1), entry(2, b"x"), TTL)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_somebody_replaced_before_it_was_sent_again_says_so() {
    let server = RedisServer::start(&[]);
    let switch = Switch::to(server.address).await;
    let store = connect(&switch).await;
    let other = RedisStore::connect(&server.url()).await.unwrap();
    switch.hold_next_response();
    let replace = async {
        switch.until_held().await;
        let written = other.put("key", Some(1), entry(2, b"other"), TTL).await;
        assert!(written.unwrap());
        switch.cut();
    };
    let (written, ()) = tokio::join!(store.put("key", None, entry(1, b"x"), TTL), replace);
    assert!(!written.unwrap());
    assert_eq!(version(&store, "key").await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_leases_survive_lost_responses() {
    let server = RedisServer::start(&[]);
    let switch = Switch::to(server.address).await;
    let storage = stores::storage(connect(&switch).await);
    let other = stores::storage(RedisStore::connect(&server.url()).await.unwrap());
    let session = Sample::default().build().unwrap();
    switch.lose_every_second_response();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let version = storage.load(&handle, NOW).await.unwrap().unwrap().version;
    let replaced = storage.replace(&handle, version, &session, NOW).await;
    assert!(matches!(replaced.unwrap(), Replaced::Stored { .. }));

    let lease = storage.lease(&handle, TTL).await.unwrap();
    let lease = lease.expect("nobody else wants it");
    assert!(!lease.was_taken_over());
    assert!(other.lease(&handle, TTL).await.unwrap().is_none());
    assert!(storage.renew(&handle, &lease, TTL).await.unwrap());
    storage.release(&handle, lease).await.unwrap();
    let next = other
        .lease(&handle, TTL)
        .await
        .unwrap()
        .expect("it is free");
    assert!(!next.was_taken_over());
}

//! PostgreSQL: needs `LOGTO_TEST_POSTGRES_URL` and `LOGTO_TEST_POSTGRES_STANDBY_URL`, where `ci/services.sh` has set up
//! two users, and `psql`.

mod database;
mod failover;
mod migration;
mod misconfigured;
mod pooling;

use std::net::SocketAddr;

use logto_client::{
    key_value::KeyValueStore,
    storage::{SessionStorage, StorageError},
};
use logto_storage::{PostgresOptions, PostgresStore};

use crate::common::{stores, switch::Switch};

fn address(variable: &str) -> SocketAddr {
    let url = stores::server(variable);
    let (_, address) = url.split_once('@').unwrap();
    let (address, _) = address.split_once('/').unwrap();
    address.parse().unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("postgres://postgres@{address}/postgres")
}

async fn connect() -> PostgresStore {
    PostgresStore::connect(&stores::server("LOGTO_TEST_POSTGRES_URL"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_f34_f35_f36_a_server_keeps_the_contract() {
    let (one, other) = (connect().await, connect().await);
    // Two processes start at once, and then again.
    for _ in 0..2 {
        let (first, second) = tokio::join!(one.migrate(), other.migrate());
        first.unwrap();
        second.unwrap();
    }
    stores::check(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn w6_a_session_is_loaded_in_one_round_trip() {
    connect().await.migrate().await.unwrap();
    let switch = Switch::to(address("LOGTO_TEST_POSTGRES_URL")).await;
    let store = PostgresStore::connect(&url(switch.address)).await.unwrap();
    let storage = stores::storage(store);
    let handle = stores::create(&storage).await;
    // A connection that has not run the statement prepares it first.
    stores::round_trips(&storage, &handle, &switch).await;
    for _ in 0..3 {
        assert_eq!(stores::round_trips(&storage, &handle, &switch).await, 1);
    }
    storage.remove(&handle).await.unwrap();
}

#[tokio::test]
async fn f31_a_server_that_is_not_there_is_unavailable_and_a_bad_url_is_misconfigured() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://user:secret@{closed}/database");
    let refused = PostgresStore::connect(&url).await.unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
    assert!(!format!("{refused} {refused:?}").contains("secret"));
    for url in ["", "not a url", "postgres://user:secret@[/"] {
        let refused = PostgresStore::connect(url).await.unwrap_err();
        assert!(
            matches!(refused, StorageError::Misconfigured(_)),
            "{url}: {refused:?}"
        );
        assert!(!format!("{refused} {refused:?}").contains("secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_connections_may_be_allowed() {
    for connections in [0, 1, usize::MAX] {
        let url = stores::server("LOGTO_TEST_POSTGRES_URL");
        let options = PostgresOptions::new(url).max_connections(connections);
        let store = options.connect().await.unwrap();
        store.migrate().await.unwrap();
        assert!(store.get("no such key").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn b18_the_store_does_not_show_its_url() {
    let shown = format!("{:?}", connect().await);
    assert!(
        shown.starts_with("PostgresStore { connections: "),
        "{shown}"
    );
}

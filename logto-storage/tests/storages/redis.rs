//! Redis: needs `LOGTO_TEST_REDIS_URL` and, for a cluster, `LOGTO_TEST_REDIS_CLUSTER_URL`; and `redis-server`, for
//! servers that a test may stop.

mod eviction;
mod failover;
mod misconfigured;
mod server;

use std::time::Duration;

use logto_client::storage::StorageError;
use logto_storage::{Entry, KeyValueStore, RedisStore};

use crate::common::{stores, switch::Switch};

async fn connect() -> RedisStore {
    RedisStore::connect(&stores::server("LOGTO_TEST_REDIS_URL"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_f34_f35_f36_a_server_keeps_the_contract() {
    stores::check(connect().await, connect().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_f34_f35_f36_a_cluster_keeps_the_contract() {
    let url = stores::server("LOGTO_TEST_REDIS_CLUSTER_URL");
    let connect = async || RedisStore::connect_cluster([&url]).await.unwrap();
    stores::check(connect().await, connect().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn w6_a_session_is_loaded_in_one_round_trip() {
    let server = server::RedisServer::start(&[]);
    let switch = Switch::to(server.address).await;
    let connect = async || {
        let url = format!("redis://{}/", switch.address);
        RedisStore::connect(&url).await.unwrap()
    };
    let creator = stores::storage(connect().await);
    let handle = stores::create(&creator).await;
    assert_eq!(stores::round_trips(&creator, &handle, &switch).await, 1);
    // A process that has never seen the session learns first in which lists it has to be.
    let other = stores::storage(connect().await);
    for expected in [2, 1, 1] {
        assert_eq!(
            stores::round_trips(&other, &handle, &switch).await,
            expected
        );
    }
}

#[tokio::test]
async fn prefixes_keep_stores_apart() {
    let (one, other) = (
        connect().await.prefix("one:"),
        connect().await.prefix("other:"),
    );
    let ttl = Duration::from_secs(5);
    let entry = Entry {
        version: 1,
        ..Entry::default()
    };
    one.delete(&["key"], None).await.unwrap();
    assert!(one.put("key", None, entry.clone(), ttl).await.unwrap());
    assert_eq!(other.get("key").await.unwrap(), None);
    assert_eq!(one.get("key").await.unwrap().unwrap().entry, entry);
    one.delete(&["key"], None).await.unwrap();
}

#[tokio::test]
async fn f31_a_server_that_is_not_there_is_unavailable_and_a_bad_url_is_misconfigured() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = RedisStore::connect(&format!("redis://:secret@{closed}/"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
    assert!(!format!("{refused} {refused:?}").contains("secret"));
    for url in ["", "not a url", "http://localhost/", "redis://:secret@[/"] {
        let refused = RedisStore::connect(url).await.unwrap_err();
        assert!(
            matches!(refused, StorageError::Misconfigured(_)),
            "{url}: {refused:?}"
        );
        assert!(!format!("{refused} {refused:?}").contains("secret"));
    }
}

#[tokio::test]
async fn f31_a_server_that_does_not_answer_is_unavailable_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/", silent.local_addr().unwrap());
    let refused = tokio::time::timeout(Duration::from_secs(20), RedisStore::connect(&url)).await;
    let refused = refused.expect("it gives up").unwrap_err();
    assert!(
        matches!(refused, StorageError::Unavailable(_)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn b18_the_store_does_not_show_its_url() {
    assert_eq!(
        format!("{:?}", connect().await),
        "RedisStore { prefix: \"logto:\", .. }"
    );
}

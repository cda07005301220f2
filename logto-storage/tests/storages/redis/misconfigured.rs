//! What waiting does not help is found when the store connects, and says what to change.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use logto_client::storage::StorageError;
use logto_storage::{KeyValueStore, RedisStore};

use super::server::RedisServer;
use crate::common::stores::{self, entry};

fn assert_misconfigured(outcome: Result<RedisStore, StorageError>, advice: &str) {
    let error = outcome.expect_err(advice);
    assert_advice(&error, advice);
}

fn assert_advice(error: &StorageError, advice: &str) {
    assert!(
        matches!(error, StorageError::Misconfigured(_)),
        "{advice}: {error:?}"
    );
    let text = format!("{error} {error:?}");
    assert!(text.contains(advice), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_misconfigured() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let open = RedisServer::start(&[]);
    for url in [
        format!("redis://{}/", server.address),
        format!("redis://:secret@{}/", server.address),
        format!("redis://nobody:secret@{}/", server.address),
        format!("redis://:secret@{}/", open.address),
    ] {
        let outcome = RedisStore::connect(&url).await;
        assert_misconfigured(outcome, "correct the user and the password of the URL");
    }
    let url = format!("redis://:right@{}/", server.address);
    RedisStore::connect(&url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_is_misconfigured() {
    let server = RedisServer::start(&[]);
    let url = format!("redis://{}/99", server.address);
    let advice = "correct the number of the database";
    assert_misconfigured(RedisStore::connect(&url).await, advice);
    let url = format!("redis://{}/15", server.address);
    RedisStore::connect(&url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_rights_is_misconfigured() {
    let server = RedisServer::start(&[]);
    let as_user = |name: &str| format!("redis://{name}:secret@{}/", server.address);
    server.command("ACL SETUSER idle on >secret ~* +ping");
    let advice = "allow the commands and keys";
    assert_misconfigured(RedisStore::connect(&as_user("idle")).await, advice);

    // Exactly the rights in the documentation of the store.
    let rights = "+eval +hget +hmget +hset +del +pexpire +pttl +time +zadd +zrange +zrem +zremrangebyscore +zscore";
    server.command(&format!("ACL SETUSER app on >secret ~logto:* {rights}"));
    let store = RedisStore::connect(&as_user("app")).await.unwrap();
    stores::check(store.clone(), store.clone()).await;
    let foreign = store.prefix("other:").get("key").await.unwrap_err();
    assert_advice(&foreign, advice);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_program_are_misconfigured() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    server.command("SET logto:key theirs");
    let ttl = Duration::from_secs(60);
    let refused = store.put("key", None, entry(1, b"x"), ttl).await;
    assert_advice(&refused.unwrap_err(), "choose another `RedisStore::prefix`");
    assert_eq!(server.command("EXISTS logto:key"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_none_and_a_server_of_a_cluster_are_misconfigured() {
    let single = RedisServer::start(&[]);
    let outcome = RedisStore::connect_cluster([single.url()]).await;
    assert_misconfigured(outcome, "use `RedisStore::connect`");

    // Half of the keys belong to a node that is not there.
    let node = RedisServer::start(&["--cluster-enabled", "yes"]);
    node.command("CLUSTER ADDSLOTSRANGE 0 8191");
    node.command("CONFIG SET cluster-require-full-coverage no");
    let other = RedisServer::start(&["--cluster-enabled", "yes"]);
    other.command("CLUSTER ADDSLOTSRANGE 8192 16383");
    node.command(&format!("CLUSTER MEET 127.0.0.1 {}", other.address.port()));
    node.until("CLUSTER INFO", "cluster_slots_assigned:16384");
    node.until("CLUSTER INFO", "cluster_state:ok");
    let store = RedisStore::connect(&node.url()).await.unwrap();
    let mut moved = None;
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        moved = moved.or(store.get(key).await.err());
    }
    assert_advice(&moved.expect("keys elsewhere"), "connect_cluster");
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_than_redis_is_misconfigured() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1_000]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let outcome = RedisStore::connect(&format!("redis://{address}/")).await;
    assert_misconfigured(outcome, "is not Redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_to_a_server_without_it_is_misconfigured() {
    let server = RedisServer::start(&[]);
    let url = format!("rediss://:secret@{}/", server.address);
    let advice = if cfg!(feature = "tls") {
        "does not speak TLS"
    } else {
        "enable the feature `tls`"
    };
    assert_misconfigured(RedisStore::connect(&url).await, advice);
}

/// A server that speaks TLS only, with a certificate that nobody trusts.
#[cfg(feature = "tls")]
fn tls_server() -> RedisServer {
    let directory = std::env::temp_dir().join(format!("logto-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| directory.join(name));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let server = RedisServer::start_tls(&key, &certificate);
    std::fs::remove_dir_all(&directory).unwrap();
    server
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_misconfigured() {
    let server = tls_server();
    let url = format!("rediss://:secret@{}/", server.address);
    assert_misconfigured(RedisStore::connect(&url).await, "not trusted");
}

#[tokio::test]
async fn an_unknown_host_is_misconfigured() {
    let outcome = RedisStore::connect("redis://:secret@no-such-host.invalid/").await;
    assert_misconfigured(outcome, "correct the host of the URL");
}

//! A Redis that evicts keys: sessions may end, none escapes a logout.

use std::time::Duration;

use logto_client::storage::{SessionReader, SessionStorage};
use logto_storage::{KeyValueStore, RedisStore, conformance::Sample};

use super::server::RedisServer;
use crate::common::{
    NOW, logout,
    stores::{self, entry},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_user_index_was_evicted_does_not_survive_a_back_channel_logout() {
    let server = RedisServer::start(&[]);
    let storage = stores::storage(RedisStore::connect(&server.url()).await.unwrap());
    for (lost, whose) in [
        ("sub", logout(None, Some("alice"))),
        ("sid", logout(Some("first"), None)),
    ] {
        let sample = |subject: &str, sid: &str| {
            let session = Sample {
                subject: subject.to_owned(),
                provider_session: Some(sid.to_owned()),
                ..Sample::default()
            };
            session.build().unwrap()
        };
        let (theirs, _) = storage
            .create(&sample("alice", "first"), NOW)
            .await
            .unwrap();
        delete_index(&server, lost);
        let (later, _) = storage
            .create(&sample("alice", "first"), NOW)
            .await
            .unwrap();
        let (bob, _) = storage.create(&sample("bob", "second"), NOW).await.unwrap();
        assert!(storage.load(&later, NOW).await.unwrap().is_some());

        storage.remove_all(&whose).await.unwrap();
        for handle in [&theirs, &later] {
            assert!(storage.load(handle, NOW).await.unwrap().is_none(), "{lost}");
        }
        assert!(storage.load(&bob, NOW).await.unwrap().is_some());
    }
}

/// Deletes the lists of one kind of owner, as an eviction may.
fn delete_index(server: &RedisServer, kind: &str) {
    let delete = format!(
        "EVAL \"for _, key in ipairs(redis.call('KEYS', 'logto:{kind}:*')) do redis.call('DEL', key) end return 1\" 0"
    );
    assert_eq!(server.command(&delete), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_at_random_hides_no_session_from_a_logout() {
    let server = RedisServer::start(&["--maxmemory-policy", "allkeys-random"]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let storage = stores::storage(store.clone());
    let mut sessions = Vec::new();
    for user in 0..200_u8 {
        let subject = format!("user-{user}");
        let session = Sample {
            id: user,
            subject: subject.clone(),
            provider_session: Some(format!("session-{user}")),
            ..Sample::default()
        };
        let (handle, _) = storage
            .create(&session.build().unwrap(), NOW)
            .await
            .unwrap();
        sessions.push((subject, handle));
    }
    let entries = |pattern: &str| -> u32 {
        let count = format!("EVAL \"return #redis.call('KEYS', '{pattern}')\" 0");
        server.command(&count).parse().unwrap()
    };
    assert_eq!(entries("logto:sub:*"), 200);

    // Memory for what is there, and then as much again of something else.
    let memory = server.command("INFO memory");
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let limit = format!("CONFIG SET maxmemory {}", used.unwrap());
    assert_eq!(server.command(&limit), "OK");
    let mut filler = 0;
    while entries("logto:sub:*") > 100 {
        let key = format!("filler-{filler}");
        let ttl = Duration::from_secs(600);
        store
            .put(&key, None, entry(1, &[7; 10_000]), ttl)
            .await
            .unwrap();
        filler += 1;
        assert!(filler < 10_000, "Redis evicts nothing");
    }
    for (subject, handle) in sessions {
        let whose = logout(None, Some(&subject));
        storage.remove_all(&whose).await.unwrap();
        let found = storage.load(&handle, NOW).await.unwrap();
        assert!(found.is_none(), "{whose:?} is still signed in");
    }
}

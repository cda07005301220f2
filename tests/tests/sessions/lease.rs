//! The lease of a store: while a renewal of it is under way, and when another process takes it over.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use async_trait::async_trait;
use logto_client::{
    Error, TokenTarget,
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use logto_storage::{ExternalStorage, MemoryStorage};
use logto_testkit::{Endpoint, demo::SHOPPING_API};
use logto_tests::{
    shared::MapStore,
    stage::key_ring,
    world::{Mishap, World},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const HANGS: Duration = Duration::from_secs(30);

/// A store in which the renewal of a lease hangs, before or after it is written.
#[derive(Clone, Debug)]
struct SlowRenewals(MapStore, ControlFlow<()>);

#[async_trait]
impl KeyValueStore for SlowRenewals {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        self.0.get(key).await
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let is_renewal = expected == Some(entry.version);
        if is_renewal && self.1.is_break() {
            sleep(HANGS).await;
        }
        let written = self.0.put(key, expected, entry, ttl).await;
        if is_renewal && self.1.is_continue() {
            sleep(HANGS).await;
        }
        written
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        self.0.delete(keys, expected).await
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        self.0.keys_of(owner).await
    }
}

/// A lease that is left behind costs the next process six seconds and a question to Logto.
#[tokio::test(start_paused = true)]
async fn f36_a_refresh_that_ends_while_its_lease_is_renewed_gives_the_lease_back() {
    for hangs in [ControlFlow::Break(()), ControlFlow::Continue(())] {
        let world = World::new();
        let store = SlowRenewals(MapStore::default(), hangs);
        let process = || {
            let storage = ExternalStorage::new(store.clone(), key_ring(), world.config());
            world.client(storage)
        };
        let (one, other) = (process(), process());
        let session = world.sign_in(&one, "alice").await.session;
        let user_info = TokenTarget::user_info();
        // The first renewal is due after two seconds, and hangs.
        let slowly = Mishap::Slow(Duration::from_secs(4));
        world.network.next("/token", slowly);
        session.refresh_access_token(&user_info).await.unwrap();

        let begin = Instant::now();
        let session = other.session(&session.handle()).await.unwrap().unwrap();
        session.refresh_access_token(&user_info).await.unwrap();
        let waited = begin.elapsed();
        assert!(waited < Duration::from_secs(1), "{hangs:?}: {waited:?}");
        assert_eq!(world.logto.count(Endpoint::Introspection), 0, "{hangs:?}");
    }
}

/// The holder before is alive, and has spent the stored refresh token. Nobody may use that one without asking: it
/// would end the grant.
#[tokio::test(start_paused = true)]
async fn f36_a_lease_that_was_taken_over_is_not_given_back_with_another_write() {
    let world = World::public(|app| app, |tenant| tenant);
    let _time = world.let_time_pass();
    let store = MapStore::default();
    let process = || {
        world.client(ExternalStorage::new(
            store.clone(),
            key_ring(),
            world.config(),
        ))
    };
    let stalled = {
        let store = SlowRenewals(store.clone(), ControlFlow::Break(()));
        world.client(ExternalStorage::new(store, key_ring(), world.config()))
    };
    let (second, third) = (process(), process());
    let session = world.sign_in(&stalled, "alice").await.session;
    let handle = session.handle();
    let user_info = TokenTarget::user_info();
    world.logto.reset_counts();
    let slowly = Mishap::Slow(Duration::from_secs(25));
    world.network.next("/token", slowly);
    let listening = tokio::spawn({
        let (session, user_info) = (session.clone(), user_info.clone());
        async move { session.refresh_access_token(&user_info).await }
    });
    // It cannot renew its lease, which runs out.
    sleep(Duration::from_secs(7)).await;

    // The next holder does not find out what became of the refresh token, and writes something else.
    let session = second.session(&handle).await.unwrap().unwrap();
    let busy = Mishap::Answered(503, "text/html", "busy");
    world.network.next("/introspection", busy);
    let error = session.refresh_access_token(&user_info).await.unwrap_err();
    assert!(error.advice().is_retry(), "{error}");
    session
        .forget(&TokenTarget::resource(SHOPPING_API))
        .await
        .unwrap();
    assert_eq!(world.logto.count(Endpoint::Introspection), 0);

    let session = third.session(&handle).await.unwrap().unwrap();
    let error = session.refresh_access_token(&user_info).await.unwrap_err();
    assert!(matches!(error, Error::Superseded), "{error}");
    assert_eq!(world.token_calls(), 1);
    listening.await.unwrap().unwrap_err();
    sleep(Duration::from_secs(20)).await;

    let session = third.session(&handle).await.unwrap().unwrap();
    session.refresh_access_token(&user_info).await.unwrap();
    assert_eq!(world.logto.late_replays(), 0);
    assert_eq!(world.events.ended_sessions(), 0);
}

/// Each of the others looks every 50 ms whether the lease is free. One process that never pauses between two
/// refreshes would always be faster.
#[tokio::test(start_paused = true)]
async fn f34_a_process_that_refreshes_without_a_pause_lets_all_others_have_their_turn() {
    let world = World::new();
    world.network.set_latency(Duration::from_millis(100));
    // A store that takes no time, so that no process is fast enough by chance.
    let store = Arc::new(MemoryStorage::new());
    let process = || world.client(Arc::clone(&store));
    let first = process();
    let handle = world.sign_in(&first, "alice").await.session.handle();
    let busy = tokio::spawn({
        let handle = handle.clone();
        async move {
            loop {
                let session = first.session(&handle).await.unwrap().unwrap();
                let user_info = TokenTarget::user_info();
                session.refresh_access_token(&user_info).await.unwrap();
            }
        }
    });
    let mut others = JoinSet::new();
    for _ in 0..3 {
        let (client, handle) = (process(), handle.clone());
        others.spawn(async move {
            for _ in 0..10 {
                let session = client.session(&handle).await.unwrap().unwrap();
                let user_info = TokenTarget::user_info();
                session.refresh_access_token(&user_info).await.unwrap();
            }
        });
    }
    others.join_all().await;
    busy.abort();
    assert!(
        busy.await.unwrap_err().is_cancelled(),
        "it never failed either"
    );
    assert_eq!(world.logto.late_replays(), 0);
}

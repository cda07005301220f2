//! A failing session storage: no sign-out, no lost refresh token.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::StatusCode;
use logto_client::web::LogtoWeb;
use logto_client::{
    AccessToken, Error, LogtoClient, TokenTarget,
    error::Advice,
    event::Event,
    key_value::{Entry, Found, KeyValueStore},
    storage::{Handle, SessionOwner, SessionReader, SessionStorage, StorageError},
};
use logto_storage::{
    MemoryStorage,
    faulty::{Fault, FaultyStorage, Operation},
};
use logto_testkit::demo::SHOPPING_API;
use logto_tests::{
    shared::{Lock, Locked},
    stage::{codec, cookie_storage, key_ring},
    visitor::Visitor,
    world::{Mishap, World, refresh_token_of},
};
use tokio::time::sleep;

type Faulty = Arc<FaultyStorage<Arc<MemoryStorage>>>;

const HOUR: Duration = Duration::from_secs(3_600);

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// Alice at a public application, with an access token that has expired, on a storage that breaks when
/// told to.
struct Stage {
    world: World,
    inner: Arc<MemoryStorage>,
    storage: Faulty,
    client: LogtoClient,
    handle: Handle,
    first_refresh_token: String,
}

impl Stage {
    async fn new() -> Self {
        let world = World::public(|app| app, |tenant| tenant);
        let inner = Arc::new(MemoryStorage::new());
        let storage = Arc::new(FaultyStorage::new(Arc::clone(&inner)));
        let client = world.client(Arc::clone(&storage));
        let alice = world.sign_in(&client, "alice").await.session;
        let first_refresh_token = refresh_token_of(alice.snapshot());
        alice.access_token(&shopping()).await.unwrap();
        world.clock.advance(HOUR);
        world.logto.reset_counts();
        let handle = alice.handle();
        Self {
            world,
            inner,
            storage,
            client,
            handle,
            first_refresh_token,
        }
    }

    /// A refresh tries to write four times.
    fn fail_all_attempts_to_write(&self) {
        let calls = self.storage.calls(Operation::Replace);
        for nth in 1..=4 {
            self.storage
                .fail(Operation::Replace, calls + nth, Fault::Before);
        }
    }

    async fn token(&self) -> Result<AccessToken, Error> {
        let session = self
            .client
            .session(&self.handle)
            .await?
            .expect("alice is signed in");
        session.access_token(&shopping()).await
    }

    async fn stored(&self) -> Option<String> {
        let stored = self
            .inner
            .load(&self.handle, self.world.now())
            .await
            .unwrap()?;
        Some(stored.session.refresh_token()?.expose().to_owned())
    }

    fn latest(&self) -> Option<String> {
        self.world
            .logto
            .latest_refresh_token(&self.first_refresh_token)
    }

    fn alarms(&self) -> usize {
        self.world
            .events
            .count(|event| matches!(event, Event::NotStored { .. }))
    }

    fn ends(&self) -> usize {
        self.world.events.ended_sessions()
    }
}

#[tokio::test(start_paused = true)]
async fn f30_a_write_that_fails_is_repeated() {
    for fault in [Fault::Before, Fault::After] {
        let stage = Stage::new().await;
        stage.storage.fail_next(Operation::Replace, fault);
        stage.token().await.unwrap();
        assert_eq!(stage.stored().await, stage.latest(), "{fault:?}");
        assert_eq!(
            (stage.world.token_calls(), stage.alarms()),
            (1, 0),
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f30_what_cannot_be_written_is_served_told_and_written_with_the_next_use() {
    let stage = Stage::new().await;
    let session = stage.client.session(&stage.handle).await.unwrap().unwrap();
    stage.fail_all_attempts_to_write();
    let token = session.access_token(&shopping()).await.unwrap();
    assert_eq!(stage.alarms(), 1);
    assert_ne!(
        stage.stored().await,
        stage.latest(),
        "the storage has the spent one"
    );

    // Later than Logto would accept the spent one.
    stage.world.clock.advance(Duration::from_secs(60));
    assert_eq!(
        stage.token().await.unwrap(),
        token,
        "another request of this process has it"
    );
    assert_eq!(stage.stored().await, stage.latest(), "and has written it");
    assert_eq!(stage.world.token_calls(), 1);

    // So that another process finds it.
    stage.world.clock.advance(HOUR);
    let other = stage.world.client(Arc::clone(&stage.inner));
    let session = other.session(&stage.handle).await.unwrap().unwrap();
    session.access_token(&shopping()).await.unwrap();
    assert_eq!(stage.world.logto.late_replays(), 0);
}

/// The lease that it did not give back is its own, so it does not wait for it.
#[tokio::test(start_paused = true)]
async fn f30_after_a_write_that_failed_the_same_process_refreshes_at_once() {
    let stage = Stage::new().await;
    let session = stage.client.session(&stage.handle).await.unwrap().unwrap();
    stage.fail_all_attempts_to_write();
    session.access_token(&shopping()).await.unwrap();
    assert_ne!(stage.stored().await, stage.latest());
    let other = stage.world.client(Arc::clone(&stage.inner));
    let old = other.session(&stage.handle).await.unwrap().unwrap();
    let error = old.refresh_access_token(&shopping()).await.unwrap_err();
    assert!(matches!(error, Error::Busy), "the lease is held: {error}");

    let started = tokio::time::Instant::now();
    session.refresh_access_token(&shopping()).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(stage.stored().await, stage.latest());
    old.refresh_access_token(&shopping()).await.unwrap();
    assert_eq!(stage.world.logto.late_replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn f31_a_storage_that_cannot_be_read_says_nothing_about_who_is_signed_in() {
    let stage = Stage::new().await;
    let web = LogtoWeb::new(stage.client.clone(), codec(), key_ring());
    let alice = Visitor::new(&stage.world.logto);
    alice.plant(codec().name(), stage.handle.expose());
    let session = stage.client.session(&stage.handle).await.unwrap().unwrap();

    stage.storage.go_down(Fault::Before);
    for error in [
        stage
            .client
            .session(&stage.handle)
            .await
            .map(drop)
            .unwrap_err(),
        stage
            .client
            .read_only_session(&stage.handle)
            .await
            .map(drop)
            .unwrap_err(),
        session
            .access_token(&shopping())
            .await
            .map(drop)
            .unwrap_err(),
        web.session(alice.get("/").headers())
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(error.advice().is_retry(), "{error}");
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let visit = alice.get("/");
    visit.finish(&web, &session);
    assert_eq!(alice.cookies().len(), 1, "the cookie stays");
    assert_eq!(stage.world.token_calls(), 0, "and nothing was spent");
    assert_eq!(stage.ends(), 0);

    stage.storage.come_back();
    session.access_token(&shopping()).await.unwrap();
    assert_eq!(stage.stored().await, stage.latest());
}

#[tokio::test(start_paused = true)]
async fn f31_through_an_outage_of_the_storage_a_token_at_hand_is_served() {
    let stage = Stage::new().await;
    let held = stage.token().await.unwrap();
    let session = stage.client.session(&stage.handle).await.unwrap().unwrap();
    stage.world.clock.advance(HOUR - Duration::from_secs(30));
    stage.storage.go_down(Fault::Before);
    assert_eq!(session.access_token(&shopping()).await.unwrap(), held);
    assert_eq!(stage.world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f32_a_stale_read_replays_nothing() {
    let stage = Stage::new().await;
    stage.token().await.unwrap();
    assert_eq!(stage.stored().await, stage.latest());
    stage.world.clock.advance(HOUR);
    stage.storage.go_down(Fault::Stale);
    stage.token().await.unwrap();
    stage.storage.come_back();
    assert_eq!(stage.world.token_calls(), 2);
    assert_eq!(stage.world.logto.late_replays(), 0);
    assert_eq!(stage.stored().await, stage.latest());
}

#[tokio::test(start_paused = true)]
async fn f34_without_the_lock_nothing_is_refreshed_and_nobody_waits_for_ever() {
    let stage = Stage::new().await;
    let locked = Locked::new(&stage.inner, Lock::Works);
    let client = stage.world.client(Arc::clone(&locked));
    let session = client.session(&stage.handle).await.unwrap().unwrap();

    locked.set(Lock::Broken);
    let error = session.access_token(&shopping()).await.unwrap_err();
    assert!(error.advice().is_retry());

    locked.set(Lock::Taken);
    let started = tokio::time::Instant::now();
    let error = session.access_token(&shopping()).await.unwrap_err();
    assert!(matches!(error, Error::Busy), "{error}");
    assert!(error.advice().is_retry());
    let waited = started.elapsed();
    assert!((8..=9).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!((stage.world.token_calls(), stage.ends()), (0, 0));

    locked.set(Lock::Works);
    session.access_token(&shopping()).await.unwrap();
    assert_eq!(stage.stored().await, stage.latest());
}

#[tokio::test(start_paused = true)]
async fn f34_whoever_waits_for_the_lock_is_served_what_its_holder_stored() {
    let stage = Stage::new().await;
    let locked = Locked::new(&stage.inner, Lock::Works);
    let waiting = stage.world.client(Arc::clone(&locked));
    let session = waiting.session(&stage.handle).await.unwrap().unwrap();
    locked.set(Lock::Taken);
    let asking = tokio::spawn(async move { session.access_token(&shopping()).await });
    sleep(Duration::from_secs(1)).await;
    let fetched = stage.token().await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), fetched);
    assert_eq!(stage.world.token_calls(), 1);
}

/// The lock ended while its holder waited for the provider, and somebody else refreshed meanwhile: the
/// late writer gives way.
#[tokio::test(start_paused = true)]
async fn f35_a_late_writer_does_not_undo_a_newer_write() {
    let stage = Stage::new().await;
    let slow = stage.world.client(Locked::new(&stage.inner, Lock::Absent));
    let session = slow.session(&stage.handle).await.unwrap().unwrap();
    let time = stage.world.let_time_pass();
    stage
        .world
        .network
        .next("/token", Mishap::Slow(Duration::from_millis(1_500)));
    let asking = tokio::spawn(async move { session.access_token(&shopping()).await });
    sleep(Duration::from_secs(1)).await;
    // Within Logto's three seconds, with the same refresh token.
    stage.token().await.unwrap();
    asking.await.unwrap().unwrap();
    sleep(Duration::from_secs(4)).await;
    drop(time);
    assert_eq!(stage.world.token_calls(), 2);
    assert_eq!(stage.world.logto.late_replays(), 0);

    stage.world.clock.advance(HOUR);
    let stored = stage.stored().await.unwrap();
    assert!(stage.world.logto.refresh_token_is_usable(&stored));
    stage.token().await.unwrap();
    assert_eq!(stage.ends(), 0);
}

#[tokio::test(start_paused = true)]
async fn f41_sessions_whose_record_is_gone_end_cleanly() {
    let stage = Stage::new().await;
    let session = stage.client.session(&stage.handle).await.unwrap().unwrap();
    stage.inner.remove(&stage.handle).await.unwrap();
    let error = session.access_token(&shopping()).await.unwrap_err();
    assert_eq!(error.advice(), Advice::SignInAgain);
    assert_eq!((stage.world.token_calls(), stage.ends()), (0, 1));
    assert!(stage.client.session(&stage.handle).await.unwrap().is_none());
}

/// A store that never answers well.
#[derive(Debug)]
struct BrokenStore;

impl BrokenStore {
    fn error() -> StorageError {
        StorageError::Unavailable("the store is broken".into())
    }
}

#[async_trait]
impl KeyValueStore for BrokenStore {
    async fn get(&self, _: &str) -> Result<Option<Found>, StorageError> {
        Ok(Some(Found {
            entry: Entry {
                value: b"nonsense that nobody sealed, longer than a nonce and a tag".to_vec(),
                ..Entry::default()
            },
            expires_in: HOUR,
        }))
    }

    async fn put(
        &self,
        _: &str,
        _: Option<u64>,
        _: Entry,
        _: Duration,
    ) -> Result<bool, StorageError> {
        Err(Self::error())
    }

    async fn delete(&self, _: &[&str], _: Option<u64>) -> Result<(), StorageError> {
        Err(Self::error())
    }

    async fn keys_of(&self, _: &SessionOwner) -> Result<Vec<String>, StorageError> {
        Err(Self::error())
    }
}

#[tokio::test(start_paused = true)]
async fn f36_a_broken_shared_ledger_is_as_good_as_none() {
    let world = World::public(|app| app, |tenant| tenant);
    let builder = world.client_builder(cookie_storage(&world));
    let client = builder
        .shared_ledger(BrokenStore, key_ring())
        .build()
        .unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    for _ in 0..3 {
        alice.access_token(&shopping()).await.unwrap();
        world.clock.advance(HOUR);
    }
    assert_eq!(world.logto.late_replays(), 0);
}

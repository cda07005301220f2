//! Responses that take longer than anybody waits: the refresh goes on listening, and what it receives is kept.

use std::{sync::Arc, time::Duration};

use logto_client::{
    AccessToken, Error, LogtoClient, LogtoClientBuilder, TokenTarget, WritableSession,
    core::config::ClientAuthentication,
    event::Event,
    storage::{Handle, SessionStorage},
};
use logto_storage::{ExternalStorage, MemoryStorage};
use logto_testkit::{Endpoint, KeyType, demo::SHOPPING_API};
use logto_tests::{
    mortal::MortalProcess,
    shared::MapStore,
    stage::{cookie_storage, key_ring},
    world::{APP_SECRET, Mishap, PassingTime, World, refresh_token_of},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

const TOKEN: &str = "/token";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// An application whose refresh tokens rotate at every use, and time that passes.
fn public_world() -> (World, PassingTime) {
    let world = World::public(|app| app, |tenant| tenant);
    let time = world.let_time_pass();
    (world, time)
}

/// A client that sends one request at a time.
fn one_at_a_time(world: &World) -> LogtoClientBuilder {
    let context = world.context().max_concurrent_requests(1);
    LogtoClient::builder(world.config().clone(), context, MemoryStorage::new())
}

/// A refresh that nobody has to wait for.
fn refresh(session: &WritableSession) -> JoinHandle<Result<AccessToken, Error>> {
    let session = session.clone();
    tokio::spawn(async move { session.refresh_access_token(&shopping()).await })
}

async fn opened(client: &LogtoClient, handle: &Handle) -> WritableSession {
    let session = client.session(handle).await.unwrap();
    session.expect("alice is signed in")
}

/// Whether the session has the newest of the refresh tokens that came of `first`.
async fn is_newest(world: &World, client: &LogtoClient, handle: &Handle, first: &str) -> bool {
    let session = opened(client, handle).await;
    Some(refresh_token_of(session.snapshot())) == world.logto.latest_refresh_token(first)
}

#[tokio::test(start_paused = true)]
async fn f11_an_answer_after_twelve_seconds_is_kept_though_nobody_waits_for_it() {
    let (world, _time) = public_world();
    let storages: [Arc<dyn SessionStorage>; 2] = [
        Arc::new(MemoryStorage::new()),
        Arc::new(cookie_storage(&world)),
    ];
    for storage in storages {
        let client = world.client(storage);
        let alice = world.sign_in(&client, "alice").await.session;
        let (handle, first) = (alice.handle(), refresh_token_of(alice.snapshot()));
        world.logto.reset_counts();
        world.network.next(TOKEN, Mishap::Slow(secs(12)));

        let started = Instant::now();
        let error = alice.access_token(&shopping()).await.unwrap_err();
        assert!(matches!(error, Error::Transport { .. }), "{error}");
        assert!(error.advice().is_retry());
        assert_eq!(started.elapsed().as_secs(), 10, "the caller timeout");
        assert_eq!(client.stats().refreshes, 1, "it listens on");
        sleep(secs(3)).await;
        assert_eq!((client.stats().refreshes, world.token_calls()), (0, 1));

        // The browser comes again with the cookie that it had.
        assert!(is_newest(&world, &client, &handle, &first).await);
        let session = opened(&client, &handle).await;
        session.access_token(&shopping()).await.unwrap();
        assert_eq!(world.token_calls(), 1, "served without a request");

        session.refresh_access_token(&shopping()).await.unwrap();
        assert_eq!(world.logto.late_replays(), 0);
        assert_eq!(world.events.ended_sessions(), 0);
    }
}

/// A caller that comes while the refresh listens waits for it, or for its own ten seconds.
#[tokio::test(start_paused = true)]
async fn f11_a_caller_joins_a_refresh_that_listens() {
    let (world, _time) = public_world();
    let client = world.client(MemoryStorage::new());
    let alice = world.sign_in(&client, "alice").await.session;
    world.logto.reset_counts();
    world.network.next(TOKEN, Mishap::Slow(secs(15)));
    alice.access_token(&shopping()).await.unwrap_err();
    alice.access_token(&shopping()).await.unwrap();
    assert_eq!(world.token_calls(), 1);
}

/// What comes after the listen timeout is lost, and said to be.
#[tokio::test(start_paused = true)]
async fn f11_nobody_listens_for_ever() {
    let (world, _time) = public_world();
    let builder = world.client_builder(MemoryStorage::new());
    let client = builder.listen_timeout(secs(20)).build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    let first = refresh_token_of(alice.snapshot());
    world.logto.reset_counts();
    world.network.next(TOKEN, Mishap::Slow(secs(25)));
    alice.access_token(&shopping()).await.unwrap_err();
    sleep(secs(9)).await;
    assert_eq!(client.stats().refreshes, 1);
    sleep(secs(2)).await;
    assert_eq!((client.stats().refreshes, world.token_calls()), (0, 1));
    let uncertain = |event: &Event| matches!(event, Event::RefreshUncertain { .. });
    assert_eq!(world.events.count(uncertain), 1);
    assert!(!is_newest(&world, &client, &alice.handle(), &first).await);
}

#[tokio::test(start_paused = true)]
async fn f17_a_refresh_that_listens_lets_others_send() {
    let (world, _time) = public_world();
    let client = one_at_a_time(&world).build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    let bob = world.sign_in(&client, "bob").await.session;
    let first = refresh_token_of(alice.snapshot());
    world.logto.reset_counts();
    world.network.next(TOKEN, Mishap::Slow(secs(30)));

    let started = Instant::now();
    let listening = refresh(&alice);
    sleep(secs(1)).await;
    // Until the request timeout there is no permit for him.
    bob.access_token(&shopping()).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(client.stats().refreshes, 1, "alice's refresh listens on");
    listening.await.unwrap().unwrap_err();
    sleep(secs(21)).await;
    assert_eq!((client.stats().refreshes, world.token_calls()), (0, 2));
    assert!(is_newest(&world, &client, &alice.handle(), &first).await);
}

/// A replay of a request that gave its permit back while it listened needs another one.
#[tokio::test(start_paused = true)]
async fn f17_a_replay_keeps_to_the_cap_after_its_first_request_listened() {
    let ms = Duration::from_millis;
    let (world, _time) = public_world();
    let client = one_at_a_time(&world);
    let client = client.request_timeout(secs(1)).build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    let bob = world.sign_in(&client, "bob").await.session;
    let first = refresh_token_of(alice.snapshot());
    world.logto.reset_counts();
    world.network.next(TOKEN, Mishap::SlowlyLost(ms(1500)));
    world.network.next(TOKEN, Mishap::Slow(ms(900)));

    let listening = refresh(&alice);
    sleep(ms(100)).await;
    // He sends when hers has listened for a moment.
    let other = refresh(&bob);
    sleep(ms(1600)).await;
    assert_eq!(
        world.token_calls(),
        2,
        "her answer is lost, and his request has the permit"
    );
    sleep(ms(300)).await;
    assert_eq!(world.token_calls(), 3);
    listening.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert!(is_newest(&world, &client, &alice.handle(), &first).await);
    assert_eq!(world.logto.late_replays(), 0);
}

/// The same is true of a second credential.
#[tokio::test(start_paused = true)]
async fn f17_a_second_credential_keeps_to_the_cap_after_the_first_was_refused_late() {
    let world = World::new();
    let _time = world.let_time_pass();
    let context = world
        .context()
        .max_concurrent_requests(1)
        .fallback_authentication(ClientAuthentication::Basic(APP_SECRET.into()));
    let client = LogtoClient::builder(world.config().clone(), context, MemoryStorage::new());
    let client = client.build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    let bob = world.sign_in(&client, "bob").await.session;
    world.logto.reset_counts();
    let refused = r#"{"error":"invalid_client"}"#;
    let mishap = Mishap::SlowlyAnswered(secs(12), 401, "application/json", refused);
    world.network.next(TOKEN, mishap);
    world.network.next(TOKEN, Mishap::Slow(secs(4)));

    let listening = refresh(&alice);
    sleep(secs(9)).await;
    let other = refresh(&bob);
    sleep(secs(4)).await;
    assert_eq!(
        world.token_calls(),
        1,
        "hers is refused, and his request has the permit"
    );
    other.await.unwrap().unwrap();
    sleep(secs(1)).await;
    assert_eq!(world.token_calls(), 2);
    // Her own caller waited for ten seconds.
    listening.await.unwrap().unwrap_err();
    alice.access_token(&shopping()).await.unwrap();
    assert_eq!(world.token_calls(), 2);
}

/// A job that has the only permit does not wait for another one.
#[tokio::test(start_paused = true)]
async fn f13_f17_with_one_request_at_a_time_a_grant_that_has_ended_is_recognised_at_once() {
    let (world, _time) = public_world();
    let client = one_at_a_time(&world).build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    assert!(
        world
            .logto
            .revoke_grant(&refresh_token_of(alice.snapshot()))
    );
    world.logto.reset_counts();

    let started = Instant::now();
    let error = alice.access_token(&shopping()).await.unwrap_err();
    assert!(matches!(error, Error::SessionEnded(_)), "{error}");
    assert_eq!(started.elapsed().as_secs(), 0);
    assert_eq!(world.token_calls(), 1);
    assert!(world.logto.count(Endpoint::Introspection) > 0);
    assert_eq!(world.network.most_under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn f17_with_one_request_at_a_time_new_keys_are_fetched_at_once() {
    let (world, _time) = public_world();
    let client = one_at_a_time(&world).build().unwrap();
    let alice = world.sign_in(&client, "alice").await.session;
    world.logto.rotate_keys(KeyType::Rsa).unwrap();
    world.logto.reset_counts();

    let started = Instant::now();
    alice.access_token(&shopping()).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 0);
    assert_eq!(world.logto.count(Endpoint::Jwks), 1);
    assert_eq!(world.network.most_under_way(), 1);
}

/// One may listen. The others end at the request timeout, and say that they may have lost a refresh token.
#[tokio::test(start_paused = true)]
async fn f17_no_more_than_so_many_listen() {
    let (world, _time) = public_world();
    let context = world.context().max_listeners(1);
    let client = LogtoClient::builder(world.config().clone(), context, MemoryStorage::new());
    let client = client.build().unwrap();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let session = world.sign_in(&client, "alice").await.session;
        let first = refresh_token_of(session.snapshot());
        sessions.push((session, first));
    }
    let mut refreshes = Vec::new();
    for (session, _) in &sessions {
        world.network.next(TOKEN, Mishap::Slow(secs(12)));
        refreshes.push(refresh(session));
    }
    sleep(secs(11)).await;
    assert_eq!(client.stats().refreshes, 1);
    for refresh in refreshes {
        refresh.await.unwrap().unwrap_err();
    }
    sleep(secs(5)).await;
    let mut kept = 0;
    for (session, first) in &sessions {
        kept += usize::from(is_newest(&world, &client, &session.handle(), first).await);
    }
    assert_eq!(kept, 1);
    let uncertain = |event: &Event| matches!(event, Event::RefreshUncertain { .. });
    assert_eq!(world.events.count(uncertain), 2);
}

/// Processes that share a store whose leases end by Tokio's time.
struct Processes {
    world: World,
    store: MapStore,
    _time: PassingTime,
}

impl Processes {
    fn of(world: World) -> Self {
        let time = world.let_time_pass();
        Self {
            world,
            store: MapStore::default(),
            _time: time,
        }
    }

    fn storage(&self) -> ExternalStorage {
        ExternalStorage::new(self.store.clone(), key_ring(), self.world.config())
    }

    fn client(&self) -> LogtoClient {
        self.world.client(self.storage())
    }

    fn mortal(&self, process: &MortalProcess) -> LogtoClient {
        let context = self.world.context().runtime(process.clone());
        let config = self.world.config().clone();
        let builder = LogtoClient::builder(config, context, self.storage());
        builder.build().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn f34_a_lease_is_renewed_while_a_refresh_listens() {
    let processes = Processes::of(World::public(|app| app, |tenant| tenant));
    let world = &processes.world;
    let (one, other) = (processes.client(), processes.client());
    let alice = world.sign_in(&one, "alice").await.session;
    let (handle, first) = (alice.handle(), refresh_token_of(alice.snapshot()));
    world.logto.reset_counts();
    world.network.next(TOKEN, Mishap::Slow(secs(40)));
    let listening = refresh(&alice);
    // The lease alone lasts six seconds.
    for _ in 0..4 {
        sleep(secs(1)).await;
        let session = opened(&other, &handle).await;
        let error = session.access_token(&shopping()).await.unwrap_err();
        assert!(matches!(error, Error::Busy), "{error}");
        assert_eq!(world.token_calls(), 1, "nobody else sends");
        assert_eq!(world.logto.count(Endpoint::Introspection), 0);
    }
    listening.await.unwrap().unwrap_err();
    sleep(secs(7)).await;
    assert_eq!(one.stats().refreshes, 0);
    assert!(is_newest(world, &other, &handle, &first).await);
    let session = opened(&other, &handle).await;
    session.access_token(&shopping()).await.unwrap();
    assert_eq!(world.token_calls(), 1, "the other process finds it stored");
    session.refresh_access_token(&shopping()).await.unwrap();
    assert_eq!(world.logto.late_replays(), 0);
}

/// Whenever it dies, the others wait for the rest of its lease, at most six seconds, and hear of no error.
#[tokio::test(start_paused = true)]
async fn f39_a_process_that_dies_blocks_the_others_for_six_seconds() {
    for lived in [0, 1, 2, 3, 9, 20] {
        let processes = Processes::of(World::new());
        let world = &processes.world;
        let process = MortalProcess::default();
        let mortal = processes.mortal(&process);
        let heir = processes.client();
        let alice = world.sign_in(&mortal, "alice").await.session;
        let handle = alice.handle();
        world.logto.reset_counts();
        world.network.next(TOKEN, Mishap::Slow(secs(60)));
        let refresh = refresh(&alice);
        sleep(secs(lived) + Duration::from_millis(500)).await;
        assert_eq!(world.token_calls(), 1, "{lived}");
        process.kill();
        refresh.abort();

        let died = Instant::now();
        let session = opened(&heir, &handle).await;
        session.access_token(&shopping()).await.unwrap();
        let blocked = died.elapsed();
        let some = Duration::from_millis(100);
        assert!(blocked > secs(3), "{lived}: {blocked:?}");
        assert!(blocked <= secs(6) + some, "{lived}: {blocked:?}");
        // The heir cannot know whether the dead process spent the refresh token, and asks.
        assert_eq!(world.logto.count(Endpoint::Introspection), 1, "{lived}");
        assert_eq!(world.token_calls(), 2, "{lived}");
        assert_eq!(world.logto.late_replays(), 0);
        assert_eq!(world.events.ended_sessions(), 0);
    }
}

//! Concurrency: one session, many sessions, many users.

use std::{collections::HashSet, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_client::{
    BuildError, Coordinator, LogtoClient, LogtoConfig, TokenTarget,
    storage::{Handle, SessionStorage},
};
use logto_storage::MemoryStorage;
use logto_testkit::{
    LogtoBuilder, User,
    demo::{ACME, GLOBEX, SHOPPING_API},
};
use logto_tests::{
    shared::SharedStore,
    stage::cookie_storage,
    world::{APP_ID, World, refresh_token_of},
};
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

const LATENCY: Duration = Duration::from_millis(40);

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// A world of a public application, whose refresh tokens rotate at every use.
fn public_world(tenant: impl FnOnce(LogtoBuilder) -> LogtoBuilder) -> World {
    let world = World::public(|app| app, tenant);
    world.network.set_latency(LATENCY);
    world
}

/// A thousand requests at once for the one expired session of `handle`: each gets its client from
/// `client` and the same token. How many requests to the token endpoint that took.
async fn a_thousand(world: &World, handle: &Handle, client: impl Fn() -> LogtoClient) -> usize {
    world.logto.reset_counts();
    let mut requests = JoinSet::new();
    for _ in 0..1_000 {
        let (client, handle) = (client(), handle.clone());
        requests.spawn(async move {
            let session = client
                .session(&handle)
                .await
                .unwrap()
                .expect("alice is signed in");
            session
                .access_token(&shopping())
                .await
                .unwrap()
                .token
                .expose()
                .to_owned()
        });
    }
    let tokens = requests.join_all().await;
    assert_eq!(tokens.len(), 1_000);
    assert_eq!(
        tokens.iter().collect::<HashSet<_>>().len(),
        1,
        "the same token for all"
    );
    world.token_calls()
}

/// Alice, signed in, with an access token that has expired.
async fn expired(world: &World, client: &LogtoClient) -> Handle {
    let session = world.sign_in(client, "alice").await.session;
    session.access_token(&shopping()).await.unwrap();
    world.clock.advance(Duration::from_secs(3_600));
    session.handle()
}

#[tokio::test(start_paused = true)]
async fn w2_a_thousand_calls_on_one_client_are_one_token_request() {
    let world = public_world(|tenant| tenant);
    let storages: [Arc<dyn SessionStorage>; 2] = [
        Arc::new(MemoryStorage::new()),
        Arc::new(cookie_storage(&world)),
    ];
    for storage in storages {
        let client = world.client(storage);
        let handle = expired(&world, &client).await;
        assert_eq!(a_thousand(&world, &handle, || client.clone()).await, 1);
        assert_eq!(world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn w2_a_thousand_clients_with_one_coordinator_are_one_token_request() {
    let world = public_world(|tenant| tenant);
    let storages: [Arc<dyn SessionStorage>; 2] = [
        Arc::new(MemoryStorage::new()),
        Arc::new(cookie_storage(&world)),
    ];
    for storage in storages {
        let coordinator = Coordinator::new();
        let client = || {
            let builder = world.client_builder(Arc::clone(&storage));
            builder.coordinator(coordinator.clone()).build().unwrap()
        };
        let handle = expired(&world, &client()).await;
        assert_eq!(a_thousand(&world, &handle, client).await, 1);
    }
}

/// With nothing in common but a store that has leases, as a thousand processes would be.
#[tokio::test(start_paused = true)]
async fn w2_a_thousand_clients_on_one_store_are_one_token_request() {
    let world = public_world(|tenant| tenant);
    let store = SharedStore::default();
    let handle = expired(&world, &world.client(store.clone())).await;
    assert_eq!(
        a_thousand(&world, &handle, || world.client(store.clone())).await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w2_a_thousand_calls_on_four_threads_are_one_token_request() {
    let world = public_world(|tenant| tenant);
    let client = world.client(MemoryStorage::new());
    let handle = expired(&world, &client).await;
    assert_eq!(a_thousand(&world, &handle, || client.clone()).await, 1);
    client.drain().await;
    let load = client.stats();
    assert_eq!((load.refreshes, load.sessions), (0, 0));
}

#[test]
fn a_coordinator_serves_one_application() {
    let world = World::new();
    let coordinator = Coordinator::new();
    let of = |world: &World| {
        let builder = world.client_builder(MemoryStorage::new());
        builder.coordinator(coordinator.clone()).build().map(drop)
    };
    assert_eq!(of(&world), Ok(()));
    assert_eq!(of(&world), Ok(()));
    let other = LogtoConfig::builder(world.logto.endpoint(), "another-app")
        .build()
        .unwrap();
    assert_ne!(other.app_id(), APP_ID);
    let http = logto_client::http::http_fn(|_| async { unreachable!("nothing is sent") });
    let builder = LogtoClient::builder(other, http, MemoryStorage::new());
    let refused = builder.coordinator(coordinator.clone()).build().map(drop);
    assert_eq!(refused, Err(BuildError::OtherApplication));
}

/// What a JWT says, unverified.
fn payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn w1_v55_a_thousand_users_times_ten_get_their_own_tokens_with_one_request_each() {
    const USERS: usize = 1_000;
    let name = |n: usize| format!("user{n}");
    let world =
        public_world(|tenant| (0..USERS).fold(tenant, |tenant, n| tenant.user(User::new(name(n)))));
    world.network.set_latency(Duration::ZERO);
    let client = world.client(MemoryStorage::new());
    let mut sessions = Vec::new();
    for n in 0..USERS {
        sessions.push(world.sign_in(&client, &name(n)).await.session);
    }
    world.network.set_latency(LATENCY);
    world.logto.reset_counts();

    let started = Instant::now();
    let mut requests = JoinSet::new();
    for session in &sessions {
        for _ in 0..10 {
            let (client, session) = (client.clone(), session.clone());
            requests.spawn(async move {
                let sub = session.claims().sub.clone();
                let session = client.session(&session.handle()).await.unwrap().unwrap();
                let token = session.access_token(&shopping()).await.unwrap();
                assert_eq!(payload(token.token.expose())["sub"], sub);
            });
        }
    }
    while let Some(request) = requests.join_next().await {
        request.unwrap();
    }
    assert_eq!(world.token_calls(), USERS);
    assert_eq!(world.logto.late_replays(), 0);
    // Sixty-four at a time, without a gap between them.
    let rounds = u32::try_from(USERS.div_ceil(64)).unwrap();
    assert!(
        started.elapsed() <= LATENCY * rounds + Duration::from_millis(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!((client.stats().refreshes, client.stats().sessions), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn w1_a_call_that_shares_a_refresh_waits_no_longer_than_the_refresh() {
    let world = public_world(|tenant| tenant);
    let client = world.client(MemoryStorage::new());
    let handle = expired(&world, &client).await;
    let started = Instant::now();
    a_thousand(&world, &handle, || client.clone()).await;
    assert!(
        started.elapsed() <= LATENCY + Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn f37_three_resources_at_once_are_three_requests_in_a_row() {
    let world = public_world(|tenant| tenant);
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let first = refresh_token_of(session.snapshot());
    world.logto.reset_counts();
    let targets = [
        shopping(),
        TokenTarget::organization(ACME),
        TokenTarget::organization(GLOBEX),
    ];
    let mut requests = JoinSet::new();
    for target in targets.clone() {
        let session = session.clone();
        requests.spawn(async move { session.access_token(&target).await.unwrap() });
    }
    requests.join_all().await;

    let spent: Vec<_> = world
        .logto
        .requests()
        .iter()
        .map(|request| request.param("refresh_token").unwrap().to_owned())
        .collect();
    assert_eq!(spent.len(), 3);
    assert_eq!(spent[0], first);
    assert_eq!(
        spent.iter().collect::<HashSet<_>>().len(),
        3,
        "each with the newest one"
    );
    let stored = session.snapshot();
    assert_eq!(
        stored
            .refresh_token()
            .map(|token| token.expose().to_owned()),
        world.logto.latest_refresh_token(&first)
    );
    assert!(
        targets
            .iter()
            .all(|target| stored.access_tokens().contains_key(target))
    );
}

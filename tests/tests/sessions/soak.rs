//! Many cycles of sign-in, refresh and sign-out, and shutdown under load.

use std::{sync::Arc, time::Duration};

use logto_client::{
    Coordinator, TokenTarget,
    ledger::LedgerLimits,
    storage::{SessionReader, SessionStorage},
};
use logto_storage::MemoryStorage;
use logto_testkit::demo::SHOPPING_API;
use logto_tests::{
    shared::SharedStore,
    world::{World, refresh_token_of},
};
use tokio::{task::JoinSet, time::sleep};

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

#[tokio::test(start_paused = true)]
async fn w6_what_a_client_remembers_is_bounded() {
    const CYCLES: usize = 1_000;
    let world = World::public(|app| app, |tenant| tenant);
    let storage = Arc::new(MemoryStorage::new());
    let mut limits = LedgerLimits::default();
    limits.capacity = 50;
    let builder = world.client_builder(Arc::clone(&storage));
    let client = builder
        .coordinator(Coordinator::with_ledger(limits))
        .build()
        .unwrap();
    for cycle in 0..CYCLES {
        let session = world.sign_in(&client, "alice").await.session;
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(3_600));
            session.access_token(&shopping()).await.unwrap();
        }
        if cycle % 2 == 0 {
            session.sign_out_locally().await.unwrap();
        } else {
            storage.remove(&session.handle()).await.unwrap();
        }
        client.drain().await;
        let load = client.stats();
        assert_eq!((load.refreshes, load.sessions), (0, 0), "cycle {cycle}");
        assert!(load.ledger <= 50, "cycle {cycle}: {}", load.ledger);
        assert!(storage.is_empty());
    }
    assert_eq!(world.logto.late_replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn w7_refreshes_whose_callers_have_gone_land_before_the_end() {
    let world = World::public(|app| app, |tenant| tenant);
    let store = SharedStore::default();
    let client = world.client(store.clone());
    let mut sessions = Vec::new();
    for _ in 0..50 {
        sessions.push(world.sign_in(&client, "alice").await.session);
    }
    world.network.set_latency(Duration::from_secs(1));
    world.logto.reset_counts();
    let mut requests = JoinSet::new();
    for session in sessions.clone() {
        requests.spawn(async move { session.access_token(&shopping()).await });
    }
    sleep(Duration::from_millis(700)).await;
    requests.shutdown().await;
    assert_eq!(
        world.token_calls(),
        50,
        "the provider has answered, and the answers are on their way"
    );
    client.drain().await;
    drop(client);

    for session in sessions {
        let spent = refresh_token_of(session.snapshot());
        let stored = store
            .load(&session.handle(), world.now())
            .await
            .unwrap()
            .unwrap()
            .session;
        assert_eq!(
            stored
                .refresh_token()
                .map(|token| token.expose().to_owned()),
            world.logto.latest_refresh_token(&spent)
        );
    }
}

//! How often a store is asked.

use logto_client::{
    LogtoClient, TokenTarget,
    seal::{KeyRing, SealKey},
};
use logto_storage::ExternalStorage;
use logto_testkit::demo::SHOPPING_API;
use logto_tests::{shared::CountingStore, world::World};

fn client(world: &World) -> (CountingStore, LogtoClient) {
    let store = CountingStore::default();
    let keys = KeyRing::new(SealKey::new(&[7; 32]));
    let storage = ExternalStorage::new(store.clone(), keys, world.config());
    (store, world.client(storage))
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_replaces_a_session_asks_a_store_four_times() {
    let world = World::new();
    let (store, client) = client(&world);
    let previous = world.sign_in(&client, "alice").await.session.handle();
    assert_eq!(store.calls(), ["put"]);

    let (pending, callback) = world.visit_logto(&client, "alice").await;
    let completed = client.complete_sign_in(Some(pending), callback, [&previous]);
    let new = completed.await.unwrap().session.handle();
    // Load the previous session, create the new one, lease the previous one, remove it with its lease.
    assert_eq!(store.calls(), ["put", "get", "put", "delete"]);
    assert!(client.session(&previous).await.unwrap().is_none());
    assert!(client.session(&new).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn data_of_the_application_is_one_more_write_at_the_sign_in() {
    let world = World::new();
    let (store, client) = client(&world);
    let session = world.sign_in(&client, "alice").await.session;
    assert_eq!(store.calls(), ["put"]);
    session.set_data("ours").await.unwrap();
    assert_eq!(store.calls(), ["put"]);
    let opened = client.session(&session.handle()).await.unwrap().unwrap();
    assert_eq!(opened.data().unwrap(), Some("ours".to_owned()));
    assert_eq!(store.calls(), ["get"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_refreshes_asks_a_store_five_times() {
    for world in [World::new(), World::public(|app| app, |tenant| tenant)] {
        let (store, client) = client(&world);
        let handle = world.sign_in(&client, "alice").await.session.handle();
        store.calls();
        let session = client.session(&handle).await.unwrap().unwrap();
        let shopping = TokenTarget::resource(SHOPPING_API);
        session.access_token(&shopping).await.unwrap();
        // Open the session; lease it, load it again, replace it, give the lease back.
        assert_eq!(store.calls(), ["get", "put", "get", "put", "delete"]);
        session.access_token(&shopping).await.unwrap();
        assert!(store.calls().is_empty(), "a token in memory");
        session.refresh_access_token(&shopping).await.unwrap();
        assert_eq!(store.calls(), ["put", "get", "put", "delete"]);
    }
}

//! Readers: what they know of sessions that have ended, and what they cannot know.

use std::sync::Arc;

use logto_client::{Cached, Coordinator, LogtoClient, LogtoReader, storage::Handle};
use logto_storage::{
    MemoryStorage,
    faulty::{Fault, FaultyStorage},
};
use logto_tests::{
    stage::{Deployment, Kind, SHORT, Stage, codec, cookie_storage},
    world::{World, WorldClock},
};

/// The handle in the cookies of a browser that was signed in, and their session's client.
async fn cookie_session(world: &World) -> (LogtoClient, Handle) {
    let client = world.client(cookie_storage(world));
    let handle = world.sign_in(&client, "alice").await.session.handle();
    (client, handle)
}

fn free_standing(world: &World) -> LogtoReader {
    LogtoReader::new(world.config().clone(), cookie_storage(world))
        .clock(WorldClock(world.clock.clone()))
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_client_opens_no_cookie_of_a_session_that_has_ended() {
    let world = World::new();
    let (client, handle) = cookie_session(&world).await;
    let reader = client.reader();
    assert!(reader.session(&handle).await.unwrap().is_some());
    let session = client.session(&handle).await.unwrap().unwrap();
    session.sign_out_locally().await.unwrap();
    assert!(reader.session(&handle).await.unwrap().is_none());
    assert!(client.reader().session(&handle).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_coordinator_knows_as_much_and_one_that_stands_free_does_not() {
    let world = World::new();
    let coordinator = Coordinator::new();
    let client = world
        .client_builder(cookie_storage(&world))
        .coordinator(coordinator.clone())
        .build()
        .unwrap();
    let handle = world.sign_in(&client, "alice").await.session.handle();
    let session = client.session(&handle).await.unwrap().unwrap();
    session.sign_out_locally().await.unwrap();
    let knowing = free_standing(&world).coordinator(&coordinator).unwrap();
    assert!(knowing.session(&handle).await.unwrap().is_none());
    // Nobody has told it, and the cookie is as good as when it was sealed.
    let free = free_standing(&world);
    assert!(free.session(&handle).await.unwrap().is_some());

    let other = logto_client::LogtoConfig::builder("https://other.example", "other-app");
    let other = LogtoReader::new(other.build().unwrap(), cookie_storage(&world));
    assert!(other.coordinator(&coordinator).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_client_refuses_what_was_signed_out_while_the_storage_was_down() {
    let world = World::new();
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let client = world.client(Arc::clone(&storage));
    let handle = world.sign_in(&client, "alice").await.session.handle();
    storage.go_down(Fault::Before);
    let outcome = client.sign_out_locally(std::slice::from_ref(&handle)).await;
    assert!(outcome.is_err());
    storage.come_back();
    assert!(client.reader().session(&handle).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_client_has_the_tokens_that_the_browser_has_not_heard_of() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let before = stage.alice.cookies();
    let target = logto_client::TokenTarget::resource(SHORT);
    let visit = stage.alice.get("/page");
    let token = visit.token_and_lost_response(stage.web(0), &target).await;
    assert_eq!(stage.alice.cookies(), before);
    let handle = Handle::new(before[codec().name()].clone());
    let reader = stage.web(0).client().reader();
    let session = reader.session(&handle).await.unwrap().unwrap();
    assert_eq!(session.access_token(&target), Cached::Valid(token.unwrap()));
}

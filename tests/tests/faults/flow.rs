//! Faults on the client side: unsent codes, cancelled callers, tokens used late.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use logto_client::{Cached, TokenTarget, core::sign_out::SignOut};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, demo::SHOPPING_API};
use logto_tests::world::{Mishap, World, refresh_token_of};
use tokio::time::sleep;

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

#[tokio::test(start_paused = true)]
async fn f10_a_code_that_never_left_is_not_spent() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let (pending, callback) = world.visit_logto(&client, "alice").await;
    world.network.next("/token", Mishap::Refused);
    let completed = client.complete_sign_in(Some(pending), callback, None).await;
    assert!(completed.is_ok(), "it is sent again");
    assert_eq!(world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f10_a_code_whose_response_is_late_signs_in() {
    for (seconds, signs_in) in [(12, true), (59, true), (61, false)] {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let (pending, callback) = world.visit_logto(&client, "alice").await;
        let slow = Mishap::Slow(Duration::from_secs(seconds));
        world.network.next("/token", slow);
        let completed = client.complete_sign_in(Some(pending), callback, None).await;
        assert_eq!(completed.is_ok(), signs_in, "{seconds}");
        assert_eq!(world.token_calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn f38_a_caller_that_goes_away_at_any_moment_loses_nothing() {
    let mut dropped_in_flight = 0;
    for polls in 0..40 {
        let world = World::public(|app| app, |logto| logto);
        world.network.set_latency(Duration::from_millis(40));
        let storage = Arc::new(MemoryStorage::new());
        let client = world.client(Arc::clone(&storage));
        let session = world.sign_in(&client, "alice").await.session;
        let first = refresh_token_of(session.snapshot());
        let calls = world.token_calls();
        {
            let target = shopping();
            let mut request = pin!(session.refresh_access_token(&target));
            let mut context = Context::from_waker(Waker::noop());
            let mut ready = false;
            for _ in 0..polls {
                if let Poll::Ready(token) = request.as_mut().poll(&mut context) {
                    token.unwrap();
                    ready = true;
                    break;
                }
                sleep(Duration::from_millis(3)).await;
            }
            dropped_in_flight += usize::from(!ready && world.token_calls() > calls);
        }
        sleep(Duration::from_secs(5)).await;
        let stored = client
            .session(&session.handle())
            .await
            .unwrap()
            .expect("alice is signed in");
        let stored_token = refresh_token_of(stored.snapshot());
        let latest = world.logto.latest_refresh_token(&first).unwrap();
        assert_eq!(stored_token, latest, "after {polls} polls");
        assert!(
            stored
                .refresh_access_token(&TokenTarget::user_info())
                .await
                .is_ok()
        );
        let load = client.stats();
        assert_eq!((load.refreshes, load.sessions), (0, 0));
    }
    assert!(
        dropped_in_flight > 3,
        "the test has to drop a request in flight: {dropped_in_flight}"
    );
}

#[tokio::test(start_paused = true)]
async fn f54_a_token_is_judged_when_it_is_used() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let token = session.access_token(&shopping()).await.unwrap();
    let read_only = client
        .read_only_session(&session.handle())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        read_only.access_token(&shopping()),
        Cached::Valid(token.clone())
    );
    world.clock.advance(Duration::from_secs(50 * 60));
    assert!(token.is_usable(world.now(), Duration::from_secs(60)));
    world.clock.advance(Duration::from_secs(10 * 60));
    assert!(!token.is_usable(world.now(), Duration::ZERO));
    assert_eq!(read_only.access_token(&shopping()), Cached::NeedsRefresh);
    assert_ne!(session.access_token(&shopping()).await.unwrap(), token);
}

#[tokio::test(start_paused = true)]
async fn l9_a_stranger_makes_nobody_revoke_anything() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let web = logto_client::web::LogtoWeb::new(
        client.clone(),
        logto_tests::stage::codec(),
        logto_tests::stage::key_ring(),
    );
    let mut nobody = http::HeaderMap::new();
    nobody.insert("sec-fetch-site", "same-origin".parse().unwrap());
    let answer = web
        .sign_out(&logto_tests::visitor::request_with(nobody), &SignOut::new())
        .await;
    assert!(answer.outcome.is_ok());
    assert!(
        client
            .back_channel_logout(b"logout_token=forged")
            .await
            .is_err()
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.logto.count(Endpoint::Revocation), 0);
    assert!(session.access_token(&shopping()).await.is_ok());
}

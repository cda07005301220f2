//! Pushed authorization requests, through the client.

use std::time::Duration;

use http::StatusCode;
use logto_client::{LogtoClient, SignIn, error::Advice};
use logto_storage::MemoryStorage;
use logto_testkit::{BrowserError, Endpoint, Fault};
use logto_tests::world::{APP_ID, World, callback_of};

fn client(world: &World) -> LogtoClient {
    world.client(MemoryStorage::new())
}

#[tokio::test(start_paused = true)]
async fn the_browser_carries_a_name_and_the_provider_has_the_parameters() {
    let world = World::new();
    let client = client(&world);
    let sign_in = SignIn::new().login_hint("alice@example.com");
    let (url, pending) = client.sign_in_pushed(&sign_in).await.unwrap();
    let names: Vec<String> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["client_id", "request_uri"]);

    let requests = world.logto.requests();
    let pushed = requests
        .iter()
        .find(|request| request.endpoint() == Endpoint::PushedAuthorization)
        .unwrap();
    assert_eq!(pushed.client_id(), Some(APP_ID));
    assert_eq!(pushed.param("login_hint"), Some("alice@example.com"));
    assert_eq!(pushed.param("state"), Some(pending.state().expose()));
    assert_eq!(pushed.param("code_challenge_method"), Some("S256"));
    assert!(pushed.param("nonce").is_some() && pushed.param("code_verifier").is_none());

    let callback = world.logto.sign_in(&url, "alice").unwrap();
    let completed = client
        .complete_sign_in(Some(pending), callback_of(&callback), None)
        .await
        .unwrap();
    assert_eq!(completed.session.claims().sub, "user-alice");
}

#[tokio::test(start_paused = true)]
async fn a_pushed_request_is_good_once_and_for_a_minute() {
    let world = World::new();
    let client = client(&world);
    let used = client.sign_in_pushed(&SignIn::new()).await.unwrap().0;
    let late = client.sign_in_pushed(&SignIn::new()).await.unwrap().0;
    world.logto.sign_in(&used, "alice").unwrap();
    world.clock.advance(Duration::from_secs(60));
    for url in [used, late] {
        let refused = world.logto.sign_in(&url, "alice").unwrap_err();
        let BrowserError::ErrorPage { error, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(error, "invalid_request_uri");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_refuses_is_heard_before_the_browser_leaves() {
    let world = World::new();
    let client = client(&world);
    let elsewhere = "https://elsewhere.example.com/callback".parse().unwrap();
    let sign_in = SignIn::new().redirect_uri(elsewhere);
    let refused = client.sign_in_pushed(&sign_in).await.unwrap_err();
    assert_eq!(refused.advice(), Advice::Refused, "{refused}");
    assert_eq!(refused.server().unwrap().status, Some(400));

    let down = Fault::status(StatusCode::BAD_GATEWAY);
    world.logto.fault(Endpoint::PushedAuthorization, down);
    let failed = client.sign_in_pushed(&SignIn::new()).await.unwrap_err();
    assert!(failed.advice().is_retry(), "{failed}");
    assert!(client.sign_in_pushed(&SignIn::new()).await.is_ok());
}

//! The provider is down or slow.

use std::time::Duration;

use http::{StatusCode, header};
use logto_client::{event::Event, resource_server::ResourceServer};
use logto_testkit::{Endpoint, Fault, KeyType};
use logto_tests::world::Mishap;
use tokio::time::Instant;

use crate::api::{Api, bearer, refused, status, until_idle};

const JSON: &str = "application/json";

#[tokio::test(start_paused = true)]
async fn f5_keys_that_cannot_be_had_are_503_and_not_401() {
    let api = Api::new();
    api.world.logto.break_down(
        Endpoint::Jwks,
        Fault::retry_after(StatusCode::SERVICE_UNAVAILABLE, "17"),
    );
    let response = refused(
        api.server
            .authorize(&bearer(&api.token()), &api.demands())
            .await,
    );
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[header::RETRY_AFTER], "17");
    assert!(
        !response.headers().contains_key(header::WWW_AUTHENTICATE),
        "the token may be good"
    );
    assert_eq!(api.status("opaque").await, 401, "and this one cannot be");

    api.world.logto.recover(Endpoint::Jwks);
    api.advance(16);
    assert_eq!(
        api.status(&api.token()).await,
        503,
        "the provider wants to be left alone"
    );
    assert_eq!(api.key_fetches(), 1);
    api.advance(1);
    assert_eq!(
        api.status(&api.token()).await,
        200,
        "nothing is held against it"
    );
}

#[tokio::test(start_paused = true)]
async fn f5_whatever_is_answered_instead_of_keys_says_nothing_about_a_token() {
    for (status, content_type, body) in [
        (401, JSON, r#"{"error":"invalid_client"}"#),
        (403, JSON, r#"{"error":"access_denied"}"#),
        (404, JSON, r#"{"error":"invalid_request"}"#),
        (404, "text/plain", "default backend - 404"),
        (200, "text/html", "<h1>Log in</h1>"),
        (200, JSON, r#"{"keys":null}"#),
        (204, JSON, ""),
    ] {
        for path in ["/openid-configuration", "/jwks"] {
            let api = Api::new();
            let network = &api.world.network;
            network.next(path, Mishap::Answered(status, content_type, body));
            let refused = api.status(&api.token()).await;
            assert!(
                matches!(refused, 500 | 503),
                "{path} {status} {body}: {refused}"
            );
            api.advance(1);
            assert_eq!(
                api.status(&api.token()).await,
                200,
                "{path} {status} {body}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f1_f5_a_server_starts_without_its_provider() {
    let api = Api::new();
    for mishap in [
        logto_tests::world::Mishap::Refused,
        logto_tests::world::Mishap::RequestLost,
    ] {
        // What only reads is sent once more.
        for _ in 0..2 {
            let mishap = mishap.clone();
            api.world.network.next("/openid-configuration", mishap);
        }
        assert_eq!(api.status(&api.token()).await, 503);
        api.advance(3);
    }
    assert_eq!(api.status(&api.token()).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r25_f4_the_last_keys_serve_for_a_day_and_no_longer() {
    let api = Api::new();
    let known = api.token();
    assert_eq!(api.status(&known).await, 200);
    api.break_down();
    for _ in 0..143 {
        api.advance(600);
        let before = Instant::now();
        assert_eq!(api.status(&known).await, 200);
        assert_eq!(api.status(&api.token()).await, 200, "never seen before");
        assert_eq!(
            before.elapsed(),
            Duration::ZERO,
            "nobody waits for the provider"
        );
        until_idle().await;
    }
    assert!(
        api.key_fetches() <= 144,
        "no more than one for each look: {}",
        api.key_fetches()
    );
    let of_keys = |event: &Event| {
        matches!(event, Event::NotFetched { endpoint, .. }
            if *endpoint == logto_client::core::error::Endpoint::Keys)
    };
    assert_eq!(
        api.world.events.count(of_keys),
        api.key_fetches() - 1,
        "told once for each attempt"
    );
    api.advance(600);
    assert_eq!(
        api.status(&known).await,
        503,
        "a day old: too old to know what was withdrawn since"
    );
    api.recover();
    api.advance(61);
    assert_eq!(api.status(&known).await, 200);
}

#[tokio::test(start_paused = true)]
async fn f4_a_rotation_in_an_outage_is_503_until_the_provider_is_back() {
    let api = Api::new();
    let old = api.token();
    assert_eq!(api.status(&old).await, 200);
    api.break_down();
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let new = api.token();
    for _ in 0..20 {
        assert_eq!(
            api.status(&new).await,
            503,
            "also when the allowance is used up"
        );
        assert_eq!(api.status(&old).await, 200);
    }
    assert!(api.key_fetches() <= 5);
    api.recover();
    api.advance(60);
    assert_eq!(api.status(&new).await, 200);
}

#[tokio::test(start_paused = true)]
async fn f17_a_brown_out_meets_a_bound_and_a_deadline_and_good_tokens_do_not_notice() {
    let api = Api::new();
    let context = api
        .world
        .context()
        .max_concurrent_requests(4)
        .request_timeout(Duration::from_secs(2));
    let server = ResourceServer::new(api.world.config().clone(), context).unwrap();
    let good = api.token();
    assert_eq!(status(server.verify(&good, &api.demands()).await), 200);
    api.world.network.set_latency(Duration::from_secs(10));
    let before = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..200 {
        let server = server.clone();
        let demands = crate::opaque::demands(&api);
        tasks.push(tokio::spawn(async move {
            status(
                server
                    .introspect(&format!("opaque-{number}"), &demands)
                    .await,
            )
        }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let now = Instant::now();
    for _ in 0..100 {
        assert_eq!(status(server.verify(&good, &api.demands()).await), 200);
        assert_eq!(
            status(server.verify(&api.token(), &api.demands()).await),
            200
        );
    }
    assert_eq!(now.elapsed(), Duration::ZERO);
    for task in tasks {
        assert_eq!(task.await.unwrap(), 503);
    }
    // Two seconds for a place, and two for the call.
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(api.world.network.most_under_way(), 4);
}

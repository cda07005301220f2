//! The JWKS: fetched once, renewed in the background, replaced as a whole.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use logto_client::{Context, event::Event, http::http_fn, resource_server::ResourceServer};
use logto_testkit::{Endpoint, Fault, KeyType};
use logto_tests::world::WorldClock;
use tokio::time::Instant;

use crate::api::{Api, status, until_idle};

#[tokio::test(start_paused = true)]
async fn r23_many_who_miss_at_once_are_one_fetch() {
    let api = Api::new();
    api.world.network.set_latency(Duration::from_secs(1));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let (server, token, demands) = (api.server.clone(), api.token(), api.demands());
        tasks.push(tokio::spawn(async move {
            status(server.verify(&token, &demands).await)
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
    assert_eq!(
        (
            api.world.logto.count(Endpoint::Discovery),
            api.key_fetches()
        ),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn r23_a_waiter_that_leaves_takes_nobody_along() {
    let api = Api::new();
    api.world.network.set_latency(Duration::from_secs(1));
    let ask = || {
        let (server, token, demands) = (api.server.clone(), api.token(), api.demands());
        tokio::spawn(async move { status(server.verify(&token, &demands).await) })
    };
    let (first, second) = (ask(), ask());
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap(), 200);
    assert_eq!(
        (
            api.world.logto.count(Endpoint::Discovery),
            api.key_fetches()
        ),
        (1, 1)
    );

    // Also the only one: what it began is finished for the next.
    let alone = Api::new();
    alone.world.network.set_latency(Duration::from_secs(1));
    let (server, token, demands) = (alone.server.clone(), alone.token(), alone.demands());
    let only = tokio::spawn(async move { status(server.verify(&token, &demands).await) });
    tokio::time::sleep(Duration::from_millis(500)).await;
    only.abort();
    until_idle().await;
    let before = Instant::now();
    assert_eq!(alone.status(&alone.token()).await, 200);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(alone.key_fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn r31_t18_t19_f6_a_rotation_is_noticed_by_the_first_token_also_twice_in_a_row() {
    let api = Api::new();
    let first = api.token();
    assert_eq!(api.status(&first).await, 200);
    assert_eq!(api.key_fetches(), 1);

    // Right after that fetch, and without any time in between.
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let second = api.token();
    assert_eq!(api.status(&second).await, 200);
    assert_eq!(api.key_fetches(), 2, "exactly one more");
    assert_eq!(
        api.status(&first).await,
        200,
        "the key before is still listed"
    );
    assert_eq!(api.key_fetches(), 2);

    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let third = api.token();
    assert_eq!(api.status(&third).await, 200);
    assert_eq!(api.key_fetches(), 3);
    assert_eq!(api.status(&second).await, 200);
    assert_eq!(api.status(&first).await, 401, "its key is gone");

    // Twice before anybody looks.
    api.advance(600);
    until_idle().await;
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    assert_eq!(api.status(&api.token()).await, 200);
    assert_eq!(api.status(&third).await, 401);
}

/// The allowance is for floods of forged tokens. A good token that comes while it is used up is not refused:
/// the caller would throw it away and fetch another, which would be refused as well.
#[tokio::test(start_paused = true)]
async fn r24_r31_four_quick_rotations_while_old_tokens_arrive_refuse_no_good_token() {
    let api = Api::new();
    let mut old = api.token();
    assert_eq!(api.status(&old).await, 200);
    for _ in 0..4 {
        api.world.logto.rotate_keys(KeyType::Ec).unwrap();
        api.world.logto.remove_previous_key();
        let new = api.token();
        assert_eq!(api.status(&new).await, 200);
        old = new;
    }
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let new = api.token();
    let refusal = api.server.verify(&new, &api.demands()).await.unwrap_err();
    let response = refusal.response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[header::RETRY_AFTER], "30");
    assert_eq!(api.status(&old).await, 200, "its key is known");
    api.advance(29);
    assert_eq!(api.status(&new).await, 503);
    api.advance(1);
    assert_eq!(api.status(&new).await, 200);
    assert_eq!(api.status(&old).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r31_a_rotation_that_was_announced_costs_no_fetch() {
    let api = Api::new();
    let before = api.token();
    api.world.logto.stage_key(KeyType::Rsa).unwrap();
    assert_eq!(api.status(&before).await, 200);
    assert_eq!(api.key_fetches(), 1);

    assert!(api.world.logto.activate_staged_key());
    assert_eq!(api.status(&api.token()).await, 200);
    assert_eq!(api.status(&before).await, 200);
    assert_eq!(api.key_fetches(), 1, "the new key was known");
}

#[tokio::test(start_paused = true)]
async fn r31_a_fetch_that_was_under_way_before_the_rotation_does_not_hide_the_new_key() {
    let api = Api::new();
    assert_eq!(api.status(&api.token()).await, 200);
    api.world.network.set_latency(Duration::from_secs(2));
    let unknown = api.world.logto.sign_token(
        serde_json::json!({"typ": "at+jwt", "kid": "unknown"}),
        &api.claims(),
    );
    let (server, unknown, demands) = (api.server.clone(), unknown.unwrap(), api.demands());
    let flood = tokio::spawn(async move { status(server.verify(&unknown, &demands).await) });
    // The provider has answered, the answer is on its way.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    assert_eq!(api.status(&api.token()).await, 200);
    assert_eq!(flood.await.unwrap(), 401);
    assert_eq!(api.key_fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn r21_r41_a_key_that_is_withdrawn_is_forgotten_with_all_that_it_verified() {
    let api = Api::new();
    let old = api.token();
    assert_eq!(api.status(&old).await, 200);
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let new = api.token();
    assert_eq!(api.status(&new).await, 200);
    assert_eq!(
        api.status(&old).await,
        200,
        "verified with the set that has both"
    );

    api.world.logto.remove_previous_key();
    assert_eq!(api.status(&old).await, 200, "nobody has looked yet");
    api.advance(601);
    assert_eq!(api.status(&new).await, 200);
    until_idle().await;
    assert_eq!(
        api.status(&old).await,
        401,
        "although it was verified before"
    );
    assert_eq!(api.status(&new).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r32_an_old_set_is_renewed_while_nobody_waits() {
    let api = Api::new();
    let token = api.token();
    assert_eq!(api.status(&token).await, 200);
    api.world.network.set_latency(Duration::from_secs(10));
    for round in 2..5 {
        api.advance(601);
        let before = Instant::now();
        for _ in 0..100 {
            assert_eq!(api.status(&token).await, 200);
        }
        assert_eq!(before.elapsed(), Duration::ZERO);
        until_idle().await;
        assert_eq!(api.key_fetches(), round);
    }
}

#[tokio::test(start_paused = true)]
async fn r33_no_cache_is_no_fetch_per_request_and_the_entity_tag_is_sent_back() {
    let api = Api::new();
    let jwks = Request::get("/oidc/jwks").body(Bytes::new()).unwrap();
    let response = api.world.logto.handle(jwks);
    let cache_control = response.headers()[header::CACHE_CONTROL].to_str().unwrap();
    assert!(
        cache_control.starts_with("no-cache, max-age=0"),
        "{cache_control}"
    );
    let etag = response.headers()[header::ETAG].clone();
    api.world.logto.reset_counts();

    for _ in 0..1000 {
        assert_eq!(api.status(&api.token()).await, 200);
    }
    assert_eq!(api.key_fetches(), 1);
    api.advance(601);
    assert_eq!(api.status(&api.token()).await, 200);
    until_idle().await;
    let fetches: Vec<_> = api
        .world
        .logto
        .requests()
        .into_iter()
        .filter(|request| request.endpoint() == Endpoint::Jwks)
        .collect();
    assert_eq!(fetches[0].headers().get(header::IF_NONE_MATCH), None);
    assert_eq!(fetches[1].headers().get(header::IF_NONE_MATCH), Some(&etag));
    assert_eq!(fetches[1].status().unwrap(), 304);
    assert_eq!(
        api.status(&api.token()).await,
        200,
        "the set is kept, and young again"
    );
    until_idle().await;
    assert_eq!(api.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn r34_tokens_of_both_kinds_of_keys_are_verified_in_mid_flight() {
    let api = Api::new();
    let es384 = api.token();
    assert_eq!(api.status(&es384).await, 200);
    api.world.logto.rotate_keys(KeyType::Rsa).unwrap();
    let rs256 = api.token();
    assert_eq!(api.status(&rs256).await, 200);
    assert_eq!(api.status(&es384).await, 200);
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    assert_eq!(api.status(&api.token()).await, 200);
    assert_eq!(api.status(&rs256).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r20_a_bad_key_set_replaces_nothing() {
    let body = |text: &'static str| Fault::edit(move |_| text.to_owned());
    let redirect = Response::builder()
        .status(302)
        .header(header::LOCATION, "https://evil.example.com/jwks");
    let faults = [
        Fault::WrongType,
        Fault::Truncated,
        Fault::Oversized(600 * 1024),
        Fault::status(http::StatusCode::OK),
        Fault::Instead(redirect.body(Bytes::new()).unwrap()),
        body("[]"),
        body("{}"),
        body(r#"{"keys":{}}"#),
        body(r#"{"keys":[],"keys":[]}"#),
        body("null"),
    ];
    for fault in faults {
        let told = format!("{fault:?}");
        let cold = Api::new();
        cold.world.logto.fault(Endpoint::Jwks, fault.clone());
        assert_eq!(cold.status(&cold.token()).await, 503, "{told}");
        cold.advance(2);
        assert_eq!(cold.status(&cold.token()).await, 200, "{told}");

        let warm = Api::new();
        assert_eq!(warm.status(&warm.token()).await, 200);
        warm.advance(601);
        // A set that was not modified has no body to spoil.
        warm.world.logto.rotate_keys(KeyType::Ec).unwrap();
        warm.world.logto.rotate_keys(KeyType::Ec).unwrap();
        warm.world.logto.fault(Endpoint::Jwks, fault);
        assert_eq!(
            warm.status(&warm.token()).await,
            503,
            "{told}: it may be good"
        );
        warm.advance(2);
        assert_eq!(warm.status(&warm.token()).await, 200, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn r20_a_key_that_cannot_be_used_spoils_no_other() {
    let api = Api::new();
    let strange =
        r#"{"keys":[7,{"kty":"oct","k":"c2VjcmV0","kid":"hmac"},{"kty":"EC","crv":"secp256k1"},"#;
    api.world.logto.break_down(
        Endpoint::Jwks,
        Fault::edit(move |jwks| jwks.replacen(r#"{"keys":["#, strange, 1)),
    );
    assert_eq!(api.status(&api.token()).await, 200);
}

#[tokio::test(start_paused = true)]
async fn f7_an_empty_set_withdraws_the_keys_until_the_next_one() {
    let api = Api::new();
    let token = api.token();
    assert_eq!(api.status(&token).await, 200);
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    let empty = Response::builder().header(header::CONTENT_TYPE, "application/jwk-set+json");
    let empty = empty.body(Bytes::from_static(br#"{"keys":[]}"#)).unwrap();
    api.world.logto.fault(Endpoint::Jwks, Fault::Instead(empty));
    let new = api.token();
    assert_eq!(
        api.status(&new).await,
        401,
        "the provider says that it has no keys"
    );
    let withdrawn = |left: usize| move |event: &Event| matches!(event, Event::KeysWithdrawn { left: l, .. } if *l == left);
    assert_eq!(api.world.events.count(withdrawn(0)), 1, "an alarm");
    assert_eq!(api.status(&new).await, 200, "the next token asks again");
    assert_eq!(api.status(&token).await, 200);
    assert_eq!(api.key_fetches(), 3);

    api.world.logto.remove_previous_key();
    api.advance(601);
    assert_eq!(api.status(&new).await, 200);
    until_idle().await;
    assert_eq!(
        api.status(&new).await,
        200,
        "half of the keys are gone, and this one is not"
    );
    assert_eq!(api.status(&token).await, 401);
    assert_eq!(api.world.events.count(withdrawn(0)), 1);
    assert_eq!(api.world.events.count(withdrawn(1)), 1);
}

#[tokio::test(start_paused = true)]
async fn f3_keys_that_move_are_found_at_their_new_place_within_the_hour() {
    let api = Api::new();
    let moved = Arc::new(AtomicBool::new(false));
    let (logto, has_moved) = (api.world.logto.clone(), Arc::clone(&moved));
    let http = http_fn(move |request: Request<Bytes>| {
        let (logto, moved) = (logto.clone(), has_moved.load(Ordering::Relaxed));
        async move {
            let old_place = || Request::get("/oidc/jwks").body(Bytes::new()).unwrap();
            let nothing = || Response::builder().status(404).body(Bytes::new()).unwrap();
            Ok(match (request.uri().path(), moved) {
                ("/oidc/jwks", true) => nothing(),
                ("/oidc/keys", true) => logto.handle(old_place()),
                _ => logto.handle(request),
            })
        }
    });
    let context = Context::new(http).clock(WorldClock(api.world.clock.clone()));
    let server = ResourceServer::new(api.world.config().clone(), context).unwrap();
    let check = async |token: &str| status(server.verify(token, &api.demands()).await);
    let old = api.token();
    assert_eq!(check(&old).await, 200);

    moved.store(true, Ordering::Relaxed);
    let elsewhere = |document: String| document.replace("/oidc/jwks", "/oidc/keys");
    api.world
        .logto
        .break_down(Endpoint::Discovery, Fault::edit(elsewhere));
    api.world.logto.rotate_keys(KeyType::Ec).unwrap();
    for _ in 0..5 {
        api.advance(601);
        assert_eq!(check(&old).await, 200, "with the keys that are known");
        until_idle().await;
        assert_eq!(check(&api.token()).await, 503, "nobody can say");
    }
    api.advance(601);
    assert_eq!(check(&old).await, 200);
    until_idle().await;
    assert_eq!(check(&api.token()).await, 200);
}

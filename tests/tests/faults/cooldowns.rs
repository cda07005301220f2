//! `Retry-After`: whom it keeps waiting, and for how long.

use std::time::Duration;

use logto_client::{
    AccessToken, Error, LogtoClient, SignIn, TokenTarget, WritableSession, error::Advice,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, Fault, demo::SHOPPING_API};
use logto_tests::{
    stage::cookie_storage,
    world::{Mishap, World},
};

/// What a provider, or a proxy in front of it, asks for.
const AN_HOUR: Mishap = Mishap::Busy(429, Some("3600"));

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn sign_in(world: &World, client: &LogtoClient) -> WritableSession {
    world.sign_in(client, "alice").await.session
}

/// A token that the session does not have yet.
async fn token(session: &WritableSession) -> Result<AccessToken, Error> {
    session
        .access_token(&TokenTarget::resource(SHOPPING_API))
        .await
}

#[tokio::test(start_paused = true)]
async fn f16_a_429_for_one_session_does_not_keep_the_others_waiting() {
    for wait in [1, 20] {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let limited = sign_in(&world, &client).await;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(sign_in(&world, &client).await);
        }
        world.network.next("/token", AN_HOUR);
        let error = token(&limited).await.unwrap_err();
        assert!(error.advice().is_retry(), "{error}");
        world.logto.reset_counts();
        // Too early to find out whether it was meant for everybody.
        assert!(token(&others[0]).await.is_err());
        assert_eq!(world.token_calls(), 0);
        world.clock.advance(secs(wait));
        for other in &others {
            token(other).await.unwrap();
        }
        // No other response says that this session may come again.
        assert!(token(&limited).await.is_err());
        world.clock.advance(secs(30 - wait));
        token(&limited).await.unwrap();
    }
}

/// A new token instead of the one in memory is no reason to disregard what the provider asked for.
#[tokio::test(start_paused = true)]
async fn f16_the_pause_of_a_session_holds_for_every_way_to_ask_for_a_token() {
    let shopping = TokenTarget::resource(SHOPPING_API);
    for (asked, pause) in [("3600", 30), ("12", 12), ("2", 2)] {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let (limited, other) = (
            sign_in(&world, &client).await,
            sign_in(&world, &client).await,
        );
        world.network.next("/token", Mishap::Busy(429, Some(asked)));
        limited.refresh_access_token(&shopping).await.unwrap_err();
        world.clock.advance(secs(1));
        // The endpoint is well: the pause is of this session alone.
        other.refresh_access_token(&shopping).await.unwrap();
        world.logto.reset_counts();
        let ahead = Duration::from_secs(1_000_000);
        for _ in 0..3 {
            let user_info = TokenTarget::user_info();
            let refreshed = limited.refresh_access_token(&shopping).await;
            assert!(refreshed.unwrap_err().advice().is_retry());
            assert!(limited.refresh_access_token(&user_info).await.is_err());
            assert!(limited.refresh_organization_token("acme").await.is_err());
            assert!(token(&limited).await.is_err());
            for (_, outcome) in limited.refresh_ahead(&[user_info], ahead).await {
                assert!(outcome.is_err());
            }
        }
        assert_eq!(world.token_calls(), 0, "{asked}");
        world.clock.advance(secs(pause - 1));
        limited.refresh_access_token(&shopping).await.unwrap();
    }
}

/// While the endpoint asks everybody to wait, one request a second finds out whether it still does.
#[tokio::test(start_paused = true)]
async fn f16_one_request_a_second_finds_out_that_the_pause_is_over() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(sign_in(&world, &client).await);
    }
    let too_many = Fault::retry_after(http::StatusCode::TOO_MANY_REQUESTS, "3600");
    world.logto.break_down(Endpoint::Token, too_many);
    world.logto.reset_counts();
    for (n, session) in sessions[..3].iter().enumerate() {
        assert!(token(session).await.is_err());
        assert!(token(&sessions[4]).await.is_err(), "nothing is sent");
        assert_eq!(world.token_calls(), n + 1);
        world.clock.advance(secs(1));
    }
    world.logto.recover(Endpoint::Token);
    for session in &sessions[3..] {
        token(session).await.unwrap();
    }
}

/// What the introspection endpoint asks for says nothing about the token endpoint.
#[tokio::test(start_paused = true)]
async fn f16_each_endpoint_has_a_cooldown_of_its_own() {
    let world = World::new();
    let client = world.client(cookie_storage(&world));
    let (alice, bob) = (
        sign_in(&world, &client).await,
        sign_in(&world, &client).await,
    );
    world.clock.advance(secs(3_600));
    token(&bob).await.unwrap();
    world.network.next("/introspection", AN_HOUR);
    let error = token(&alice).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(3_600)), "{error}");
    // Bob's refresh token is known to be the newest, so nobody is asked about it.
    let user_info = TokenTarget::user_info();
    bob.refresh_access_token(&user_info).await.unwrap();
    assert!(token(&alice).await.is_err());
    world.clock.advance(secs(30));
    token(&alice).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f16_a_sign_in_waits_for_seconds_whatever_discovery_or_the_keys_ask_for() {
    for path in ["/openid-configuration", "/jwks"] {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        world.network.next(path, Mishap::Busy(503, Some("600")));
        let attempt = async || -> Result<(), Error> {
            let (url, pending) = client.sign_in(&SignIn::new()).await?;
            let callback = world.logto.sign_in(&url, "alice").unwrap();
            let callback = logto_tests::world::callback_of(&callback);
            let completed = client.complete_sign_in(Some(pending), callback, None);
            Ok(completed.await.map(drop)?)
        };
        let error = attempt().await.unwrap_err();
        assert!(matches!(error.advice(), Advice::Retry { .. }), "{error}");
        world.clock.advance(secs(20));
        attempt().await.unwrap();
    }
}

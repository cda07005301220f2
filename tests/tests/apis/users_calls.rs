//! Calls on behalf of a user: to an application's own API, and to userinfo.

use std::{sync::Mutex, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use logto_client::{
    AccessToken, LogtoClient, LogtoConfig, TokenTarget, WritableSession,
    core::api_token::AccessTokenVerification,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, demo::SHOPPING_API};
use logto_tests::world::{APP_ID, APP_SECRET, BASE_URL, Mishap, World};

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// Calls an API that refuses the first tokens: the last status, and the tokens that it has seen.
async fn call(session: &WritableSession, refusals: usize) -> (u16, Vec<String>) {
    let seen = Mutex::new(Vec::new());
    let api = async |token: AccessToken| {
        let mut seen = seen.lock().unwrap();
        seen.push(token.token.expose().to_owned());
        if seen.len() > refusals { 200 } else { 401 }
    };
    let target = shopping();
    let status = session.call_api(&target, api, |status| *status == 401);
    let status = status.await.unwrap();
    (status, seen.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_is_repeated_once_with_a_new_token() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let first = session.access_token(&shopping()).await.unwrap();
    let first = first.token.expose().to_owned();
    assert_eq!(call(&session, 0).await, (200, vec![first.clone()]));

    let calls = world.token_calls();
    let (status, seen) = call(&session, 1).await;
    assert_eq!((status, seen.len()), (200, 2));
    assert_eq!(seen[0], first);
    assert_ne!(seen[1], first);
    assert_eq!(world.token_calls(), calls + 1);

    // The new token does not help either: the caller gets the refusal.
    let (status, seen) = call(&session, 9).await;
    assert_eq!((status, seen.len()), (401, 2));
}

#[tokio::test(start_paused = true)]
async fn a_session_says_when_a_token_expires_and_when_it_has_expired() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    assert_eq!(session.read_only().expires_at(&shopping()), None);
    let token = session.access_token(&shopping()).await.unwrap();
    for _ in 0..2 {
        let expires_at = session.read_only().expires_at(&shopping());
        assert_eq!(expires_at, Some(token.expires_at));
        world.clock.advance(Duration::from_secs(7_200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_checks_calls_with_the_keys_that_it_has() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let token = session.access_token(&shopping()).await.unwrap();
    let fetched = world.logto.count(Endpoint::Jwks);

    let server = client.resource_server();
    let demands = AccessTokenVerification::api(server.issuer(), SHOPPING_API);
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {}", token.token.expose());
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::from_str(&value).unwrap(),
    );
    let claims = server.authorize(&headers, &demands).await.unwrap();
    assert_eq!(claims.sub, session.claims().sub);
    assert_eq!(world.logto.count(Endpoint::Jwks), fetched);
}

#[tokio::test(start_paused = true)]
async fn userinfo_that_refuses_a_token_is_asked_again_with_a_new_one() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    session
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap();
    let refused = || Mishap::Answered(401, "application/json", r#"{"error":"invalid_token"}"#);

    let calls = world.token_calls();
    world.network.next("/me", refused());
    let user = session.user_info().await.unwrap();
    assert_eq!(user.sub, session.claims().sub);
    assert_eq!(world.token_calls(), calls + 1);

    world.network.next("/me", refused());
    world.network.next("/me", refused());
    let error = session.user_info().await.unwrap_err();
    assert_eq!(error.code(), "invalid_token");
}

#[tokio::test(start_paused = true)]
async fn without_the_scope_for_organizations_userinfo_is_not_asked_for_them() {
    let world = World::new();
    let config = LogtoConfig::builder(world.logto.endpoint(), APP_ID)
        .app_secret(APP_SECRET)
        .base_url(BASE_URL);
    let client = LogtoClient::builder(
        config.build().unwrap(),
        world.context(),
        MemoryStorage::new(),
    );
    let client = client.build().unwrap();
    let session = world.sign_in(&client, "alice").await.session;
    assert_eq!(session.organizations().await.unwrap(), Vec::<String>::new());
    assert_eq!(world.logto.count(Endpoint::UserInfo), 0);

    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    assert!(!session.organizations().await.unwrap().is_empty());
}

//! The engine's token, revocation and introspection endpoints behave like Logto's; see `smoke.rs`.

use std::time::Duration;

use http::{StatusCode, header};
use logto_recordings::Recording;
use logto_tests::{
    engine::{Engine, EngineOptions, KeyType, Lifetimes, M2M, SHOPPING, SPA, TRADITIONAL},
    raw::{RawClient, decode_jwt},
};
use serde_json::{Value, json};
use tokio::time::sleep;

async fn engine() -> Engine {
    Engine::start(EngineOptions::default()).await
}

#[tokio::test]
async fn a_rotated_key_signs_at_once_and_the_one_before_it_stays() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let first = client.sign_in(&[]).await;
    assert_eq!(decode_jwt(first.text("id_token")).0["alg"], "ES384");
    engine.rotate_keys(KeyType::Rsa).await;
    let second = client.refresh(first.text("refresh_token"), &[]).await;
    let (header, _) = decode_jwt(second.text("id_token"));
    assert_eq!(header["alg"], "RS256");
    let keys = client.get("jwks", header::ACCEPT, "*/*").await.json;
    let kids: Vec<&Value> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    assert_eq!(
        kids,
        [&header["kid"], &decode_jwt(first.text("id_token")).0["kid"]]
    );
}

#[tokio::test]
async fn a_young_refresh_token_comes_back_itself() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let tokens = client.sign_in(&[]).await;
    let refresh_token = tokens.text("refresh_token");
    for _ in 0..3 {
        let refreshed = client.refresh(refresh_token, &[]).await;
        assert_eq!(refreshed.text("refresh_token"), refresh_token);
        assert_ne!(refreshed.text("access_token"), tokens.text("access_token"));
        assert_eq!(decode_jwt(refreshed.text("id_token")).1["nonce"], "n");
    }
    let requests = engine.requests().await;
    assert_eq!(requests.grants("refresh_token"), 3);
    assert_eq!(requests.to("token"), 4);
    engine.forget_requests().await;
    assert_eq!(engine.requests().await.to("token"), 0);
}

#[tokio::test]
async fn a_confidential_client_rotates_past_70_percent() {
    let ttl = Lifetimes {
        refresh_token: Some(12),
        ..Lifetimes::default()
    };
    let engine = Engine::start(EngineOptions {
        ttl,
        ..EngineOptions::default()
    })
    .await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let tokens = client.sign_in(&[]).await;
    let old = tokens.text("refresh_token");
    assert_eq!(client.refresh(old, &[]).await.text("refresh_token"), old);
    sleep(Duration::from_millis(9_200)).await;
    let rotated = client.refresh(old, &[]).await;
    assert_eq!(rotated.status, StatusCode::OK);
    assert_ne!(rotated.text("refresh_token"), old);
}

#[tokio::test]
async fn a_public_client_rotates_at_every_use_with_three_sliding_seconds() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let tokens = client.sign_in(&[]).await;
    let old = tokens.text("refresh_token");
    let mut newest = client.refresh(old, &[]).await;
    assert_ne!(newest.text("refresh_token"), old);
    // Each use inside the window starts it anew: the last one is four seconds after the first.
    for _ in 0..4 {
        sleep(Duration::from_secs(1)).await;
        let forked = client.refresh(old, &[]).await;
        assert_eq!(forked.status, StatusCode::OK);
        assert_ne!(forked.text("refresh_token"), newest.text("refresh_token"));
        newest = forked;
    }
    assert_eq!(
        client.userinfo(newest.text("access_token")).await.status,
        StatusCode::OK
    );
    sleep(Duration::from_millis(3_200)).await;
    let consumed = engine
        .refresh_tokens()
        .await
        .into_iter()
        .filter(|token| token.consumed);
    assert_eq!(consumed.map(|token| token.id).collect::<Vec<_>>(), [old]);
    client
        .refresh(old, &[])
        .await
        .assert_refused("invalid_grant");
    client
        .refresh(newest.text("refresh_token"), &[])
        .await
        .assert_refused("invalid_grant");
    let userinfo = client.userinfo(newest.text("access_token")).await;
    assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
    assert_eq!(userinfo.text("error"), "invalid_token");
    assert!(engine.grants().await.is_empty());
}

#[tokio::test]
async fn two_refreshes_at_once_both_succeed() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let tokens = client.sign_in(&[]).await;
    let old = tokens.text("refresh_token");
    let (one, other) = tokio::join!(client.refresh(old, &[]), client.refresh(old, &[]));
    assert_eq!((one.status, other.status), (StatusCode::OK, StatusCode::OK));
    assert_ne!(one.text("refresh_token"), other.text("refresh_token"));
}

#[tokio::test]
async fn a_resource_gives_a_jwt_for_that_resource() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let tokens = client
        .sign_in(&[
            ("resource", SHOPPING),
            ("resource", "https://api.test/short"),
        ])
        .await;
    assert_eq!(tokens.text("access_token").len(), 43);
    let refresh_token = tokens.text("refresh_token");
    let products = client
        .refresh(refresh_token, &[("resource", SHOPPING)])
        .await;
    let (header, claims) = decode_jwt(products.text("access_token"));
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("at+jwt"), &json!("ES384"))
    );
    assert_eq!(claims["aud"], SHOPPING);
    assert_eq!(claims["scope"], "read:products write:products");
    assert_eq!(claims["client_id"], TRADITIONAL);
    assert_eq!(products.text("scope"), "read:products write:products");
    let fewer = client
        .refresh(
            refresh_token,
            &[("resource", SHOPPING), ("scope", "read:products")],
        )
        .await;
    assert_eq!(fewer.text("scope"), "read:products");
    assert_eq!(fewer.json.get("id_token"), None);
    let short = client
        .refresh(refresh_token, &[("resource", "https://api.test/short")])
        .await;
    assert_eq!(short.json["expires_in"], 20);
    for resource in ["https://unknown.test/", "https://billing.your-app.com/api"] {
        let answer = client
            .refresh(refresh_token, &[("resource", resource)])
            .await;
        answer.assert_refused("invalid_target");
    }
}

#[tokio::test]
async fn errors_have_the_body_that_logto_gives_them() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let unknown = client.refresh("nonsense", &[]).await;
    let recorded = Recording::load(29).response;
    let mut recorded: Value = serde_json::from_slice(recorded.body()).unwrap();
    // The one thing that differs is the translated sentence.
    recorded["message"] = unknown.json["message"].clone();
    assert_eq!(unknown.json, recorded);
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    client
        .token(&[("grant_type", "password")])
        .await
        .assert_refused("unsupported_grant_type");
}

#[tokio::test]
async fn wrong_credentials_are_challenged() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL).with_secret("s3cr3t%2B/ :%");
    let refused = client.refresh("nonsense", &[]).await;
    refused.assert_refused("invalid_client");
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    let userinfo = client.userinfo("nonsense").await;
    userinfo.assert_refused("invalid_token");
    assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn revocation_ends_the_whole_grant() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    for token in ["access_token", "refresh_token"] {
        let tokens = client.sign_in(&[("resource", SHOPPING)]).await;
        let refresh_token = tokens.text("refresh_token");
        let jwt = client
            .refresh(refresh_token, &[("resource", SHOPPING)])
            .await;
        let structured = client
            .post("token/revocation", &[("token", jwt.text("access_token"))])
            .await;
        structured.assert_refused("unsupported_token_type");
        let revoked = client
            .post("token/revocation", &[("token", tokens.text(token))])
            .await;
        assert_eq!(revoked.status, StatusCode::OK);
        client
            .refresh(refresh_token, &[])
            .await
            .assert_refused("invalid_grant");
        let userinfo = client.userinfo(tokens.text("access_token")).await;
        assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn introspection_knows_opaque_tokens_only() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let tokens = client.sign_in(&[("resource", SHOPPING)]).await;
    let resource = client
        .refresh(tokens.text("refresh_token"), &[("resource", SHOPPING)])
        .await;
    let introspect = async |client: &RawClient<'_>, token: &str| {
        client
            .post("token/introspection", &[("token", token)])
            .await
    };
    let active = introspect(&client, tokens.text("access_token")).await;
    assert_eq!(
        (&active.json["active"], &active.json["sub"]),
        (&json!(true), &json!("alice"))
    );
    let by_another = introspect(&RawClient::new(&engine, M2M), tokens.text("access_token")).await;
    assert_eq!(by_another.json["active"], true);
    assert_eq!(
        introspect(&client, "nonsense").await.json,
        json!({ "active": false })
    );
    let structured = introspect(&client, resource.text("access_token")).await;
    structured.assert_refused("unsupported_token_type");
}

#[tokio::test]
async fn client_credentials_need_a_resource() {
    let engine = engine().await;
    let client = RawClient::new(&engine, M2M);
    let grant = ("grant_type", "client_credentials");
    let scope = ("scope", "read:products");
    let tokens = client.token(&[grant, scope, ("resource", SHOPPING)]).await;
    let (header, claims) = decode_jwt(tokens.text("access_token"));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(
        (&claims["aud"], &claims["sub"]),
        (&json!(SHOPPING), &json!(M2M))
    );
    assert_eq!(tokens.text("scope"), "read:products");
    assert_eq!(tokens.json.get("refresh_token"), None);
    client
        .token(&[grant, scope])
        .await
        .assert_refused("invalid_target");
    let traditional = RawClient::new(&engine, TRADITIONAL);
    traditional
        .token(&[grant, ("resource", SHOPPING)])
        .await
        .assert_refused("invalid_request");
}

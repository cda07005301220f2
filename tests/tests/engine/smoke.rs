//! The engine signs in and out like Logto. These tests cover no requirement of the SDK; they validate the engine
//! that other tests rely on.

use http::{StatusCode, header};
use logto_recordings::Recording;
use logto_tests::{
    browser::VisitOutcome,
    engine::{
        DEVICE, Engine, EngineOptions, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, SPA, TRADITIONAL,
    },
    raw::{CODE_VERIFIER, RawClient, decode_jwt},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn engine() -> Engine {
    Engine::start(EngineOptions::default()).await
}

#[tokio::test]
async fn discovery_says_what_logto_says() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let ours = client
        .get(".well-known/openid-configuration", header::ACCEPT, "*/*")
        .await
        .json;
    let recorded = Recording::load(1).response.into_body();
    let recorded = String::from_utf8(recorded.to_vec()).unwrap();
    let recorded = recorded.replace("http://localhost:3001/oidc", engine.issuer().as_str());
    let mut theirs: Value = serde_json::from_str(&recorded).unwrap();
    // What the engine leaves out on purpose: more claims and scopes, and Logto's own token exchange.
    for list in [
        "claims_supported",
        "scopes_supported",
        "grant_types_supported",
    ] {
        let known: Vec<Value> = theirs[list].as_array().unwrap().clone();
        assert!(
            ours[list]
                .as_array()
                .unwrap()
                .iter()
                .all(|name| known.contains(name)),
            "{list}"
        );
        theirs[list] = ours[list].clone();
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn keys_are_es384_and_revalidated() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let keys = client.get("jwks", header::ACCEPT, "*/*").await;
    assert_eq!(keys.json["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys.json["keys"][0]["crv"], "P-384");
    assert_eq!(keys.json["keys"][0]["alg"], "ES384");
    assert_eq!(
        keys.headers[header::CACHE_CONTROL],
        "no-cache, max-age=0, must-revalidate"
    );
    let etag = keys.headers[header::ETAG].to_str().unwrap();
    let again = client.get("jwks", header::IF_NONE_MATCH, etag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_sign_in_gives_opaque_tokens_and_a_bare_id_token() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let url = client.authorization_url(&[
        ("scope", "openid offline_access profile email unknown"),
        ("prompt", "consent"),
        ("login_hint", "bob"),
    ]);
    let outcome = engine.browser().open(url).await;
    assert_eq!(outcome.redirect_parameter("state").as_deref(), Some("s"));
    assert_eq!(
        outcome.redirect_parameter("iss").as_deref(),
        Some(engine.issuer().as_str())
    );
    let tokens = client
        .redeem(&outcome.redirect_parameter("code").unwrap(), CODE_VERIFIER)
        .await;
    assert_eq!(tokens.status, StatusCode::OK);
    assert_eq!(tokens.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(tokens.text("access_token").len(), 43);
    assert_eq!(tokens.text("refresh_token").len(), 43);
    assert_eq!(tokens.text("scope"), "openid offline_access profile email");
    assert_eq!(tokens.text("token_type"), "Bearer");
    assert_eq!(tokens.json["expires_in"], 3600);
    let (header, claims) = decode_jwt(tokens.text("id_token"));
    assert_eq!(
        header.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["alg", "kid"]
    );
    assert_eq!(claims["sub"], "bob");
    assert_eq!(claims["nonce"], "n");
    assert_eq!(claims["aud"], TRADITIONAL);
    assert_eq!(claims["email"], "bob@example.com");
    assert_eq!(claims["name"], "Ünï 名");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    assert_eq!(claims.get("at_hash"), None);
    assert_eq!(claims.get("sid"), None);
    let userinfo = client.userinfo(tokens.text("access_token")).await;
    assert_eq!(userinfo.json["sub"], "bob");
}

#[tokio::test]
async fn without_consent_there_is_no_refresh_token() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let url = client.authorization_url(&[("scope", "openid offline_access")]);
    let outcome = engine.browser().open(url).await;
    let tokens = client
        .redeem(&outcome.redirect_parameter("code").unwrap(), CODE_VERIFIER)
        .await;
    assert_eq!(tokens.text("scope"), "openid");
    assert_eq!(tokens.json.get("refresh_token"), None);
}

#[tokio::test]
async fn a_wrong_verifier_spares_the_code_and_a_replay_kills_the_grant() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let url =
        client.authorization_url(&[("scope", "openid offline_access"), ("prompt", "consent")]);
    let callback = engine.sign_in(url).await;
    let code = VisitOutcome::Redirect(callback)
        .redirect_parameter("code")
        .unwrap();
    client
        .redeem(&code, &CODE_VERIFIER.to_lowercase())
        .await
        .assert_refused("invalid_grant");
    let tokens = client.redeem(&code, CODE_VERIFIER).await;
    assert_eq!(tokens.status, StatusCode::OK);
    client
        .redeem(&code, CODE_VERIFIER)
        .await
        .assert_refused("invalid_grant");
    client
        .refresh(tokens.text("refresh_token"), &[])
        .await
        .assert_refused("invalid_grant");
    assert!(engine.grants().await.is_empty());
}

#[tokio::test]
async fn authorization_errors_come_back_with_the_issuer() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    for (parameters, error) in [
        ([("scope", "openid"), ("prompt", "none")], "login_required"),
        (
            [("scope", "openid"), ("resource", "https://unknown.test/")],
            "invalid_target",
        ),
        (
            [("scope", "openid"), ("prompt", "create")],
            "invalid_request",
        ),
    ] {
        let outcome = engine
            .browser()
            .open(client.authorization_url(&parameters))
            .await;
        assert_eq!(outcome.redirect_parameter("error").as_deref(), Some(error));
        assert_eq!(
            outcome.redirect_parameter("iss").as_deref(),
            Some(engine.issuer().as_str())
        );
    }
}

#[tokio::test]
async fn form_post_brings_the_callback_as_a_form() {
    let engine = engine().await;
    let client = RawClient::new(&engine, SPA);
    let url = client.authorization_url(&[("scope", "openid"), ("response_mode", "form_post")]);
    let VisitOutcome::FormPost(form) = engine.browser().open(url).await else {
        panic!("no form")
    };
    assert_eq!(form.action.as_str(), REDIRECT_URI);
    let mut names: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "iss", "state"]);
}

#[tokio::test]
async fn the_sign_in_page_waits_for_a_human() {
    let options = EngineOptions {
        sign_in_page: true,
        ..EngineOptions::default()
    };
    let engine = Engine::start(options).await;
    let client = RawClient::new(&engine, SPA);
    let url = client.authorization_url(&[("scope", "openid")]);
    let VisitOutcome::Page { status, body, .. } = engine.browser().open(url).await else {
        panic!("nobody was asked")
    };
    assert_eq!(status, 200);
    assert!(body.contains(r#"<input name="username""#), "{body}");
}

#[tokio::test]
async fn a_pushed_request_signs_in() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let mut fields = client.authorization_parameters().to_vec();
    fields.push(("scope", "openid profile"));
    let pushed = client.post("request", &fields).await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    assert_eq!(pushed.json["expires_in"], 60);
    let mut url = client.authorization_url(&[]);
    url.query_pairs_mut()
        .clear()
        .append_pair("client_id", TRADITIONAL)
        .append_pair("request_uri", pushed.text("request_uri"));
    let outcome = engine.browser().open(url).await;
    let tokens = client
        .redeem(&outcome.redirect_parameter("code").unwrap(), CODE_VERIFIER)
        .await;
    assert_eq!(tokens.text("scope"), "openid profile");
}

#[tokio::test]
async fn a_device_waits_until_the_user_approves() {
    let engine = engine().await;
    let client = RawClient::new(&engine, DEVICE);
    let scope = [("scope", "openid offline_access profile")];
    let device = client.post("device/auth", &scope).await;
    assert_eq!(device.json["expires_in"], 600);
    let poll = async || {
        client
            .token(&[
                ("grant_type", DEVICE_CODE),
                ("device_code", device.text("device_code")),
            ])
            .await
    };
    poll().await.assert_refused("authorization_pending");
    let page = engine
        .browser()
        .open(device.text("verification_uri_complete").parse().unwrap())
        .await;
    assert!(
        matches!(page, VisitOutcome::Page { status: 200, .. }),
        "{page:?}"
    );
    let tokens = poll().await;
    assert_eq!(tokens.text("scope"), "openid offline_access profile");
    let refreshed = client.refresh(tokens.text("refresh_token"), &[]).await;
    assert_ne!(
        refreshed.text("refresh_token"),
        tokens.text("refresh_token")
    );
    poll().await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_the_offline_grant() {
    let engine = engine().await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let browser = engine.browser();
    let tokens = client.sign_in_with(&browser, &[]).await;
    let silent = client.authorization_url(&[("scope", "openid profile"), ("prompt", "none")]);
    let outcome = browser.open(silent.clone()).await;
    assert!(outcome.redirect_parameter("code").is_some(), "{outcome:?}");
    let mut url = client.authorization_url(&[]);
    url.set_path("/oidc/session/end");
    url.query_pairs_mut()
        .clear()
        .append_pair("id_token_hint", tokens.text("id_token"))
        .append_pair("post_logout_redirect_uri", POST_LOGOUT_REDIRECT_URI)
        .append_pair("state", "bye");
    let signed_out = browser.open(url).await;
    let home = format!("{POST_LOGOUT_REDIRECT_URI}?state=bye")
        .parse()
        .unwrap();
    assert_eq!(signed_out, VisitOutcome::Redirect(home));
    let outcome = browser.open(silent).await;
    assert_eq!(
        outcome.redirect_parameter("error").as_deref(),
        Some("login_required")
    );
    let refreshed = client.refresh(tokens.text("refresh_token"), &[]).await;
    assert_eq!(refreshed.status, StatusCode::OK);
}

#[tokio::test]
async fn signing_out_tells_the_back_channel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = EngineOptions {
        backchannel_logout_uri: Some(format!("http://{address}/logout").parse().unwrap()),
        ..EngineOptions::default()
    };
    let engine = Engine::start(options).await;
    let client = RawClient::new(&engine, TRADITIONAL);
    let browser = engine.browser();
    let tokens = client.sign_in_with(&browser, &[]).await;
    let end = format!("{}/session/end?client_id={TRADITIONAL}", engine.issuer())
        .parse()
        .unwrap();
    let (_, request) = tokio::join!(browser.open(end), answer_one_post(&listener));
    let (_, logout_token) = request.split_once("logout_token=").unwrap();
    let (header, claims) = decode_jwt(logout_token.trim());
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!(claims["aud"], TRADITIONAL);
    assert_eq!(claims["sub"], "alice");
    assert!(claims["sid"].is_string());
    assert_eq!(claims["sid"], decode_jwt(tokens.text("id_token")).1["sid"]);
}

/// Reads one HTTP request to the end of its form and answers 204.
async fn answer_one_post(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while jwt_parts(&String::from_utf8_lossy(&request)) < 3 {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the logout token is cut off");
        request.extend_from_slice(&buffer[..read]);
    }
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    String::from_utf8(request).unwrap()
}

fn jwt_parts(request: &str) -> usize {
    let Some((_, token)) = request.split_once("logout_token=") else {
        return 0;
    };
    token.split('.').filter(|part| !part.is_empty()).count()
}

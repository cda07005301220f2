//! Machine-to-machine tokens.

use std::collections::BTreeSet;

use logto_core::{
    AccessToken, Error, Exchange, LogtoConfig, TokenTarget,
    config::ClientAuthentication,
    error::{Advice, OAuthErrorCode, UsageError},
    grants::ClientCredentials,
};
use logto_recordings::Recording;
use serde_json::json;

use crate::support::provider::{self, NOW, config, form, json_response, metadata};

const SHOP: &str = "https://shopping.your-app.com/api";
const ACME: &str = "8z8fuwxwnifo";

fn m2m() -> LogtoConfig {
    provider::recorded_app("3irckhsefd89w9crzy1we")
        .app_secret("QzRE0Fyrf6eiqwd2BDyTVpGMx169iduU")
        .build()
        .unwrap()
}

/// Sends what was recorded, byte for byte of its meaning, and reads what came back.
fn replay(number: u16, config: &LogtoConfig, target: TokenTarget) -> Result<AccessToken, Error> {
    let recording = Recording::load(number);
    let metadata = provider::recorded_metadata();
    let exchange = ClientCredentials::new(config, &metadata, target, NOW).unwrap();
    let request = exchange.request();
    assert_eq!(request.uri(), recording.request.uri());
    assert_eq!(form(&request), form(&recording.request), "{number}");
    let authorization = |request| provider::header(request, "authorization").map(str::to_owned);
    assert_eq!(authorization(&request), authorization(&recording.request));
    exchange.accept(recording.response, NOW)
}

fn scopes(token: &AccessToken) -> Vec<&str> {
    token.scopes.iter().map(String::as_str).collect()
}

#[test]
fn recorded_tokens_for_a_resource_an_organization_and_both() {
    let shop = || TokenTarget::resource(SHOP);
    let both = ["read:products", "write:products"];
    let shipments = ["read:shipments", "write:shipments"];
    let table: [(u16, TokenTarget, &[&str]); 5] = [
        (89, shop().with_scopes(both), &both),
        (90, shop(), &[]),
        (
            91,
            TokenTarget::organization(ACME).with_scopes(shipments),
            &["read:shipments"],
        ),
        (92, TokenTarget::organization(ACME), &[]),
        (
            93,
            shop().in_organization(ACME).with_scopes(both),
            &["read:products"],
        ),
    ];
    for (number, target, expected) in table {
        let token = replay(number, &m2m(), target).unwrap();
        assert_eq!(scopes(&token), expected, "{number}");
        assert_eq!(token.remaining(NOW).as_secs(), 3600);
    }
}

#[test]
fn recorded_scopes_that_were_not_granted_are_not_claimed() {
    // Logto leaves `scope` out of the answer, and the token has none.
    let target = TokenTarget::resource(SHOP).with_scopes(["delete:products"]);
    assert_eq!(replay(97, &m2m(), target).unwrap().scopes, BTreeSet::new());
    let billing = TokenTarget::resource("https://billing.your-app.com/api");
    let token = replay(98, &m2m(), billing.with_scopes(["read:invoices"])).unwrap();
    assert_eq!(token.scopes, BTreeSet::new());
}

#[test]
fn recorded_refusals_are_the_servers_verdict() {
    let unknown = TokenTarget::resource("https://unknown.example.com/api");
    let table = [
        (
            94,
            TokenTarget::organization("faxv7mzzxdp2"),
            OAuthErrorCode::AccessDenied,
            403,
        ),
        (96, unknown, OAuthErrorCode::InvalidTarget, 400),
    ];
    for (number, target, code, status) in table {
        let error = replay(number, &m2m(), target).unwrap_err();
        assert_eq!(error.server().unwrap().error, code);
        assert_eq!(error.server().unwrap().status, Some(status));
        assert_eq!(error.advice(), Advice::Refused);
    }
    let traditional = provider::recorded_builder().build().unwrap();
    let error = replay(100, &traditional, TokenTarget::resource(SHOP)).unwrap_err();
    assert_eq!(
        error.server().unwrap().error,
        OAuthErrorCode::InvalidRequest
    );
}

#[test]
fn recorded_client_secret_post() {
    let config = m2m()
        .with_client_authentication(ClientAuthentication::Post(
            "QzRE0Fyrf6eiqwd2BDyTVpGMx169iduU".into(),
        ))
        .unwrap();
    assert!(replay(101, &config, TokenTarget::resource(SHOP)).is_ok());
}

#[test]
fn neither_resource_nor_organization_is_refused_before_the_request() {
    let recorded = Recording::load(95).json();
    assert_eq!(recorded["error"], "invalid_target");
    let target = TokenTarget::user_info().with_scopes(["all"]);
    assert!(matches!(
        ClientCredentials::new(&config(), &metadata(), target, NOW),
        Err(UsageError::InvalidParameter(_))
    ));
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    let wrong = Recording::load(91).response;
    let target = TokenTarget::resource(SHOP);
    let exchange = ClientCredentials::new(&m2m(), &provider::recorded_metadata(), target, NOW);
    let error = exchange.unwrap().accept(wrong, NOW).unwrap_err();
    assert!(matches!(error, Error::Response(_)), "{error}");
}

#[test]
fn an_opaque_token_has_the_scopes_that_were_asked_for_unless_the_server_says_otherwise() {
    let target = TokenTarget::resource(SHOP).with_scopes(["read"]);
    let exchange = ClientCredentials::new(&config(), &metadata(), target, NOW).unwrap();
    let answer = json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60});
    let token = exchange
        .clone()
        .accept(json_response(200, &answer), NOW)
        .unwrap();
    assert_eq!(scopes(&token), ["read"]);
    let answer = json!({"access_token": "opaque", "token_type": "Bearer", "scope": ""});
    let token = exchange.accept(json_response(200, &answer), NOW).unwrap();
    assert!(token.scopes.is_empty());
}

#[test]
fn the_request_is_the_same_every_time_and_shows_no_secret() {
    let target = TokenTarget::resource(SHOP);
    let exchange = ClientCredentials::new(&m2m(), &provider::recorded_metadata(), target, NOW);
    let exchange = exchange.unwrap();
    assert_eq!(exchange.request().body(), exchange.request().body());
    assert_eq!(exchange.request().headers(), exchange.request().headers());
    assert!(!format!("{exchange:?}").contains("QzRE"));
}

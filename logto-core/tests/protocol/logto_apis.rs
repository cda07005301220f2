//! Requests to Logto's Account API and Management API.

use http::Method;
use logto_core::{
    AccessToken, Exchange, LogtoConfig, TokenTarget,
    error::UsageError,
    grants::ClientCredentials,
    logto_api::{AccountApi, ManagementApi},
};
use logto_recordings::Recording;
use serde_json::json;

use crate::support::provider::{self, NOW, config, form, header, json_response, metadata};

fn token() -> AccessToken {
    let target = TokenTarget::resource("https://shop.example.com/api");
    let answer = json!({"access_token": "the-token", "token_type": "Bearer"});
    ClientCredentials::new(&config(), &metadata(), target, NOW)
        .unwrap()
        .accept(json_response(200, &answer), NOW)
        .unwrap()
}

#[test]
fn an_account_request_carries_the_users_token_and_a_json_body() {
    let account = AccountApi::new(&config(), &token());
    let request = account.request(Method::GET, &["my-account"], None).unwrap();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri(), "https://tenant.logto.app/api/my-account");
    assert_eq!(header(&request, "authorization"), Some("Bearer the-token"));
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert_eq!(header(&request, "content-type"), None);
    assert_eq!(header(&request, "logto-verification-id"), None);
    assert!(request.body().is_empty());

    let body = json!({"name": "Alice"});
    let request = account
        .request(Method::PATCH, &["my-account", "profile"], Some(&body))
        .unwrap();
    assert_eq!(request.method(), Method::PATCH);
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(request.body(), r#"{"name":"Alice"}"#);
}

#[test]
fn an_account_request_carries_the_verification_record() {
    let account = AccountApi::new(&config(), &token()).verified_by("record-1");
    let path = ["my-account", "identities", "github"];
    let request = account.request(Method::DELETE, &path, None).unwrap();
    assert_eq!(header(&request, "logto-verification-id"), Some("record-1"));
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("record-1") && !shown.contains("the-token"),
        "{shown}"
    );
    let split = AccountApi::new(&config(), &token()).verified_by("a\r\nx: y");
    let error = split
        .request(Method::GET, &["my-account"], None)
        .unwrap_err();
    assert!(matches!(error, UsageError::InvalidParameter(_)));
}

#[test]
fn a_path_below_the_endpoint_is_kept_and_ids_stay_one_segment() {
    let config = LogtoConfig::builder("https://example.com/auth/", "app-id")
        .build()
        .unwrap();
    let account = AccountApi::new(&config, &token());
    for (id, segment) in [
        ("a/../b", "a%2F..%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b", "a%20b"),
    ] {
        let request = account
            .request(Method::GET, &["my-account", id], None)
            .unwrap();
        let expected = format!("https://example.com/auth/api/my-account/{segment}");
        assert_eq!(request.uri().to_string(), expected);
    }
    for id in ["", ".", ".."] {
        assert!(
            account
                .request(Method::GET, &["my-account", id], None)
                .is_err(),
            "{id}"
        );
    }
}

#[test]
fn the_management_api_of_a_cloud_tenant() {
    let management = ManagementApi::cloud("my-tenant").unwrap();
    assert_eq!(management.indicator(), "https://my-tenant.logto.app/api");
    let query = [("page", "2"), ("search", "%alice&%")];
    let request = management
        .request(&token(), Method::GET, &["users"], &query, None)
        .unwrap();
    assert_eq!(
        request.uri(),
        "https://my-tenant.logto.app/api/users?page=2&search=%25alice%26%25"
    );
    assert_eq!(header(&request, "authorization"), Some("Bearer the-token"));
    for tenant in ["", "a.b", "a/b", "a@evil.example", "a:1", "ü", "a b", "a#"] {
        assert!(ManagementApi::cloud(tenant).is_err(), "{tenant}");
    }
}

#[test]
fn recorded_token_for_the_management_api_of_a_self_hosted_logto() {
    let recording = Recording::load(99);
    let config = provider::recorded_app("c45gj4kwhbxt1fgwb006u")
        .app_secret("XtswMEZiSl0X6HV67IxfXGNse9huTWqr")
        .build()
        .unwrap();
    let management = ManagementApi::self_hosted(&config);
    let metadata = provider::recorded_metadata();
    let exchange = ClientCredentials::new(&config, &metadata, management.target(), NOW).unwrap();
    assert_eq!(form(&exchange.request()), form(&recording.request));
    assert_eq!(
        header(&exchange.request(), "authorization"),
        header(&recording.request, "authorization")
    );
    let token = exchange.accept(recording.response, NOW).unwrap();
    assert!(token.scopes.contains("all"));

    let body = json!({"name": "Acme"});
    let request = management
        .request(&token, Method::POST, &["organizations"], &[], Some(&body))
        .unwrap();
    assert_eq!(request.uri(), "http://localhost:3001/api/organizations");
    assert_eq!(request.method(), Method::POST);
}

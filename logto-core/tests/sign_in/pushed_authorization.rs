//! Pushed authorization requests.

use std::{collections::BTreeSet, time::Duration};

use logto_core::{
    Error, Exchange, LogtoConfig, SignIn,
    config::ClientAuthentication,
    error::{Endpoint, OAuthErrorCode, UsageError},
    pushed_authorization::PushAuthorization,
    sign_in::{Callback, PendingSignIn},
    vocabulary::{FirstScreen, Prompt},
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::support::provider::{
    self, NOW, config, form, json_response, metadata, parameters, random,
};

fn push(sign_in: &SignIn, config: &LogtoConfig) -> (PushAuthorization, PendingSignIn) {
    sign_in
        .start_pushed(config, &metadata(), &random(), NOW)
        .unwrap()
}

fn accept(answer: &Value) -> Result<logto_core::pushed_authorization::PushedAuthorization, Error> {
    let (push, _) = push(&SignIn::new(), &config());
    push.accept(json_response(201, answer), NOW)
}

#[test]
fn recorded_push_gives_the_url_for_the_browser() {
    let recorded = Recording::load(111);
    let config = provider::recorded_builder()
        .include_reserved_scopes(false)
        .scopes(["openid", "profile"])
        .build()
        .unwrap();
    let metadata = provider::recorded_metadata();
    let (push, _) = SignIn::new()
        .start_pushed(&config, &metadata, &random(), NOW)
        .unwrap();
    let request = push.request();
    assert_eq!(request.uri(), recorded.request.uri());
    assert_eq!(
        provider::header(&request, "authorization"),
        provider::header(&recorded.request, "authorization")
    );
    let (ours, theirs) = (form(&request), form(&recorded.request));
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    for (name, value) in &ours {
        let is_random = ["state", "nonce", "code_challenge"].contains(&name.as_str());
        assert!(is_random || *value == theirs[name], "{name}");
    }

    let pushed = push.accept(recorded.response, NOW).unwrap();
    assert_eq!(
        pushed.url.as_str(),
        "http://localhost:3001/oidc/auth?client_id=q5z3x46nt51n2jydi4jkh\
         &request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A\
         ENu9z4SoMk7htkRteQiO-HgfKcPXRuquvRZwdSnPIyA"
    );
    assert_eq!(pushed.expires_at, NOW.plus(Duration::from_secs(60)));
}

#[test]
fn the_parameters_and_the_pending_sign_in_are_those_of_the_url() {
    let sign_in = SignIn::new()
        .prompt([Prompt::Login, Prompt::Consent])
        .first_screen(FirstScreen::Register)
        .login_hint("alice@example.com")
        .resources(["https://shop.example.com/api"])
        .form_post()
        .return_to("/orders");
    let (url, started) = sign_in
        .start(&config(), &metadata(), &random(), NOW)
        .unwrap();
    let (push, pushed) = push(&sign_in, &config());
    assert_eq!(pushed, started);
    assert_eq!(
        form(&push.request()),
        parameters(url.query().unwrap().as_bytes())
    );
}

#[test]
fn a_query_of_the_authorization_endpoint_stays_in_the_url() {
    let endpoint = json!("https://tenant.logto.app/oidc/auth?tenant=one");
    let metadata =
        provider::metadata_from(provider::document_with("authorization_endpoint", endpoint));
    let (push, _) = SignIn::new()
        .start_pushed(&config(), &metadata, &random(), NOW)
        .unwrap();
    assert!(!form(&push.request()).contains_key("tenant"));
    let answer = json!({"request_uri": "urn:x", "expires_in": 90});
    let pushed = push.accept(json_response(201, &answer), NOW).unwrap();
    assert_eq!(
        pushed.url.query(),
        Some("tenant=one&client_id=app-id&request_uri=urn%3Ax")
    );
}

#[test]
fn c38_every_client_names_itself_once_and_proves_itself_once() {
    let methods = [
        (ClientAuthentication::None, false, None),
        (ClientAuthentication::Basic("s".into()), true, None),
        (ClientAuthentication::Post("s".into()), false, Some("s")),
    ];
    for (method, header, secret) in methods {
        let config = config().with_client_authentication(method).unwrap();
        let request = push(&SignIn::new(), &config).0.request();
        let form = form(&request);
        assert_eq!(form["client_id"], "app-id");
        assert_eq!(form.get("client_secret").map(String::as_str), secret);
        assert_eq!(request.headers().contains_key("authorization"), header);
    }
}

#[test]
fn the_callback_is_answered_as_after_any_other_start() {
    let (_, pending) = push(&SignIn::new(), &config());
    let query = format!(
        "code=abc&state={}&iss=https%3A%2F%2Ftenant.logto.app%2Foidc",
        pending.state().expose()
    );
    let callback = Callback::from_query(&query).unwrap();
    assert!(
        pending
            .resume(callback, &config(), &metadata(), NOW)
            .is_ok()
    );
}

#[test]
fn unusable_answers_are_refused() {
    for answer in [
        json!({}),
        json!({"request_uri": "", "expires_in": 60}),
        json!({"request_uri": 1, "expires_in": 60}),
        json!({"expires_in": 60}),
        json!({"request_uri": "urn:x"}),
        json!({"request_uri": "urn:x", "expires_in": "60s"}),
        json!({"request_uri": "urn:x", "expires_in": null}),
        json!({"request_uri": "urn:x", "expires_in": -1}),
    ] {
        assert!(
            matches!(accept(&answer), Err(Error::Response(_))),
            "{answer}"
        );
    }
    let (push, _) = push(&SignIn::new(), &config());
    let refusal = json!({"error": "invalid_redirect_uri"});
    let error = push.accept(json_response(400, &refusal), NOW).unwrap_err();
    assert_eq!(
        error.server().unwrap().error,
        OAuthErrorCode::InvalidRedirectUri
    );
    assert_eq!(
        error.server().unwrap().endpoint,
        Endpoint::PushedAuthorization
    );
}

#[test]
fn what_is_wrong_with_a_sign_in_is_found_before_the_request() {
    let sign_in = SignIn::new().prompt([Prompt::None, Prompt::Login]);
    let error = sign_in
        .start_pushed(&config(), &metadata(), &random(), NOW)
        .unwrap_err();
    assert!(matches!(error, UsageError::InvalidParameter(_)));
    let mut document = provider::document();
    document.remove("pushed_authorization_request_endpoint");
    let metadata = provider::metadata_from(document);
    let error = SignIn::new()
        .start_pushed(&config(), &metadata, &random(), NOW)
        .unwrap_err();
    assert_eq!(
        error,
        UsageError::EndpointNotAdvertised(Endpoint::PushedAuthorization)
    );
}

#[test]
fn values_of_parameters_are_not_shown() {
    let sign_in = SignIn::new()
        .one_time_token("secret token")
        .login_hint("alice");
    let (push, _) = push(&sign_in, &config());
    let shown = format!("{push:?}");
    assert!(
        !shown.contains("secret token") && !shown.contains("alice"),
        "{shown}"
    );
    let values: BTreeSet<String> = form(&push.request()).into_values().collect();
    assert!(values.contains("secret token"));
}

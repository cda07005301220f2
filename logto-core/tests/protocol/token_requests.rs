//! Token requests for codes and refresh tokens, compared with recordings.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use logto_core::{
    Error, Exchange, LogtoConfig, Machine, Secret, Step, TokenTarget,
    config::ClientAuthentication,
    error::{Advice, Endpoint},
    grants::RefreshTokens,
    jwt::AwsLcVerifier,
    metadata::ProviderMetadata,
    sign_in::{CompleteSignIn, ProviderKeys},
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::support::provider::{self, NOW, config, done, form, header, metadata, sent};

fn refresh(config: &LogtoConfig, target: TokenTarget) -> RefreshTokens {
    let refresh_token = Secret::from("old-refresh-token");
    RefreshTokens::new(
        config,
        &metadata(),
        refresh_token,
        target,
        &BTreeSet::new(),
        NOW,
    )
}

fn redeem(
    config: &LogtoConfig,
    metadata: &ProviderMetadata,
    record: Value,
    code: &str,
) -> CompleteSignIn {
    let resumed = provider::resumed(record, config, metadata, code);
    let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    CompleteSignIn::new(config, metadata, resumed, keys)
}

fn redeem_any() -> CompleteSignIn {
    let config = config();
    let record = provider::pending_record(&config);
    redeem(&config, &metadata(), record, "the-code")
}

#[test]
fn c36_c37_the_code_request_is_a_form_with_basic_credentials() {
    let mut machine = redeem_any();
    let request = sent(&mut machine);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://tenant.logto.app/oidc/token");
    assert_eq!(
        header(&request, "content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(header(&request, "accept"), Some("application/json"));
    // app-id:app-secret
    assert_eq!(
        header(&request, "authorization"),
        Some("Basic YXBwLWlkOmFwcC1zZWNyZXQ=")
    );
    assert_eq!(
        request.body(),
        "grant_type=authorization_code&code=the-code\
         &redirect_uri=https%3A%2F%2Fshop.example.com%2Fcallback&code_verifier=the-verifier"
    );
    assert_eq!(request.headers().len(), 3);
}

#[test]
fn c36_c46_the_refresh_request_names_one_resource_at_most() {
    for (target, rest) in [
        (TokenTarget::user_info(), ""),
        (
            TokenTarget::user_info().with_scopes(["openid", "email"]),
            "&scope=email+openid",
        ),
        (
            TokenTarget::resource("https://api.example.com/a?b=c&d"),
            "&resource=https%3A%2F%2Fapi.example.com%2Fa%3Fb%3Dc%26d",
        ),
        (
            TokenTarget::resource("https://api.example.com").with_scopes(["read:products"]),
            "&resource=https%3A%2F%2Fapi.example.com&scope=read%3Aproducts",
        ),
        (TokenTarget::organization("org1"), "&organization_id=org1"),
        (
            TokenTarget::resource("https://api.example.com").in_organization("org1"),
            "&resource=https%3A%2F%2Fapi.example.com&organization_id=org1",
        ),
    ] {
        let exchange = refresh(&config(), target.clone());
        assert_eq!(exchange.target(), &target);
        assert_eq!(exchange.refresh_token().expose(), "old-refresh-token");
        let request = exchange.request();
        assert_eq!(
            request.body(),
            &format!("grant_type=refresh_token&refresh_token=old-refresh-token{rest}")
        );
        assert_eq!(
            header(&request, "authorization"),
            Some("Basic YXBwLWlkOmFwcC1zZWNyZXQ=")
        );
        assert_eq!(request.body(), exchange.request().body());
    }
}

#[test]
fn c38_one_way_of_authentication() {
    let with = |authentication| {
        let config = provider::builder()
            .client_authentication(authentication)
            .build()
            .unwrap();
        refresh(&config, TokenTarget::user_info()).request()
    };
    let public = with(ClientAuthentication::None);
    assert_eq!(header(&public, "authorization"), None);
    assert_eq!(form(&public)["client_id"], "app-id");
    assert!(!form(&public).contains_key("client_secret"));

    let post = with(ClientAuthentication::Post(Secret::from("s3cr3t+/ :%")));
    assert_eq!(header(&post, "authorization"), None);
    assert_eq!(form(&post)["client_id"], "app-id");
    assert_eq!(form(&post)["client_secret"], "s3cr3t+/ :%");

    let basic = with(ClientAuthentication::Basic(Secret::from("s3cr3t+/ :%")));
    // app-id:s3cr3t%2B%2F+%3A%25
    assert_eq!(
        header(&basic, "authorization"),
        Some("Basic YXBwLWlkOnMzY3IzdCUyQiUyRislM0ElMjU=")
    );
    assert_eq!(form(&basic).len(), 2);
}

#[test]
fn c45_tokens_and_secrets_are_never_in_the_address() {
    let mut machine = redeem_any();
    for request in [
        sent(&mut machine),
        refresh(&config(), TokenTarget::user_info()).request(),
    ] {
        assert_eq!(request.uri().query(), None);
    }
}

/// The application that sent a recorded request: its id, and its secret if it has one.
fn recorded_client(request: &Request<Bytes>) -> LogtoConfig {
    let form = form(request);
    let builder = |app_id: &str| provider::recorded_app(app_id);
    match header(request, "authorization") {
        Some(basic) => {
            let pair = BASE64_STANDARD.decode(&basic["Basic ".len()..]).unwrap();
            let pair = String::from_utf8(pair).unwrap();
            let (app_id, secret) = pair.split_once(':').unwrap();
            builder(app_id).app_secret(secret)
        }
        None => match form.get("client_secret") {
            Some(secret) => builder(&form["client_id"])
                .client_authentication(ClientAuthentication::Post(Secret::from(secret.as_str()))),
            None => builder(&form["client_id"]),
        },
    }
    .build()
    .unwrap()
}

fn assert_same_request(ours: &Request<Bytes>, recorded: &Request<Bytes>, number: u16) {
    assert_eq!(ours.method(), recorded.method(), "{number}");
    assert_eq!(ours.uri(), recorded.uri(), "{number}");
    assert_eq!(form(ours), form(recorded), "{number}");
    for name in ["accept", "content-type", "authorization"] {
        assert_eq!(
            header(ours, name),
            header(recorded, name),
            "{number} {name}"
        );
    }
}

/// What was recorded, with the members that decide.
fn assert_verdict(error: &Error, recording: &Value, number: u16) {
    let server = error
        .server()
        .unwrap_or_else(|| panic!("{number}: {error}"));
    assert_eq!(Some(server.error.as_str()), recording["error"].as_str());
    assert_eq!(
        server.description.as_deref(),
        recording["error_description"].as_str()
    );
    assert_eq!(server.logto_code.as_deref(), recording["code"].as_str());
    assert_eq!(server.message.as_deref(), recording["message"].as_str());
    assert_eq!(server.uri.as_deref(), recording["error_uri"].as_str());
}

#[test]
fn c36_every_recorded_refresh_is_rebuilt_and_its_answer_understood() {
    // 31 lacks the refresh token, which cannot be built; 43 is no token request.
    let refreshes = (13..=44)
        .chain([51, 82])
        .filter(|number| ![31, 43].contains(number));
    let mut verdicts = 0;
    for number in refreshes {
        let recording = Recording::load(number);
        let answer = recording.json();
        let sent = form(&recording.request);
        let mut target = match (sent.get("resource"), sent.get("organization_id")) {
            (None, None) => TokenTarget::user_info(),
            (Some(resource), None) => TokenTarget::resource(resource),
            (None, Some(id)) => TokenTarget::organization(id),
            (Some(resource), Some(id)) => TokenTarget::resource(resource).in_organization(id),
        };
        if let Some(scope) = sent.get("scope") {
            // Ours are sorted; so are the recorded ones.
            target = target.with_scopes(scope.split(' '));
        }
        let exchange = RefreshTokens::new(
            &recorded_client(&recording.request),
            &provider::recorded_metadata(),
            Secret::from(sent["refresh_token"].as_str()),
            target,
            &BTreeSet::new(),
            NOW,
        );
        assert_same_request(&exchange.request(), &recording.request, number);

        let status = recording.response.status();
        match exchange.accept(recording.response, NOW) {
            Err(error) => {
                verdicts += 1;
                assert_verdict(&error, &answer, number);
                assert_eq!(error.server().unwrap().status, Some(status.as_u16()));
                let expected = match error.code() {
                    "invalid_grant" => Advice::SignInAgain,
                    _ => Advice::Refused,
                };
                assert_eq!(error.advice(), expected, "{number}");
            }
            Ok(refreshed) => {
                let text = |name: &str| answer[name].as_str().map(str::to_owned);
                let shown = |secret: Option<Secret>| secret.map(|it| it.expose().to_owned());
                assert_eq!(shown(refreshed.refresh_token), text("refresh_token"));
                assert_eq!(shown(refreshed.id_token), text("id_token"), "{number}");
                let token = refreshed.access_token.unwrap();
                assert_eq!(shown(Some(token.token)), text("access_token"));
                assert_eq!(token.expires_at, NOW.plus(Duration::from_secs(3600)));
                let granted: BTreeSet<String> = text("scope")
                    .unwrap()
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect();
                assert_eq!(token.scopes, granted, "{number}");
            }
        }
    }
    assert_eq!(verdicts, 17);
}

#[test]
fn c36_every_recorded_code_exchange_is_rebuilt_and_its_answer_understood() {
    let metadata = provider::recorded_metadata();
    for (number, expected) in [
        (6, None),
        (45, Some("invalid_grant")),
        (46, None),
        (48, Some("invalid_grant")),
        (50, Some("invalid_grant")),
        (52, Some("invalid_grant")),
        (53, Some("invalid_client")),
        (55, Some("invalid_client")),
        (56, None),
    ] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let config = recorded_client(&recording.request);
        let sent_form = form(&recording.request);
        let mut record = provider::pending_record(&config);
        record["code_verifier"] = json!(sent_form["code_verifier"]);
        record["redirect_uri"] = json!(sent_form["redirect_uri"]);
        let mut machine = redeem(&config, &metadata, record, &sent_form["code"]);
        assert_same_request(&sent(&mut machine), &recording.request, number);
        machine.handle(recording.response, NOW);
        match (machine.poll(NOW), expected) {
            // Redeemed: the next step is the key set.
            (
                Step::Send {
                    endpoint,
                    request,
                    is_repeatable,
                },
                None,
            ) => {
                assert_eq!(endpoint, Endpoint::Keys);
                assert!(is_repeatable);
                assert_eq!(request.uri().path(), "/oidc/jwks");
            }
            (Step::Done(Err(incomplete)), Some(code)) => {
                let error = incomplete.error;
                assert_eq!(error.code(), code, "{number}");
                assert_verdict(&error, &answer, number);
            }
            (step, _) => panic!("{number}: {step:?}"),
        }
    }
}

/// Requests that cannot be built here: parameters missing, two kinds of token at once, another grant.
#[test]
fn c44_the_other_recorded_answers_are_understood() {
    for (number, advice) in [
        (31, Advice::Refused),
        (47, Advice::SignInAgain),
        (49, Advice::Refused),
        (54, Advice::FixConfiguration),
        (57, Advice::FixConfiguration),
    ] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let mut machine = redeem_any();
        sent(&mut machine);
        machine.handle(recording.response, NOW);
        let error = done(&mut machine).unwrap_err().error;
        assert_verdict(&error, &answer, number);
        assert_eq!(error.advice(), advice, "{number}");
    }
    for (number, has_refresh_token) in [(7, true), (58, false)] {
        let refreshed = refresh(&config(), TokenTarget::user_info())
            .accept(Recording::load(number).response, NOW)
            .unwrap();
        assert_eq!(refreshed.refresh_token.is_some(), has_refresh_token);
        assert!(refreshed.access_token.is_ok() && refreshed.id_token.is_some());
    }
}

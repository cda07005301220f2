//! Obtaining an access token for a session, with the state machine driven by hand.

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, LogtoConfig, Machine, Secret, Session, TokenTarget, UnixTime,
    error::{Advice, UsageError},
    machine::{ObtainToken, Obtained},
    metadata::ProviderMetadata,
    sign_in::{CompleteSignIn, ProviderKeys},
};
use logto_recordings::Recording;
use serde_json::json;

use crate::support::{
    SigningKey,
    provider::{
        self, ISSUER, NOW, config, done, json_response, metadata, pending_record,
        recorded_metadata, response, resumed, sent,
    },
    signing::{claims, claims_with, claims_without, id_token, jwks_response, keys, provider_keys},
};

const API: &str = "https://api.example.com";

/// A signed-in user who asked for one API resource and for organizations.
fn session() -> Session {
    let (config, metadata) = (config(), metadata());
    let mut record = pending_record(&config);
    let organizations = "urn:logto:scope:organizations";
    record["scopes"] = json!(["openid", "offline_access", "read:orders", organizations]);
    record["resources"] = json!([API, "urn:logto:resource:organizations"]);
    let resumed = resumed(record, &config, &metadata, "the-code");
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, keys());
    sent(&mut machine);
    let body = json!({
        "access_token": "first-access-token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": format!("openid offline_access {organizations}"),
        "refresh_token": "first-refresh-token",
        "id_token": id_token(&claims()),
    });
    machine.handle(json_response(200, &body), NOW);
    done(&mut machine).unwrap().session
}

fn api() -> TokenTarget {
    TokenTarget::resource(API)
}

fn obtain(session: &Session, target: &TokenTarget, keys: ProviderKeys) -> ObtainToken {
    ObtainToken::new(&config(), &metadata(), session, target, keys, NOW).unwrap()
}

/// The answer to a refresh, with a rotated refresh token.
fn answer(id_token: Option<String>) -> Response<Bytes> {
    let mut body = json!({
        "access_token": "second-access-token",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "read:orders",
        "refresh_token": "second-refresh-token",
    });
    if let Some(id_token) = id_token {
        body["id_token"] = json!(id_token);
    }
    json_response(200, &body)
}

/// A refresh for the API that is answered like this, with the keys at hand.
fn refreshed(response: Response<Bytes>) -> Obtained {
    let mut machine = obtain(&session(), &api(), keys());
    sent(&mut machine);
    machine.handle(response, NOW);
    done(&mut machine)
}

fn refresh_token_in(obtained: &Obtained) -> Option<&str> {
    obtained.delta.refresh_token.as_ref().map(Secret::expose)
}

#[test]
fn a_usable_token_is_handed_out_without_a_request() {
    let obtained = done(&mut obtain(&session(), &TokenTarget::user_info(), keys()));
    assert_eq!(obtained.token.unwrap().token.expose(), "first-access-token");
    assert!(obtained.delta.is_empty() && obtained.keys.is_none());
}

#[test]
fn t20_a_missing_token_is_fetched_and_the_change_comes_in_one_piece() {
    let mut session = session();
    let mut machine = obtain(&session, &api(), keys());
    assert!(machine.rotated().is_none(), "nothing has happened yet");
    let request = sent(&mut machine);
    assert_eq!(
        request.body(),
        "grant_type=refresh_token&refresh_token=first-refresh-token\
         &resource=https%3A%2F%2Fapi.example.com"
    );
    let mut renamed = claims_with("name", json!("Alice the Second"));
    renamed["iat"] = json!(NOW.as_secs() + 5);
    let later = UnixTime::from_secs(NOW.as_secs() + 5);
    machine.handle(answer(Some(id_token(&renamed))), later);
    let obtained = done(&mut machine);

    let token = obtained.token.as_ref().unwrap();
    assert_eq!(token.token.expose(), "second-access-token");
    assert_eq!(token.issued_at, NOW, "when it was asked for");
    session.apply(&obtained.delta);
    assert_eq!(
        session.refresh_token().unwrap().expose(),
        "second-refresh-token"
    );
    assert_eq!(
        session.claims().user.name.as_deref(),
        Some("Alice the Second")
    );
    assert_eq!(session.changed_at(), later);
    assert_eq!(session.created_at(), NOW);
    assert_eq!(session.access_tokens()[&api()], *token);
    assert_eq!(session.access_tokens().len(), 2);

    let again = done(&mut obtain(&session, &api(), keys()));
    assert_eq!(again.token.unwrap(), *token);
}

#[test]
fn fapi_refresh_token_test_two_refreshes_with_rotated_tokens() {
    let mut session = session();
    for (spent, new) in [
        ("first-refresh-token", "second-refresh-token"),
        ("second-refresh-token", "third-refresh-token"),
    ] {
        let mut machine =
            ObtainToken::anew(&config(), &metadata(), &session, &api(), keys(), NOW).unwrap();
        let request = sent(&mut machine);
        assert_eq!(provider::form(&request)["refresh_token"], spent);
        let body = json!({"access_token": new, "token_type": "Bearer", "refresh_token": new});
        machine.handle(json_response(200, &body), NOW);
        let obtained = done(&mut machine);
        session.apply(&obtained.delta);
        assert_eq!(obtained.token.unwrap().token.expose(), new);
        assert_eq!(session.refresh_token().unwrap().expose(), new);
    }
}

#[test]
fn a_token_can_be_fetched_although_there_is_a_usable_one() {
    let target = TokenTarget::user_info();
    let mut machine =
        ObtainToken::anew(&config(), &metadata(), &session(), &target, keys(), NOW).unwrap();
    sent(&mut machine);
    machine.handle(answer(None), NOW);
    let obtained = done(&mut machine);
    assert_eq!(
        obtained.token.unwrap().token.expose(),
        "second-access-token"
    );
}

#[test]
fn a_narrowed_token_comes_without_an_id_token_and_is_kept_apart() {
    let narrowed = api().with_scopes(["read:orders"]);
    let mut session = session();
    let mut machine = obtain(&session, &narrowed, keys());
    assert_eq!(provider::form(&sent(&mut machine))["scope"], "read:orders");
    machine.handle(answer(None), NOW);
    let obtained = done(&mut machine);
    assert!(obtained.delta.id_token.is_none());
    session.apply(&obtained.delta);
    assert!(session.access_tokens().contains_key(&narrowed));
    assert!(!session.access_tokens().contains_key(&api()));
}

#[test]
fn c76_t21_t22_f12_a_refreshed_id_token_continues_the_session_or_nothing_is_believed() {
    let now = NOW.as_secs();
    for (name, claims, reason) in [
        (
            "t21 refresh-token-invalid-issuer",
            claims_with("iss", json!(format!("{ISSUER}1"))),
            "another issuer",
        ),
        (
            "t22 refresh-token-invalid-sub",
            claims_with("sub", json!("alice1")),
            "`sub`",
        ),
        (
            "aud",
            claims_with("aud", json!("other")),
            "another audience",
        ),
        ("azp appears", claims_with("azp", json!("app-id")), "`azp`"),
        ("nonce", claims_with("nonce", json!("another")), "`nonce`"),
        (
            "iat goes back",
            claims_with("iat", json!(now - 61)),
            "`iat`",
        ),
        ("expired", claims_with("exp", json!(now - 61)), "expired"),
        ("at_hash", claims_with("at_hash", json!("AAAA")), "at_hash"),
    ] {
        let obtained = refreshed(answer(Some(id_token(&claims))));
        let error = obtained.token.as_ref().unwrap_err();
        assert!(matches!(error, Error::Token(_)), "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
        assert_eq!(
            refresh_token_in(&obtained),
            Some("second-refresh-token"),
            "{name}"
        );
        assert!(obtained.delta.id_token.is_none(), "{name}");
        assert!(obtained.delta.access_token.is_none(), "{name}");

        let mut session = session();
        let before = session.clone();
        session.apply(&obtained.delta);
        assert_eq!(
            session.refresh_token().unwrap().expose(),
            "second-refresh-token"
        );
        assert_eq!(session.claims(), before.claims());
        assert_eq!(session.id_token(), before.id_token());
        assert_eq!(session.access_tokens(), before.access_tokens());
    }
    for claims in [
        claims(),
        claims_with("iat", json!(now - 60)),
        claims_with("nonce", json!("the-nonce")),
        claims_with("email", json!("new@example.com")),
    ] {
        let obtained = refreshed(answer(Some(id_token(&claims))));
        assert!(
            obtained.token.is_ok() && obtained.delta.id_token.is_some(),
            "{claims}"
        );
    }
    let without_nonce = claims_without("nonce");
    assert!(
        refreshed(answer(Some(id_token(&without_nonce))))
            .token
            .is_ok()
    );
}

#[test]
fn f12_an_id_token_that_is_none_is_refused_and_the_refresh_token_kept() {
    let good = id_token(&claims());
    for bad in ["x", "a.b.c", &good[..good.len() - 1], &format!("{good}.x")] {
        let obtained = refreshed(answer(Some(bad.to_owned())));
        assert!(matches!(obtained.token, Err(Error::Token(_))), "{bad}");
        assert_eq!(refresh_token_in(&obtained), Some("second-refresh-token"));
    }
}

#[test]
fn f12_a_worthless_access_token_does_not_cost_the_refresh_token() {
    let body = json!({
        "access_token": "a",
        "token_type": "DPoP",
        "refresh_token": "second-refresh-token",
        "id_token": id_token(&claims()),
    });
    let obtained = refreshed(json_response(200, &body));
    assert!(matches!(obtained.token, Err(Error::Response(_))));
    assert_eq!(refresh_token_in(&obtained), Some("second-refresh-token"));
    assert!(obtained.delta.access_token.is_none());
}

#[test]
fn f6_f12_the_rotation_can_be_stored_before_the_keys_are_asked_for() {
    let new = SigningKey::rs256();
    let start = || {
        let mut machine = obtain(&session(), &api(), keys());
        sent(&mut machine);
        machine.handle(answer(Some(new.sign(&claims()))), NOW);
        assert_eq!(sent(&mut machine).uri().path(), "/oidc/jwks");
        let rotated = machine.rotated().unwrap();
        assert_eq!(
            rotated.refresh_token.as_ref().unwrap().expose(),
            "second-refresh-token"
        );
        assert!(rotated.access_token.is_none() && rotated.id_token.is_none());
        machine
    };
    let mut machine = start();
    machine.handle(jwks_response(&[new]), NOW);
    let obtained = done(&mut machine);
    assert!(obtained.token.is_ok() && obtained.delta.access_token.is_some());
    assert_eq!(obtained.keys.as_ref().unwrap().len(), 1);
    assert_eq!(refresh_token_in(&obtained), Some("second-refresh-token"));

    for (keys, code) in [
        (jwks_response(&[SigningKey::es384()]), "invalid_token"),
        (response(503, "text/html", ""), "temporarily_unavailable"),
        (response(200, "application/json", "{}"), "invalid_response"),
    ] {
        let mut machine = start();
        machine.handle(keys, NOW);
        let obtained = done(&mut machine);
        assert_eq!(obtained.token.as_ref().unwrap_err().code(), code);
        assert_eq!(refresh_token_in(&obtained), Some("second-refresh-token"));
        assert!(obtained.delta.access_token.is_none());
    }
}

#[test]
fn f32_a_refresh_token_that_stays_is_not_in_the_delta() {
    for unchanged in [json!("first-refresh-token"), json!(""), json!(null)] {
        let body = json!({
            "access_token": "a", "token_type": "Bearer", "refresh_token": unchanged,
        });
        let obtained = refreshed(json_response(200, &body));
        assert_eq!(refresh_token_in(&obtained), None);

        // Stored after another request has rotated it, it must not bring the old one back.
        let mut session = session();
        session.apply(&refreshed(answer(None)).delta);
        session.apply(&obtained.delta);
        assert_eq!(
            session.refresh_token().unwrap().expose(),
            "second-refresh-token"
        );
    }
}

#[test]
fn f13_f14_f16_a_refusal_changes_nothing() {
    for (response, code, advice) in [
        (
            json_response(400, &json!({"error": "invalid_grant"})),
            "invalid_grant",
            Advice::SignInAgain,
        ),
        (
            json_response(403, &json!({"error": "access_denied"})),
            "access_denied",
            Advice::Refused,
        ),
        (
            json_response(401, &json!({"error": "invalid_client"})),
            "invalid_client",
            Advice::FixConfiguration,
        ),
        (
            response(503, "text/html", "<html>"),
            "temporarily_unavailable",
            Advice::Retry { after: None },
        ),
        (
            response(200, "text/html", "<html>"),
            "temporarily_unavailable",
            Advice::Retry { after: None },
        ),
        (
            response(307, "text/html", ""),
            "invalid_response",
            Advice::Retry { after: None },
        ),
    ] {
        let obtained = refreshed(response);
        let error = obtained.token.as_ref().unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.advice(), advice);
        assert!(obtained.delta.is_empty());
    }
}

#[test]
fn f14_what_the_server_would_refuse_is_not_sent() {
    let other = TokenTarget::resource("https://other.example.com");
    let new = |target: &TokenTarget| {
        ObtainToken::new(&config(), &metadata(), &session(), target, keys(), NOW).map(|_| ())
    };
    let refused = UsageError::ResourceNotRequested("https://other.example.com".into());
    assert_eq!(new(&other), Err(refused.clone()));
    assert_eq!(
        ObtainToken::anew(&config(), &metadata(), &session(), &other, keys(), NOW).map(|_| ()),
        Err(refused)
    );
    assert_eq!(
        new(&api().with_scopes(["delete:orders"])),
        Err(UsageError::ScopeNotGranted("delete:orders".into()))
    );
}

#[test]
fn polling_repeats_the_request_and_ends_once() {
    let mut machine = obtain(&session(), &api(), provider_keys(None));
    assert_eq!(sent(&mut machine).body(), sent(&mut machine).body());
    machine.handle(answer(Some(id_token(&claims()))), NOW);
    assert_eq!(sent(&mut machine).uri(), sent(&mut machine).uri());
    machine.handle(jwks_response(&[SigningKey::es384()]), NOW);
    assert!(done(&mut machine).token.is_ok());
    for _ in 0..3 {
        let after = done(&mut machine);
        assert_eq!(after.token.unwrap_err(), UsageError::AlreadyDone.into());
        assert!(after.delta.is_empty());
        machine.handle(answer(None), NOW);
    }
}

/// The session of the recorded sign-in.
fn recorded_session(config: &LogtoConfig, metadata: &ProviderMetadata) -> Session {
    let recording = Recording::load(6);
    let mut record = pending_record(config);
    record["nonce"] = json!("Q1rSyedAWtL-IMwx0D7kOw");
    record["scopes"] = json!(["openid", "read:products", "read:shipments"]);
    record["resources"] = json!([
        "https://shopping.your-app.com/api",
        "urn:logto:resource:organizations",
    ]);
    let resumed = resumed(record, config, metadata, "c");
    let mut machine = CompleteSignIn::new(config, metadata, resumed, provider_keys(None));
    sent(&mut machine);
    machine.handle(recording.response, NOW);
    sent(&mut machine);
    machine.handle(Recording::load(2).response, NOW);
    done(&mut machine).unwrap().session
}

#[test]
fn t20_the_recorded_refreshes_are_replayed_on_the_recorded_session() {
    let config = provider::recorded_builder().build().unwrap();
    let metadata = recorded_metadata();
    let shopping = || TokenTarget::resource("https://shopping.your-app.com/api");
    let template = || TokenTarget::resource("urn:logto:resource:organizations");
    let mut session = recorded_session(&config, &metadata);
    for (number, target) in [
        (13, TokenTarget::user_info()),
        (14, shopping()),
        (15, shopping().with_scopes(["read:products"])),
        (16, TokenTarget::organization("8z8fuwxwnifo")),
        (
            17,
            TokenTarget::organization("8z8fuwxwnifo").with_scopes(["read:shipments"]),
        ),
        (18, shopping().in_organization("8z8fuwxwnifo")),
        (19, template()),
        (20, template().in_organization("8z8fuwxwnifo")),
        (22, TokenTarget::organization("nsa935aaxlak")),
    ] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let keys = provider_keys(None);
        let mut machine =
            ObtainToken::anew(&config, &metadata, &session, &target, keys, NOW).unwrap();
        assert_eq!(
            provider::form(&sent(&mut machine)),
            provider::form(&recording.request),
            "{number}"
        );
        machine.handle(recording.response, NOW);
        if answer["id_token"].is_string() {
            assert_eq!(sent(&mut machine).uri().path(), "/oidc/jwks", "{number}");
            machine.handle(Recording::load(2).response, NOW);
        }
        let obtained = done(&mut machine);
        let token = obtained.token.unwrap();
        assert_eq!(Some(token.token.expose()), answer["access_token"].as_str());
        assert!(obtained.delta.refresh_token.is_none(), "Logto kept it");
        session.apply(&obtained.delta);
        assert!(session.usable_token(&config, &target, NOW).is_some());
    }
    assert_eq!(session.access_tokens().len(), 9);
    assert_eq!(
        session.refresh_token().unwrap().expose(),
        "4iZh2nzm7ul2gUqLsvOLfPEBtGFGbaVO80XGa9yAxOL"
    );
}

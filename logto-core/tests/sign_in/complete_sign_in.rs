//! Completing a sign-in, with the state machine driven by hand.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, LogtoConfig, Machine, SignIn, TokenTarget, UnixTime,
    error::{Advice, Endpoint, NoResponse, TokenError},
    jwt::Algorithm,
    sign_in::{Callback, CompleteSignIn, IncompleteSignIn, ProviderKeys, Remedy, SignedIn},
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::support::{
    self, SigningKey,
    provider::{
        self, ISSUER, NOW, config, done, json_response, metadata, pause, pending_record, random,
        recorded_metadata, response, resumed, sent,
    },
    signing::{claims, claims_with, claims_without, jwks_response, keys, provider_keys},
};

fn tokens(id_token: &str) -> Response<Bytes> {
    json_response(
        200,
        &json!({
            "access_token": "the-access-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "openid profile",
            "refresh_token": "the-refresh-token",
            "id_token": id_token,
        }),
    )
}

fn machine_for(record: Value, config: &LogtoConfig, keys: ProviderKeys) -> CompleteSignIn {
    let resumed = resumed(record, config, &metadata(), "the-code");
    CompleteSignIn::new(config, &metadata(), resumed, keys)
}

fn machine(keys: ProviderKeys) -> CompleteSignIn {
    machine_for(pending_record(&config()), &config(), keys)
}

/// How the sign-in ends when the provider sends this ID token.
fn complete(id_token: &str) -> Result<SignedIn, IncompleteSignIn> {
    let mut machine = machine(keys());
    sent(&mut machine);
    machine.handle(tokens(id_token), NOW);
    done(&mut machine)
}

#[test]
fn t1_a_whole_sign_in_reads_in_fifteen_lines() {
    let (config, metadata) = (config(), metadata());
    let (url, pending) = SignIn::new()
        .return_to("/orders")
        .start(&config, &metadata, &random(), NOW)
        .unwrap();
    let sent_parameters = provider::parameters(url.query().unwrap().as_bytes());

    let query = format!(
        "code=the-code&state={}&iss=https%3A%2F%2Ftenant.logto.app%2Foidc",
        sent_parameters["state"]
    );
    let callback = Callback::from_query(&query).unwrap();
    let resumed = pending.resume(callback, &config, &metadata, NOW).unwrap();

    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, provider_keys(None));
    assert_eq!(
        sent(&mut machine).uri(),
        "https://tenant.logto.app/oidc/token"
    );
    let nonce = json!(sent_parameters["nonce"]);
    let id_token = SigningKey::es384().sign(&claims_with("nonce", nonce));
    machine.handle(tokens(&id_token), NOW);
    assert_eq!(
        sent(&mut machine).uri(),
        "https://tenant.logto.app/oidc/jwks"
    );
    machine.handle(jwks_response(&[SigningKey::es384()]), NOW);

    let signed_in = done(&mut machine).unwrap();
    assert_eq!(signed_in.session.claims().sub, "alice");
    assert_eq!(signed_in.return_to.as_str(), "/orders");
}

#[test]
fn t1_t8_a_real_sign_in_is_replayed_from_end_to_end() {
    let config = provider::recorded_builder().build().unwrap();
    let recording = Recording::load(6);
    let form = provider::form(&recording.request);
    let mut record = pending_record(&config);
    record["nonce"] = json!("Q1rSyedAWtL-IMwx0D7kOw");
    record["code_verifier"] = json!(form["code_verifier"]);
    let resumed = resumed(record, &config, &recorded_metadata(), &form["code"]);

    let mut machine =
        CompleteSignIn::new(&config, &recorded_metadata(), resumed, provider_keys(None));
    let request = sent(&mut machine);
    assert_eq!(provider::form(&request), form);
    let answer = recording.json();
    machine.handle(recording.response, NOW);
    let jwks = Recording::load(2);
    assert_eq!(sent(&mut machine).uri(), jwks.request.uri());
    machine.handle(jwks.response, NOW);

    let session = done(&mut machine).unwrap().session;
    assert_eq!(session.claims().sub, "dknhv6vsaxt5");
    assert_eq!(session.claims().user.username.as_deref(), Some("alice"));
    assert_eq!(
        session.id_token().map(|token| token.expose()),
        answer["id_token"].as_str()
    );
    assert_eq!(
        session.refresh_token().map(|token| token.expose()),
        answer["refresh_token"].as_str()
    );
    let token = &session.access_tokens()[&TokenTarget::user_info()];
    assert_eq!(Some(token.token.expose()), answer["access_token"].as_str());
    assert_eq!(token.remaining(NOW), Duration::from_secs(3600));
    let granted: Vec<&str> = session
        .granted_scopes()
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(
        granted,
        [
            "email",
            "offline_access",
            "openid",
            "profile",
            "roles",
            "urn:logto:scope:organization_roles",
            "urn:logto:scope:organizations",
        ]
    );
    assert!(session.has_offline_access());
}

/// While the user is at Logto, the application may move, and what was stored may be anybody's.
#[test]
fn c17_where_to_go_is_judged_again_by_the_configuration_at_the_callback() {
    let moved = provider::builder().base_url("https://shop.example.com/new");
    let moved = moved.build().unwrap();
    for (stored, base, arrived) in [
        ("/old/orders", &moved, "/new"),
        ("/new/orders?page=2", &moved, "/new/orders?page=2"),
        ("/old/orders", &config(), "/old/orders"),
    ] {
        let mut record = pending_record(&config());
        record["return_to"] = json!(stored);
        let mut machine = machine_for(record, base, keys());
        sent(&mut machine);
        machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
        let signed_in = done(&mut machine).unwrap();
        assert_eq!(signed_in.return_to.as_str(), arrived, "{stored}");
    }
}

#[test]
fn the_session_is_made_of_the_request_and_the_answer() {
    let mut record = pending_record(&config());
    record["scopes"] = json!(["openid", "offline_access", "profile", "read:orders"]);
    record["resources"] = json!(["https://api.example.com"]);
    record["return_to"] = json!("/orders?page=2");
    record["sign_in"]["a"] = json!({"cart": 17});
    let mut machine = machine_for(record, &config(), keys());
    sent(&mut machine);
    machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
    let signed_in = done(&mut machine).unwrap();

    assert_eq!(signed_in.return_to.as_str(), "/orders?page=2");
    assert_eq!(signed_in.app_state, Some(json!({"cart": 17})));
    assert!(signed_in.keys.is_none(), "nothing was fetched");
    let session = signed_in.session;
    assert_eq!(session.id().as_bytes(), &[7; 16]);
    assert_eq!((session.created_at(), session.changed_at()), (NOW, NOW));
    assert!(!session.has_offline_access(), "asked for, not granted");
    let missing: Vec<&str> = session.missing_scopes().into_iter().collect();
    assert_eq!(missing, ["offline_access", "read:orders"]);
    assert_eq!(session.requested_resources().len(), 1);
    assert_eq!(session.access_tokens().len(), 1);
}

#[test]
fn without_a_refresh_token_the_session_is_good_all_the_same() {
    let mut machine = machine(keys());
    sent(&mut machine);
    let body = json!({
        "access_token": "a",
        "token_type": "Bearer",
        "id_token": SigningKey::es384().sign(&claims()),
    });
    machine.handle(json_response(200, &body), NOW);
    let session = done(&mut machine).unwrap().session;
    assert_eq!(session.refresh_token(), None);
}

#[test]
fn c71_no_token_is_to_be_had_before_the_id_token_has_passed() {
    use TokenError as E;
    let key = SigningKey::es384();
    let good = key.sign(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let poisoned: Vec<u8> = support::from_base64url(signature)
        .iter()
        .map(|byte| byte ^ 0x5A)
        .collect();
    let bad_signature = format!("{signed}.{}", support::base64url(poisoned));
    let now = NOW.as_secs();
    let unsigned = |header: Value| {
        let header = support::base64url(header.to_string());
        let payload = support::base64url(claims().to_string());
        format!("{header}.{payload}.")
    };
    let none = |algorithm: &str| E::UnsupportedAlgorithm {
        algorithm: algorithm.to_owned(),
    };
    let table: [(&str, String, E); 22] = [
        (
            "t2 invalid-iss",
            key.sign(&claims_with("iss", json!(format!("{ISSUER}1")))),
            E::Issuer,
        ),
        (
            "fapi missing-iss",
            key.sign(&claims_without("iss")),
            E::MissingClaim("iss"),
        ),
        (
            "t3 missing-sub",
            key.sign(&claims_without("sub")),
            E::MissingClaim("sub"),
        ),
        (
            "t4 invalid-aud",
            key.sign(&claims_with("aud", json!("app-id1"))),
            E::Audience,
        ),
        (
            "t23 missing-aud",
            key.sign(&claims_without("aud")),
            E::MissingClaim("aud"),
        ),
        (
            "fapi invalid-secondary-aud",
            key.sign(&claims_with("aud", json!(["app-id", "other"]))),
            E::AuthorizedParty,
        ),
        (
            "t5 missing-iat",
            key.sign(&claims_without("iat")),
            E::MissingClaim("iat"),
        ),
        (
            "fapi missing-exp",
            key.sign(&claims_without("exp")),
            E::MissingClaim("exp"),
        ),
        (
            "fapi invalid-expired-exp",
            key.sign(&claims_with("exp", json!(now - 300))),
            E::Expired {
                exp: UnixTime::from_secs(now - 300),
                now: NOW,
            },
        ),
        (
            "c67 issued in the future",
            key.sign(&claims_with("iat", json!(now + 300))),
            E::IssuedInFuture {
                iat: UnixTime::from_secs(now + 300),
                now: NOW,
            },
        ),
        (
            "c67 not yet valid",
            key.sign(&claims_with("nbf", json!(now + 300))),
            E::NotYetValid {
                nbf: UnixTime::from_secs(now + 300),
                now: NOW,
            },
        ),
        (
            "t9 idtoken-sig-none",
            unsigned(json!({"alg": "none"})),
            none("none"),
        ),
        (
            "fapi invalid-null-alg",
            unsigned(json!({"alg": null})),
            E::Malformed {
                part: "header",
                what: "has an `alg` that is not a string",
            },
        ),
        (
            "t25 invalid-sig-hs256",
            format!("{}c2ln", unsigned(json!({"alg": "HS256"}))),
            none("HS256"),
        ),
        ("t10 invalid-sig", bad_signature, E::BadSignature),
        (
            "t12 nonce-invalid",
            key.sign(&claims_with("nonce", json!("the-nonce1"))),
            E::Nonce,
        ),
        (
            "fapi missing-nonce",
            key.sign(&claims_without("nonce")),
            E::MissingClaim("nonce"),
        ),
        (
            "c66 azp",
            key.sign(&claims_with("azp", json!("other"))),
            E::AuthorizedParty,
        ),
        (
            "c73 at_hash",
            key.sign(&claims_with("at_hash", json!("AAAA"))),
            E::AtHash,
        ),
        (
            "c74 an access token",
            key.sign_with_header(
                &json!({"alg": "ES384", "kid": "es384", "typ": "at+jwt"}),
                &claims(),
            ),
            E::WrongType {
                expected: "an ID token",
            },
        ),
        (
            "c64 crit",
            key.sign_with_header(
                &json!({"alg": "ES384", "kid": "es384", "crit": ["b64"]}),
                &claims(),
            ),
            E::Extension("crit"),
        ),
        (
            "c62 the wrong algorithm for the key",
            key.sign_with_header(&json!({"alg": "RS256", "kid": "es384"}), &claims()),
            E::KeyMismatch("RS256"),
        ),
    ];
    for (name, id_token, expected) in table {
        let error = complete(&id_token).unwrap_err().error;
        assert_eq!(error, Error::Token(expected), "{name}");
        assert_eq!(error.advice(), Advice::Refused, "{name}");
        assert_eq!(error.code(), "invalid_token");
    }
    assert!(complete(&good).is_ok());
}

#[test]
fn c66_fapi_valid_aud_as_array_and_trusted_audiences() {
    let key = SigningKey::es384();
    let in_array = key.sign(&claims_with("aud", json!(["app-id"])));
    assert!(complete(&in_array).is_ok());

    let trusting = provider::builder()
        .trusted_audiences(["other"])
        .build()
        .unwrap();
    let mut two = claims_with("aud", json!(["app-id", "other"]));
    two["azp"] = json!("app-id");
    for (config, accepted) in [(config(), false), (trusting, true)] {
        let mut machine = machine_for(pending_record(&config), &config, keys());
        sent(&mut machine);
        machine.handle(tokens(&key.sign(&two)), NOW);
        assert_eq!(done(&mut machine).is_ok(), accepted);
    }
}

#[test]
fn c72_v39_max_age_and_acr_values_are_remembered_until_the_callback() {
    let now = NOW.as_secs();
    let complete = |member: &str, asked: Value, claims: &Value| {
        let mut record = pending_record(&config());
        record["sign_in"][member] = asked;
        let mut machine = machine_for(record, &config(), keys());
        sent(&mut machine);
        machine.handle(tokens(&SigningKey::es384().sign(claims)), NOW);
        done(&mut machine).map(|_| ())
    };
    let minute = json!(60);
    for (claims, accepted) in [
        (claims_with("auth_time", json!(now)), true),
        (claims_with("auth_time", json!(now - 120)), true), // within the clock skew
        (claims_with("auth_time", json!(now - 121)), false),
        (claims(), false),
    ] {
        let result = complete("m", minute.clone(), &claims);
        assert_eq!(result.is_ok(), accepted, "{claims}: {result:?}");
    }
    for (claims, accepted) in [
        (claims_with("acr", json!("urn:mfa")), true),
        (claims_with("acr", json!("urn:pwd")), false),
        (claims(), false),
    ] {
        let result = complete("c", json!(["urn:mfa"]), &claims);
        assert_eq!(result.is_ok(), accepted, "{claims}: {result:?}");
    }
}

#[test]
fn t18_t19_f5_an_unknown_key_is_looked_for_as_long_as_a_set_that_cannot_be_fetched() {
    let old = SigningKey::es384();
    let new = SigningKey::rs256();
    let start = || {
        let mut machine = machine(keys());
        sent(&mut machine);
        machine.handle(tokens(&new.sign(&claims())), NOW);
        assert_eq!(sent(&mut machine).uri().path(), "/oidc/jwks");
        machine
    };
    let mut rotated = start();
    rotated.handle(jwks_response(&[new, old]), NOW);
    let signed_in = done(&mut rotated).unwrap();
    let fetched = signed_in.keys.unwrap();
    assert_eq!(fetched.kids().collect::<Vec<_>>(), ["es384", "rs256"]);

    // A cache in front of the provider may be behind, but not for ever.
    for still_unknown in [&[old][..], &[]] {
        let mut machine = start();
        for milliseconds in [250, 1_000, 2_000, 4_000, 8_000] {
            machine.handle(jwks_response(still_unknown), NOW);
            assert_eq!(pause(&mut machine), Duration::from_millis(milliseconds));
            assert_eq!(sent(&mut machine).uri().path(), "/oidc/jwks");
        }
        machine.handle(jwks_response(still_unknown), NOW);
        let incomplete = done(&mut machine).unwrap_err();
        assert_eq!(incomplete.remedy, Remedy::NewSignIn);
        let Error::Token(error) = incomplete.error else {
            panic!("{incomplete}");
        };
        assert!(error.is_key_not_found(), "{error}");
    }
}

#[test]
fn t6_t7_a_token_without_kid_needs_exactly_one_fitting_key() {
    let key = SigningKey::es384();
    let other = SigningKey::generate(Algorithm::Es384, "other");
    let without_kid = key.sign_with_header(&json!({"alg": "ES384"}), &claims());
    for (published, accepted) in [
        (vec![key], true),
        (vec![key, SigningKey::rs256()], true),
        (vec![key, &other], false),
    ] {
        let mut machine = machine(provider_keys(None));
        sent(&mut machine);
        machine.handle(tokens(&without_kid), NOW);
        sent(&mut machine);
        machine.handle(jwks_response(&published), NOW);
        assert_eq!(done(&mut machine).is_ok(), accepted, "{}", published.len());
    }
}

#[test]
fn f5_c71_without_keys_the_sign_in_fails_and_gives_nothing_away() {
    for (answer, code) in [
        (
            response(503, "text/html", "<html>"),
            "temporarily_unavailable",
        ),
        (
            response(429, "application/json", "{}"),
            "temporarily_unavailable",
        ),
        (
            response(200, "text/html", "<html>"),
            "temporarily_unavailable",
        ),
        (response(302, "text/html", ""), "invalid_response"),
        (response(200, "application/json", "[]"), "invalid_response"),
        (
            response(200, "application/json", r#"{"keys":{}}"#),
            "invalid_response",
        ),
    ] {
        let mut machine = machine(provider_keys(None));
        sent(&mut machine);
        machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
        for attempt in 0..6 {
            if attempt > 0 {
                pause(&mut machine);
            }
            sent(&mut machine);
            machine.handle(answer.clone(), NOW);
        }
        let incomplete = done(&mut machine).unwrap_err();
        assert_eq!(incomplete.error.code(), code);
        assert_eq!(incomplete.remedy, Remedy::NewSignIn, "the code is spent");
        assert!(matches!(incomplete.error.advice(), Advice::Retry { .. }));
        let over = done(&mut machine).unwrap_err();
        assert_eq!(over.error.code(), "already_done");
    }
}

fn millis(machine: &mut CompleteSignIn) -> u128 {
    pause(machine).as_millis()
}

#[test]
fn f8_a_request_that_spent_nothing_is_sent_again_and_then_the_callback_stays_good() {
    // A 429, or no response.
    let fail = |machine: &mut CompleteSignIn, failure: Option<NoResponse>| match failure {
        Some(failure) => machine.handle_failure(failure, NOW),
        None => machine.handle(response(429, "text/html", "slow down"), NOW),
    };
    let not_sent = Error::NoResponse {
        endpoint: Endpoint::Token,
        failure: NoResponse::NotSent,
    };
    let failures = [
        (Some(NoResponse::NotSent), not_sent),
        (None, exhausted_by_429()),
    ];
    for (failure, expected) in failures {
        for until in 0..3 {
            let mut machine = machine(keys());
            let first = sent(&mut machine);
            for _ in 0..=until {
                fail(&mut machine, failure);
                pause(&mut machine);
                assert_eq!(sent(&mut machine).body(), first.body());
            }
            machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
            assert!(done(&mut machine).is_ok(), "{expected} {until}");
        }
        let mut machine = machine(keys());
        for expected in [250, 1_000, 2_000] {
            sent(&mut machine);
            fail(&mut machine, failure);
            assert_eq!(millis(&mut machine), expected);
        }
        sent(&mut machine);
        fail(&mut machine, failure);
        let incomplete = done(&mut machine).unwrap_err();
        assert_eq!(incomplete.remedy, Remedy::SameCallback);
        assert_eq!(incomplete.error, expected);
    }
}

fn exhausted_by_429() -> Error {
    let mut machine = machine(keys());
    sent(&mut machine);
    machine.handle(busy_for("30"), NOW);
    let incomplete = done(&mut machine).unwrap_err();
    assert_eq!(incomplete.remedy, Remedy::SameCallback);
    assert_eq!(
        incomplete.error.advice(),
        Advice::Retry {
            after: Some(Duration::from_secs(30))
        },
        "nobody waits for that"
    );
    let mut error = incomplete.error;
    if let Error::Unavailable(unavailable) = &mut error {
        unavailable.retry_after = None;
    }
    error
}

fn busy_for(seconds: &str) -> Response<Bytes> {
    let mut busy = response(429, "text/html", "slow down");
    busy.headers_mut()
        .insert("retry-after", seconds.parse().unwrap());
    busy
}

#[test]
fn f8_a_429_that_says_how_long_is_obeyed() {
    let mut machine = machine(keys());
    sent(&mut machine);
    machine.handle(busy_for("2"), NOW);
    assert_eq!(millis(&mut machine), 2_000);
    sent(&mut machine);
}

#[test]
fn f5_a_key_set_that_comes_late_completes_the_sign_in_from_the_response_that_is_held() {
    let mut machine = machine(provider_keys(None));
    sent(&mut machine);
    machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
    for (failure, expected) in [
        (Some(NoResponse::NotSent), 250),
        (None, 1_000),
        (Some(NoResponse::Lost), 2_000),
        (None, 4_000),
        (None, 8_000),
    ] {
        assert_eq!(sent(&mut machine).uri().path(), "/oidc/jwks");
        match failure {
            Some(failure) => machine.handle_failure(failure, NOW),
            None => machine.handle(response(502, "text/html", "<html>"), NOW),
        }
        assert_eq!(millis(&mut machine), expected);
    }
    sent(&mut machine);
    machine.handle(jwks_response(&[SigningKey::es384()]), NOW);
    assert!(done(&mut machine).is_ok());
}

#[test]
fn f8_what_may_have_spent_the_code_asks_for_a_new_sign_in_and_a_refusal_does_not() {
    let remedy = |status: u16, body: Value| {
        let mut machine = machine(keys());
        sent(&mut machine);
        machine.handle(json_response(status, &body), NOW);
        done(&mut machine).unwrap_err().remedy
    };
    for (status, error, expected) in [
        (400, "invalid_grant", Remedy::NewSignIn),
        (400, "server_error", Remedy::NewSignIn),
        (400, "temporarily_unavailable", Remedy::NewSignIn),
        (500, "server_error", Remedy::NewSignIn),
        (401, "invalid_client", Remedy::None),
        (400, "unauthorized_client", Remedy::None),
        (400, "invalid_request", Remedy::None),
        (403, "access_denied", Remedy::None),
    ] {
        assert_eq!(
            remedy(status, json!({ "error": error })),
            expected,
            "{error}"
        );
    }
    assert_eq!(remedy(200, json!({})), Remedy::NewSignIn, "half an answer");
}

#[test]
fn polling_repeats_the_request_and_ends_once() {
    let mut machine = machine(provider_keys(None));
    let first = sent(&mut machine);
    assert_eq!(sent(&mut machine).body(), first.body());
    machine.handle(tokens(&SigningKey::es384().sign(&claims())), NOW);
    assert_eq!(sent(&mut machine).uri(), sent(&mut machine).uri());
    machine.handle(jwks_response(&[SigningKey::es384()]), NOW);
    assert!(done(&mut machine).is_ok());
    for _ in 0..3 {
        let over = done(&mut machine).unwrap_err();
        assert_eq!(over.error.code(), "already_done");
        machine.handle(tokens("x"), NOW);
    }
}

#[test]
fn b10_b16_a_new_session_holds_nothing_of_an_old_one() {
    let sign_in = |subject: &str, random: u8, suffix: &str| {
        let (config, metadata) = (config(), metadata());
        let random = [random; 112];
        let (_, pending) = SignIn::new()
            .start(&config, &metadata, &random, NOW)
            .unwrap();
        let record = serde_json::to_value(&pending).unwrap();
        let mut machine = machine_for(record.clone(), &config, keys());
        sent(&mut machine);
        let mut claims = claims_with("sub", json!(subject));
        claims["nonce"] = record["nonce"].clone();
        let body = json!({
            "access_token": format!("access-{suffix}"),
            "token_type": "Bearer",
            "refresh_token": format!("refresh-{suffix}"),
            "id_token": SigningKey::es384().sign(&claims),
        });
        machine.handle(json_response(200, &body), NOW);
        done(&mut machine).unwrap().session
    };
    let alice = sign_in("alice", 1, "a");
    let bob = sign_in("bob", 2, "b");
    let alice_again = sign_in("alice", 3, "c");
    assert!(alice.id() != bob.id() && alice.id() != alice_again.id());
    for newer in [&bob, &alice_again] {
        assert_eq!(newer.access_tokens().len(), 1);
        let stored = serde_json::to_string(newer).unwrap();
        for old in ["access-a", "refresh-a", alice.id_token().unwrap().expose()] {
            assert!(!stored.contains(old), "{old}");
        }
    }
    assert_eq!(bob.claims().sub, "bob");
}

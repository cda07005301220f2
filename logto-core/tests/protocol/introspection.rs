//! Introspection of opaque tokens.

use std::time::Duration;

use http::StatusCode;
use logto_core::{
    Error, Exchange, LogtoConfig, Secret, UnixTime,
    api_token::{ApiTokenError, Caller},
    error::{Advice, Endpoint, OAuthErrorCode, TokenError, UsageError},
    introspection::{Introspect, Introspection, OpaqueTokenVerification},
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::support::provider::{self, NOW, config, form, json_response, metadata};

const RECORDED_ISSUER: &str = "http://localhost:3001/oidc";
const TRADITIONAL: &str = "q5z3x46nt51n2jydi4jkh";
const ISSUED: UnixTime = UnixTime::from_secs(1_795_335_863);
const EXPIRES: UnixTime = UnixTime::from_secs(1_795_339_463);

/// Asks what was recorded and reads the answer.
fn replay(number: u16, config: &LogtoConfig, token: &str) -> Result<Introspection, Error> {
    let recording = Recording::load(number);
    let exchange =
        Introspect::new(config, &provider::recorded_metadata(), Secret::from(token)).unwrap();
    let request = exchange.request();
    assert_eq!(request.uri(), recording.request.uri());
    assert_eq!(form(&request)["token"], form(&recording.request)["token"]);
    assert_eq!(
        provider::header(&request, "authorization"),
        provider::header(&recording.request, "authorization"),
    );
    exchange.accept(recording.response, NOW)
}

fn traditional() -> LogtoConfig {
    provider::recorded_builder().build().unwrap()
}

const OPAQUE: &str = "q3wBuvgfFLcS9fzKtevmWXeOvvjPAhb1A3T9oxllFld";

fn recorded() -> OpaqueTokenVerification {
    OpaqueTokenVerification::of_applications(RECORDED_ISSUER, [TRADITIONAL])
}

/// The answer that Logto gives to a question about a good token, as of [`config`].
fn answer() -> Value {
    json!({
        "active": true,
        "sub": "user-1",
        "client_id": "app-id",
        "exp": 2000,
        "iat": 1000,
        "iss": provider::ISSUER,
        "scope": "openid profile",
        "token_type": "Bearer",
    })
}

fn introspect(answer: &Value) -> Result<Introspection, Error> {
    Introspect::new(&config(), &metadata(), Secret::from("t"))
        .unwrap()
        .accept(json_response(200, answer), NOW)
}

fn ours() -> OpaqueTokenVerification {
    OpaqueTokenVerification::of_applications(provider::ISSUER, ["app-id"])
}

fn check(answer: &Value) -> Result<(), ApiTokenError> {
    let at = UnixTime::from_secs(1500);
    ours().check(&introspect(answer).unwrap(), at).map(|_| ())
}

fn with(member: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[member] = value;
    answer
}

fn without(member: &str) -> Value {
    let mut answer = answer();
    answer.as_object_mut().unwrap().remove(member);
    answer
}

#[test]
fn r40_recorded_opaque_token() {
    let m2m = provider::recorded_app("3irckhsefd89w9crzy1we")
        .app_secret("QzRE0Fyrf6eiqwd2BDyTVpGMx169iduU")
        .build()
        .unwrap();
    for (number, config) in [(72, traditional()), (75, m2m)] {
        let introspection = replay(number, &config, OPAQUE).unwrap();
        assert!(introspection.active);
        let claims = recorded().check(&introspection, ISSUED).unwrap();
        assert_eq!(claims.caller(), Caller::User("dknhv6vsaxt5"));
        assert_eq!(claims.client_id, TRADITIONAL);
        assert_eq!((claims.iat, claims.exp), (ISSUED, EXPIRES));
        assert!(claims.scopes.contains("profile") && claims.scopes.contains("email"));
        assert!(claims.aud.is_empty() && claims.jti.is_none());
        assert_eq!(claims.extra.keys().collect::<Vec<_>>(), ["token_type"]);
    }
}

#[test]
fn r40_recorded_refresh_token_is_active_but_no_bearer_token() {
    let token = "1ARUEFBqtk3yRBNnvFypI5bleQz_cvOQc548vppfNXl";
    let introspection = replay(73, &traditional(), token).unwrap();
    assert!(introspection.active);
    let error = recorded().check(&introspection, ISSUED).unwrap_err();
    let expected = TokenError::WrongType {
        expected: "an access token",
    };
    assert_eq!(error, expected.into());
}

#[test]
fn r40_recorded_nonsense_and_revoked_tokens_are_inactive() {
    let revoked = "etC7aHalhXEdAC5VrNsDOVEUJO5DYv9XdRl9HzpLg1n";
    for (number, token) in [(76, "nonsense"), (83, revoked)] {
        let introspection = replay(number, &traditional(), token).unwrap();
        assert!(!introspection.active);
        let error = recorded().check(&introspection, ISSUED).unwrap_err();
        assert_eq!(error, TokenError::Inactive.into());
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED);
    }
}

#[test]
fn r40_recorded_refusals_say_nothing_about_the_token() {
    let jwt = form(&Recording::load(74).request)["token"].clone();
    let error = replay(74, &traditional(), &jwt).unwrap_err();
    assert_eq!(
        error.server().unwrap().error,
        OAuthErrorCode::UnsupportedTokenType
    );
    let wrong = provider::recorded_app(TRADITIONAL)
        .app_secret("bad")
        .build()
        .unwrap();
    let error = replay(77, &wrong, OPAQUE).unwrap_err();
    assert_eq!(error.server().unwrap().error, OAuthErrorCode::InvalidClient);
    assert_eq!(error.server().unwrap().endpoint, Endpoint::Introspection);
    assert_eq!(error.advice(), Advice::FixConfiguration);
}

#[test]
fn r40_active_is_a_boolean_and_nothing_else() {
    for active in [
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
        json!({}),
    ] {
        let error = introspect(&with("active", active.clone())).unwrap_err();
        assert!(matches!(error, Error::Response(_)), "{active}: {error}");
    }
    assert!(matches!(
        introspect(&without("active")),
        Err(Error::Response(_))
    ));
    assert!(!introspect(&with("active", json!(false))).unwrap().active);
    assert_eq!(
        check(&with("active", json!(false))),
        Err(TokenError::Inactive.into())
    );
}

#[test]
fn r40_an_answer_that_is_not_one_fails_closed() {
    let accept = |response| {
        Introspect::new(&config(), &metadata(), Secret::from("t"))
            .unwrap()
            .accept(response, NOW)
            .unwrap_err()
    };
    for status in [500, 502, 503, 429] {
        let error = accept(json_response(status, &answer()));
        assert!(matches!(error, Error::Unavailable(_)), "{status}: {error}");
    }
    let html = accept(provider::response(200, "text/html", "<html>"));
    assert!(matches!(html, Error::Unavailable(_)));
    for body in [
        "[]",
        "",
        "{\"active\":true",
        r#"{"active":true,"active":true}"#,
    ] {
        let error = accept(provider::response(200, "application/json", body));
        assert!(matches!(error, Error::Response(_)), "{body}: {error}");
    }
}

#[test]
fn r40_every_claim_is_checked_although_the_provider_said_active() {
    assert_eq!(check(&answer()), Ok(()));
    let now = UnixTime::from_secs(1500);
    let date = |seconds| UnixTime::from_secs(seconds);
    let table: [(Value, TokenError); 13] = [
        (
            with("exp", json!(1440)),
            TokenError::Expired {
                exp: date(1440),
                now,
            },
        ),
        (
            with("nbf", json!(1561)),
            TokenError::NotYetValid {
                nbf: date(1561),
                now,
            },
        ),
        (
            with("iat", json!(1561)),
            TokenError::IssuedInFuture {
                iat: date(1561),
                now,
            },
        ),
        (
            with("iss", json!("https://evil.example")),
            TokenError::Issuer,
        ),
        (with("client_id", json!("other-app")), TokenError::Audience),
        (
            with("exp", json!("2000")),
            TokenError::BadClaim {
                claim: "exp",
                expected: "a number of seconds since 1970",
            },
        ),
        (
            with("sub", json!("")),
            TokenError::BadClaim {
                claim: "sub",
                expected: "a string of 1 to 255 characters",
            },
        ),
        (
            with("scope", json!(["openid"])),
            TokenError::BadClaim {
                claim: "scope",
                expected: "a string",
            },
        ),
        (
            with("aud", json!(7)),
            TokenError::BadClaim {
                claim: "aud",
                expected: "a string or an array of strings",
            },
        ),
        (without("exp"), TokenError::MissingClaim("exp")),
        (without("iat"), TokenError::MissingClaim("iat")),
        (without("iss"), TokenError::MissingClaim("iss")),
        (without("client_id"), TokenError::MissingClaim("client_id")),
    ];
    for (answer, expected) in table {
        assert_eq!(check(&answer), Err(expected.into()), "{answer}");
    }
    for token_type in [json!("N_A"), json!("DPoP"), json!(null)] {
        assert!(matches!(
            check(&with("token_type", token_type)),
            Err(ApiTokenError::Token(TokenError::WrongType { .. }))
        ));
    }
    assert_eq!(check(&with("token_type", json!("bearer"))), Ok(()));
}

/// RFC 7662 section 2.2 makes all members but `active` optional, and `null` is how many serializers write
/// an optional member that they have not.
#[test]
fn null_members_are_absent() {
    for member in ["aud", "nbf", "jti", "act", "username", "cnf", "sub"] {
        assert_eq!(check(&with(member, Value::Null)), Ok(()), "{member}");
        assert_eq!(check(&without(member)), Ok(()), "{member}");
    }
    for member in ["iss", "exp", "client_id", "token_type"] {
        let refused = check(&with(member, Value::Null));
        assert!(refused.is_err(), "{member}");
        assert_eq!(refused, check(&without(member)), "{member}");
    }
}

#[test]
fn r40_a_kept_answer_expires() {
    let introspection = introspect(&answer()).unwrap();
    let verification = ours().clock_skew(Duration::ZERO);
    let at = |seconds| verification.check(&introspection, UnixTime::from_secs(seconds));
    assert!(at(1999).is_ok());
    assert!(matches!(
        at(2000),
        Err(ApiTokenError::Token(TokenError::Expired { .. }))
    ));
}

#[test]
fn r5_r40_scopes_are_whole_words() {
    let introspection = introspect(&with("scope", json!("readonly write"))).unwrap();
    let at = UnixTime::from_secs(1500);
    assert!(
        ours()
            .require_scopes(["write"])
            .check(&introspection, at)
            .is_ok()
    );
    let error = ours()
        .require_scopes(["read"])
        .check(&introspection, at)
        .unwrap_err();
    assert_eq!(error.status(), StatusCode::FORBIDDEN);
    let none = introspect(&without("scope")).unwrap();
    assert!(ours().check(&none, at).unwrap().scopes.is_empty());
    assert!(ours().require_scopes(["write"]).check(&none, at).is_err());
}

#[test]
fn r3_r40_an_audience_is_compared_byte_for_byte() {
    let api = "https://api.example";
    let verification = OpaqueTokenVerification::for_audience(provider::ISSUER, api);
    let at = UnixTime::from_secs(1500);
    let check = |answer: &Value| verification.check(&introspect(answer).unwrap(), at).is_ok();
    assert!(check(&with("aud", json!(api))));
    assert!(check(&with("aud", json!(["other", api]))));
    for refused in [
        json!("https://api.example/"),
        json!("https://api"),
        json!([]),
        json!(""),
    ] {
        assert!(!check(&with("aud", refused.clone())), "{refused}");
    }
    assert!(!check(&answer()), "no audience");
    let empty = OpaqueTokenVerification::for_audience(provider::ISSUER, "");
    assert!(
        empty
            .check(&introspect(&with("aud", json!(""))).unwrap(), at)
            .is_err()
    );
    let nobody = OpaqueTokenVerification::of_applications(provider::ISSUER, [""; 0]);
    assert!(nobody.check(&introspect(&answer()).unwrap(), at).is_err());
}

#[test]
fn r7_a_token_without_a_subject_is_an_applications_own() {
    let introspection = introspect(&without("sub")).unwrap();
    let claims = ours()
        .check(&introspection, UnixTime::from_secs(1500))
        .unwrap();
    assert_eq!(claims.caller(), Caller::Application("app-id"));
}

#[test]
fn neither_the_token_nor_what_is_said_about_it_is_shown() {
    let exchange = Introspect::new(&config(), &metadata(), Secret::from("the token")).unwrap();
    let shown = format!("{exchange:?} {:?}", introspect(&answer()).unwrap());
    assert!(
        !shown.contains("the token") && !shown.contains("user-1"),
        "{shown}"
    );
    let mut document = provider::document();
    document.remove("introspection_endpoint");
    let metadata = provider::metadata_from(document);
    let error = Introspect::new(&config(), &metadata, Secret::from("t")).unwrap_err();
    assert_eq!(
        error,
        UsageError::EndpointNotAdvertised(Endpoint::Introspection)
    );
}

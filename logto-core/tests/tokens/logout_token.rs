//! Logout tokens of the back-channel logout.

use std::time::Duration;

use logto_core::{
    UnixTime,
    error::TokenError,
    jwt::{Algorithm, AwsLcVerifier, KeySet},
    logout_token::{self, LogoutToken, LogoutTokenVerification},
};
use logto_recordings::{Recording, logout_request};
use serde_json::{Value, json};

use crate::support::{SigningKey, VERIFIERS, base64url};

const ISSUER: &str = "https://tenant.logto.app/oidc";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const NOW: UnixTime = UnixTime::from_secs(1010);

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "app-id",
        "sub": "user-1",
        "sid": "session-1",
        "iat": 1000,
        "exp": 1120,
        "jti": "token-1",
        "events": { EVENT: {} },
    })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn without(names: &[&str]) -> Value {
    let mut claims = claims();
    for name in names {
        claims.as_object_mut().unwrap().remove(*name);
    }
    claims
}

fn header() -> Value {
    json!({"alg": "ES384", "typ": "logout+jwt", "kid": "es384"})
}

fn verify_token(token: &str, now: UnixTime) -> Result<LogoutToken, TokenError> {
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    LogoutTokenVerification::new(ISSUER, "app-id").verify(token, &keys, now)
}

fn verify(claims: &Value) -> Result<LogoutToken, TokenError> {
    verify_token(
        &SigningKey::es384().sign_with_header(&header(), claims),
        NOW,
    )
}

fn seconds(seconds: i64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

#[test]
fn l6_t42_a_good_token_says_whose_sessions_end() {
    let mut claims = with("ignored_claim", json!({"any": "thing"}));
    claims["trace_id"] = json!(7);
    let token = verify(&claims).unwrap();
    assert_eq!(token.sub.as_deref(), Some("user-1"));
    assert_eq!(token.sid.as_deref(), Some("session-1"));
    assert_eq!(token.jti, "token-1");
    assert_eq!(token.iat, seconds(1000));
    assert_eq!(token.remember_until, seconds(1120 + 60));
}

#[test]
fn l6_sub_or_sid_is_enough_and_neither_is_not() {
    assert_eq!(verify(&without(&["sid"])).unwrap().sid, None);
    assert_eq!(verify(&without(&["sub"])).unwrap().sub, None);
    assert_eq!(
        verify(&without(&["sub", "sid"])),
        Err(TokenError::MissingClaim("sub"))
    );
    for claim in ["sub", "sid", "jti"] {
        for value in [json!(""), json!(7), json!(null), json!(["x"])] {
            assert_eq!(
                verify(&with(claim, value)),
                Err(TokenError::BadClaim {
                    claim,
                    expected: "a string of 1 to 255 characters"
                })
            );
        }
    }
}

#[test]
fn l6_a_name_is_demanded_so_that_a_token_can_be_good_once() {
    assert_eq!(
        verify(&without(&["jti"])),
        Err(TokenError::MissingClaim("jti"))
    );
}

#[test]
fn t43_alg_none() {
    let header = json!({"alg": "none", "typ": "logout+jwt"}).to_string();
    let token = format!("{}.{}.", base64url(header), base64url(claims().to_string()));
    assert!(matches!(
        verify_token(&token, NOW),
        Err(TokenError::UnsupportedAlgorithm { .. })
    ));
}

#[test]
fn t44_no_event_and_t48_a_wrong_event() {
    assert_eq!(
        verify(&without(&["events"])),
        Err(TokenError::MissingClaim("events"))
    );
    for events in [
        json!({}),
        json!({"http://schemas.openid.net/event/foobar": {}}),
        json!({ EVENT: true }),
        json!({ EVENT: null }),
        json!({ EVENT: [] }),
        json!([EVENT]),
        json!(EVENT),
        json!(null),
    ] {
        let error = verify(&with("events", events.clone())).unwrap_err();
        assert_eq!(
            error,
            TokenError::BadClaim {
                claim: "events",
                expected: "an object with the logout event"
            },
            "{events}"
        );
    }
    assert!(verify(&with("events", json!({ EVENT: {"more": 1}, "other": {} }))).is_ok());
}

#[test]
fn t45_with_nonce() {
    for nonce in [json!("abc"), json!(null), json!("")] {
        assert_eq!(
            verify(&with("nonce", nonce)),
            Err(TokenError::BadClaim {
                claim: "nonce",
                expected: "absent"
            })
        );
    }
}

#[test]
fn t46_wrong_alg_and_wrong_key() {
    let signed_by = |key: &SigningKey, kid: &str| {
        let header = json!({"alg": key.algorithm.name(), "typ": "logout+jwt", "kid": kid});
        verify_token(&key.sign_with_header(&header, &claims()), NOW).unwrap_err()
    };
    let error = signed_by(SigningKey::rs256(), "es384");
    assert_eq!(error, TokenError::KeyMismatch("RS256"));
    assert!(signed_by(SigningKey::rs256(), "rs256").is_key_not_found());
    let stranger = SigningKey::generate(Algorithm::Es384, "es384");
    assert_eq!(signed_by(&stranger, "es384"), TokenError::BadSignature);
}

#[test]
fn t47_wrong_aud() {
    assert!(verify(&with("aud", json!(["app-id"]))).is_ok());
    for aud in [
        json!("other"),
        json!([]),
        json!(["other", "app-id"]),
        json!(["app-id", "other"]),
    ] {
        assert_eq!(
            verify(&with("aud", aud.clone())),
            Err(TokenError::Audience),
            "{aud}"
        );
    }
    assert_eq!(
        verify(&with("aud", json!(7))),
        Err(TokenError::BadClaim {
            claim: "aud",
            expected: "a string or an array of strings"
        })
    );
    assert_eq!(
        verify(&without(&["aud"])),
        Err(TokenError::MissingClaim("aud"))
    );
}

#[test]
fn t49_wrong_iss() {
    for iss in [
        json!("https://evil.example"),
        json!(format!("{ISSUER}/")),
        json!([ISSUER]),
    ] {
        assert_eq!(verify(&with("iss", iss)), Err(TokenError::Issuer));
    }
    assert_eq!(verify(&without(&["iss"])), Err(TokenError::Issuer));
}

#[test]
fn l6_a_token_is_fresh() {
    let at = |claims: &Value, now| {
        let token = SigningKey::es384().sign_with_header(&header(), claims);
        verify_token(&token, seconds(now))
    };
    assert!(at(&claims(), 1179).is_ok());
    assert!(matches!(
        at(&claims(), 1180),
        Err(TokenError::Expired { .. })
    ));
    assert!(at(&claims(), 940).is_ok());
    assert!(matches!(
        at(&claims(), 939),
        Err(TokenError::IssuedInFuture { .. })
    ));
    // A late `exp` makes no token good for longer than five minutes.
    let end = 1000 + 300 + 60;
    let late = with("exp", json!(999_999));
    assert_eq!(at(&late, end - 1).unwrap().remember_until, seconds(end));
    assert!(matches!(at(&late, end), Err(TokenError::Expired { .. })));
    for claim in ["iat", "exp"] {
        assert_eq!(
            verify(&without(&[claim])),
            Err(TokenError::MissingClaim(claim))
        );
    }
    assert_eq!(
        verify(&with("exp", json!("1120"))),
        Err(TokenError::BadClaim {
            claim: "exp",
            expected: "a number of seconds since 1970"
        })
    );
    let later = with("nbf", json!(1071));
    assert!(matches!(
        verify(&later),
        Err(TokenError::NotYetValid { .. })
    ));

    let exact = LogoutTokenVerification::new(ISSUER, "app-id").clock_skew(Duration::ZERO);
    let token = SigningKey::es384().sign_with_header(&header(), &claims());
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    assert!(exact.verify(&token, &keys, seconds(1119)).is_ok());
    assert!(exact.verify(&token, &keys, seconds(1120)).is_err());
}

#[test]
fn l8_only_the_type_of_a_logout_token_is_accepted() {
    let typed = |typ: Option<&str>| {
        let mut header = header();
        match typ {
            Some(typ) => header["typ"] = json!(typ),
            None => drop(header.as_object_mut().unwrap().remove("typ")),
        }
        verify_token(
            &SigningKey::es384().sign_with_header(&header, &claims()),
            NOW,
        )
    };
    for typ in ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt"] {
        assert!(typed(Some(typ)).is_ok(), "{typ}");
    }
    for typ in [
        None,
        Some("JWT"),
        Some("at+jwt"),
        Some("secevent+jwt"),
        Some(""),
    ] {
        assert!(
            matches!(typed(typ), Err(TokenError::WrongType { .. })),
            "{typ:?}"
        );
    }
}

#[test]
fn l6_the_form_has_exactly_one_token() {
    let read = |body: &str| logout_token::from_form(body.as_bytes());
    let token = read("a=1&logout_token=x.y.z&b=2").unwrap();
    assert_eq!(token.expose(), "x.y.z");
    for body in [
        "",
        "logout_tokens=x",
        "logout_token=a&logout_token=a",
        "token=x",
    ] {
        assert!(
            matches!(read(body), Err(TokenError::Malformed { part: "form", .. })),
            "{body}"
        );
    }
    let long = format!("logout_token={}", "a".repeat(20_000));
    assert!(matches!(read(&long), Err(TokenError::TooLong { .. })));
}

#[test]
fn recorded_logout_token() {
    let token = logout_token::from_form(logout_request().body()).unwrap();
    for verifier in VERIFIERS {
        let keys = Recording::load(2).json().to_string();
        let keys = KeySet::parse(keys.as_bytes(), verifier).unwrap();
        let verification =
            LogoutTokenVerification::new("http://localhost:3001/oidc", "q5z3x46nt51n2jydi4jkh");
        let read = verification
            .verify(token.expose(), &keys, seconds(1_795_335_866))
            .unwrap();
        assert_eq!(read.sub.as_deref(), Some("dknhv6vsaxt5"));
        assert_eq!(
            read.sid.as_deref(),
            Some("-fkHR6F4kvmw-tAV9XThi0Y1vB8wn-QB80ubRdu14d5")
        );
        assert_eq!(read.jti, "LxIUL7ZGzfSl8wloWf52ARYcwCqhmbAd-NikF2ld8qg");
        assert_eq!(read.remember_until, seconds(1_795_335_866 + 120 + 60));
    }
}

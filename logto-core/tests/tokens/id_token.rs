//! ID tokens: OpenID Connect Core §3.1.3.7 and §12.2, with the invalid values of the OpenID Foundation's
//! conformance suite.

mod parties;
mod refresh;
mod request;
mod times;

use std::time::Duration;

use logto_core::{
    UnixTime,
    claims::IdTokenClaims,
    error::TokenError,
    id_token::IdTokenVerification,
    jwt::{Algorithm, AwsLcVerifier},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{SigningKey, VERIFIERS, base64url};

const ISSUER: &str = "https://tenant.logto.app/oidc";
const CLIENT: &str = "client";
const NONCE: &str = "n-0S6_WzA2Mj";
const NOW: i64 = 1_795_335_765;
const SKEW: i64 = 60;
const ACCESS_TOKEN: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";

fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user", "aud": CLIENT, "iat": NOW, "exp": NOW + 3600, "nonce": NONCE,
    })
}

/// Good claims with some replaced.
fn claims_with(changes: Value) -> Value {
    let mut claims = good_claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn claims_without(name: &str) -> Value {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

fn verification() -> IdTokenVerification<'static> {
    IdTokenVerification::new(ISSUER, CLIENT).nonce(NONCE)
}

fn check(
    verification: IdTokenVerification<'_>,
    claims: &Value,
) -> Result<IdTokenClaims, TokenError> {
    check_at(verification, claims, now())
}

fn check_at(
    verification: IdTokenVerification<'_>,
    claims: &Value,
    now: UnixTime,
) -> Result<IdTokenClaims, TokenError> {
    let key = SigningKey::es384();
    verification.verify(&key.sign(claims), &key.key_set(&AwsLcVerifier), now)
}

fn error(claims: &Value) -> TokenError {
    check(verification(), claims).unwrap_err()
}

#[test]
fn t1_a_good_token_gives_its_claims() {
    for verifier in VERIFIERS {
        let key = SigningKey::es384();
        let keys = key.key_set(verifier);
        let claims = verification()
            .verify(&key.sign(&good_claims()), &keys, now())
            .unwrap();
        assert_eq!(claims.iss, ISSUER);
        assert_eq!(claims.sub, "user");
        assert_eq!(claims.aud, [CLIENT]);
        assert_eq!(claims.exp, UnixTime::from_secs(NOW + 3600));
        assert_eq!(claims.iat, now());
        assert_eq!(claims.nonce.as_deref(), Some(NONCE));
        assert_eq!(Value::Object(claims.to_map()), good_claims());
    }
}

#[test]
fn c61_t9_t10_the_signature_is_checked_before_the_claims() {
    let key = SigningKey::es384();
    let keys = key.key_set(&AwsLcVerifier);
    let stranger = SigningKey::generate(Algorithm::Es384, "es384");
    let signed_by_stranger = stranger.sign(&good_claims());
    let error = verification()
        .verify(&signed_by_stranger, &keys, now())
        .unwrap_err();
    assert_eq!(error, TokenError::BadSignature);

    let payload = base64url(good_claims().to_string());
    let unsigned = format!("{}.{payload}.", base64url(r#"{"alg":"none"}"#));
    let error = verification().verify(&unsigned, &keys, now()).unwrap_err();
    assert!(matches!(error, TokenError::UnsupportedAlgorithm { .. }));
}

#[test]
fn c74_v8_access_and_logout_tokens_are_no_id_tokens() {
    let key = SigningKey::es384();
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt"] {
        let header = json!({"alg": "ES384", "kid": "es384", "typ": typ});
        let token = key.sign_with_header(&header, &good_claims());
        let error = verification()
            .verify(&token, &key.key_set(&AwsLcVerifier), now())
            .unwrap_err();
        assert!(matches!(error, TokenError::WrongType { .. }), "{typ}");
    }
}

#[test]
fn c67_t3_t5_t23_required_claims_are_required() {
    for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        assert_eq!(error(&claims_without(name)), TokenError::MissingClaim(name));
    }
}

#[test]
fn b18_nonce_and_access_token_are_not_in_debug() {
    let shown = format!("{:?}", verification().access_token(ACCESS_TOKEN));
    assert!(
        !shown.contains(NONCE) && !shown.contains(ACCESS_TOKEN),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn only_the_configured_client_is_accepted(
        audiences in prop::collection::vec("client|client1|other", 0..4),
        azp in prop::option::of("client|other"),
    ) {
        let mut claims = claims_with(json!({"aud": audiences}));
        if let Some(azp) = &azp {
            claims["azp"] = json!(azp);
        }
        let accepted = check(verification(), &claims).is_ok();
        let only_us = !audiences.is_empty() && audiences.iter().all(|audience| audience == CLIENT);
        prop_assert_eq!(accepted, only_us && azp.is_none_or(|azp| azp == CLIENT));
    }

    #[test]
    fn arbitrary_claims_never_panic(name in "iss|sub|aud|exp|iat|nbf|azp|acr|nonce|auth_time|at_hash", number in any::<f64>(), text in any::<String>()) {
        for value in [json!(number), json!(text), json!([text.clone()]), json!({"": number})] {
            let verification = verification().access_token(ACCESS_TOKEN).max_age(Duration::ZERO);
            let _ = check(verification, &claims_with(json!({ &name: value })));
        }
    }
}

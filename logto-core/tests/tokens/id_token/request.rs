//! Claims that depend on the authorization request and on the access token.

use std::time::Duration;

use logto_core::{
    UnixTime,
    error::TokenError,
    id_token::IdTokenVerification,
    jwt::{Algorithm, AwsLcVerifier},
};
use serde_json::json;

use super::{
    ACCESS_TOKEN, CLIENT, ISSUER, NONCE, NOW, SKEW, check, claims_with, claims_without, error,
    good_claims, now, verification,
};
use crate::support::SigningKey;

#[test]
fn c70_t12_the_nonce_is_the_one_that_was_sent() {
    for nonce in [
        format!("{NONCE}1"),
        NONCE[1..].to_owned(),
        NONCE.to_lowercase(),
        format!(" {NONCE}"),
        String::new(),
    ] {
        assert_eq!(
            error(&claims_with(json!({"nonce": nonce}))),
            TokenError::Nonce,
            "{nonce}"
        );
    }
    for nonce in [json!(null), json!([NONCE]), json!(7), json!({})] {
        let claims = claims_with(json!({"nonce": nonce}));
        assert_eq!(
            error(&claims),
            TokenError::BadClaim {
                claim: "nonce",
                expected: "a string"
            },
            "{nonce}"
        );
    }
}

#[test]
fn c70_a_nonce_is_not_demanded_where_none_was_sent() {
    let verification = IdTokenVerification::new(ISSUER, CLIENT);
    assert!(check(verification, &claims_without("nonce")).is_ok());
    assert!(check(verification, &good_claims()).is_ok());
}

#[test]
fn c72_auth_time_is_demanded_and_checked_with_max_age() {
    let strict = || verification().max_age(Duration::from_secs(600));
    let missing = check(strict(), &good_claims()).unwrap_err();
    assert_eq!(missing, TokenError::MissingClaim("auth_time"));
    for (auth_time, accepted) in [
        (NOW, true),
        (NOW - 600, true),
        (NOW - 600 - SKEW, true),
        (NOW - 601 - SKEW, false),
        (0, false),
    ] {
        let result = check(strict(), &claims_with(json!({"auth_time": auth_time})));
        if accepted {
            assert_eq!(
                result.unwrap().auth_time,
                Some(UnixTime::from_secs(auth_time))
            );
        } else {
            let auth_time = UnixTime::from_secs(auth_time);
            assert_eq!(
                result.unwrap_err(),
                TokenError::AuthTime {
                    auth_time,
                    now: now()
                }
            );
        }
    }
    let right_now = verification()
        .max_age(Duration::ZERO)
        .clock_skew(Duration::ZERO);
    assert!(check(right_now, &claims_with(json!({"auth_time": NOW}))).is_ok());
    assert!(check(right_now, &claims_with(json!({"auth_time": NOW - 1}))).is_err());
    assert!(check(verification(), &claims_with(json!({"auth_time": 0}))).is_ok());
}

#[test]
fn c72_acr_is_checked_when_it_was_requested() {
    let requested = ["silver".to_owned(), "gold".to_owned()];
    let strict = || verification().acr_values(&requested);
    assert!(check(strict(), &claims_with(json!({"acr": "gold"}))).is_ok());
    for acr in ["bronze", "Gold", "", "silver gold"] {
        let error = check(strict(), &claims_with(json!({"acr": acr}))).unwrap_err();
        assert_eq!(error, TokenError::Acr, "{acr}");
    }
    let missing = check(strict(), &good_claims()).unwrap_err();
    assert_eq!(missing, TokenError::MissingClaim("acr"));
    let list = check(strict(), &claims_with(json!({"acr": ["gold"]}))).unwrap_err();
    assert_eq!(
        list,
        TokenError::BadClaim {
            claim: "acr",
            expected: "a string"
        }
    );
    assert!(check(verification(), &claims_with(json!({"acr": "bronze"}))).is_ok());
}

/// Computed with `openssl dgst -binary | head -c HALF | basenc --base64url`.
const AT_HASHES: [(Algorithm, &str); 5] = [
    (Algorithm::Es256, "77QmUPtjPfzWtF2AnpK9RQ"),
    (Algorithm::Es384, "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs"),
    (
        Algorithm::Es512,
        "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
    ),
    (Algorithm::Rs256, "77QmUPtjPfzWtF2AnpK9RQ"),
    (
        Algorithm::EdDsa,
        "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
    ),
];

#[test]
fn c73_v23_at_hash_is_the_left_half_by_the_hash_of_the_algorithm() {
    for (algorithm, at_hash) in AT_HASHES {
        let key = SigningKey::generate(algorithm, "k");
        let keys = key.key_set(&AwsLcVerifier);
        let token = key.sign(&claims_with(json!({"at_hash": at_hash})));
        let check = |access_token| {
            verification()
                .access_token(access_token)
                .verify(&token, &keys, now())
                .map(|_| ())
        };
        assert_eq!(check(Some(ACCESS_TOKEN)), Ok(()), "{algorithm}");
        assert_eq!(
            check(Some("another")),
            Err(TokenError::AtHash),
            "{algorithm}"
        );
        assert_eq!(check(Some("")), Err(TokenError::AtHash), "{algorithm}");
        assert_eq!(check(None), Ok(()), "nothing to compare with");
    }
}

#[test]
fn c73_t38_a_wrong_at_hash_is_refused_and_a_missing_one_is_fine() {
    let verification = verification().access_token(ACCESS_TOKEN);
    assert!(check(verification, &good_claims()).is_ok());
    let [_, (_, es384), (_, es512), (_, rs256), _] = AT_HASHES;
    for at_hash in [
        String::new(),
        es512.to_owned(),
        rs256.to_owned(),
        es384[..es384.len() - 1].to_owned(),
        format!("{es384}A"),
        format!("{es384}="),
        es384.to_lowercase(),
    ] {
        let error = check(verification, &claims_with(json!({"at_hash": at_hash}))).unwrap_err();
        assert_eq!(error, TokenError::AtHash, "{at_hash}");
    }
    let error = check(verification, &claims_with(json!({"at_hash": [es384]}))).unwrap_err();
    assert_eq!(
        error,
        TokenError::BadClaim {
            claim: "at_hash",
            expected: "a string"
        }
    );
}

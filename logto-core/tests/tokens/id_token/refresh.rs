//! Refreshed ID tokens.

use logto_core::{UnixTime, error::TokenError, id_token::IdTokenVerification};
use serde_json::json;

use super::{
    CLIENT, ISSUER, NOW, SKEW, check, check_at, claims_with, claims_without, good_claims,
    verification,
};

#[test]
fn c76_t20_a_refreshed_token_continues_the_previous_one() {
    let verification = IdTokenVerification::new(ISSUER, CLIENT);
    let first = claims_with(json!({"auth_time": NOW - 100, "azp": CLIENT}));
    let previous = check(verification, &first).unwrap();
    let verification = verification.previous(&previous);
    let later = NOW + 3000;
    for good in [
        json!({}),
        json!({"iat": later, "exp": later + 3600}),
        json!({"iat": NOW - SKEW}),
        json!({"auth_time": NOW}),
        json!({"name": "Renamed"}),
    ] {
        let mut claims = first.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(good.as_object().unwrap().clone());
        assert!(
            check_at(verification, &claims, UnixTime::from_secs(later)).is_ok(),
            "{good}"
        );
    }
    for optional in ["nonce", "auth_time"] {
        let mut claims = first.clone();
        claims.as_object_mut().unwrap().remove(optional);
        assert!(
            check(verification, &claims).is_ok(),
            "{optional} may be left out"
        );
    }
}

#[test]
fn c76_v71_t22_a_refreshed_token_that_contradicts_the_previous_one_is_refused() {
    let verification = IdTokenVerification::new(ISSUER, CLIENT);
    let first = claims_with(json!({"auth_time": NOW - 100, "azp": CLIENT}));
    let previous = check(verification, &first).unwrap();
    let verification = verification.previous(&previous);
    for (claim, value) in [
        ("sub", json!("user1")),
        ("sub", json!("User")),
        ("nonce", json!("n-0S6_WzA2Mj1")),
        ("nonce", json!("")),
        ("iat", json!(NOW - SKEW - 1)),
        ("iat", json!(0)),
        ("auth_time", json!(NOW - 101)),
        ("auth_time", json!(0)),
    ] {
        let mut claims = first.clone();
        claims[claim] = value;
        assert_eq!(
            check(verification, &claims).unwrap_err(),
            TokenError::Continuity(claim)
        );
    }
    let mut without_azp = first;
    without_azp.as_object_mut().unwrap().remove("azp");
    assert_eq!(
        check(verification, &without_azp).unwrap_err(),
        TokenError::Continuity("azp")
    );
}

#[test]
fn c76_what_the_previous_token_did_not_have_cannot_appear() {
    let verification = IdTokenVerification::new(ISSUER, CLIENT);
    let previous = check(verification, &claims_without("nonce")).unwrap();
    let verification = verification.previous(&previous);
    let nonce = check(verification, &good_claims()).unwrap_err();
    assert_eq!(nonce, TokenError::Continuity("nonce"));
    let mut with_azp = claims_without("nonce");
    with_azp["azp"] = json!(CLIENT);
    assert_eq!(
        check(verification, &with_azp).unwrap_err(),
        TokenError::Continuity("azp")
    );
}

#[test]
fn c76_t21_the_issuer_and_audience_of_a_refreshed_token_are_checked_too() {
    let previous = check(verification(), &good_claims()).unwrap();
    let refresh = IdTokenVerification::new(ISSUER, CLIENT).previous(&previous);
    let other_issuer = claims_with(json!({"iss": format!("{ISSUER}1")}));
    assert_eq!(
        check(refresh, &other_issuer).unwrap_err(),
        TokenError::Issuer
    );
    let other_audience = claims_with(json!({"aud": "client1"}));
    assert_eq!(
        check(refresh, &other_audience).unwrap_err(),
        TokenError::Audience
    );

    let moved = IdTokenVerification::new("https://new.example/oidc", CLIENT).previous(&previous);
    let from_new = claims_with(json!({"iss": "https://new.example/oidc"}));
    assert_eq!(
        check(moved, &from_new).unwrap_err(),
        TokenError::Continuity("iss")
    );
}

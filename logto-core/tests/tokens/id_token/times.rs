//! Issue and expiry times.

use std::time::Duration;

use logto_core::{UnixTime, error::TokenError};
use serde_json::json;

use super::{NOW, SKEW, check, check_at, claims_with, error, now, verification};

#[test]
fn c67_v5_times_of_another_type_or_range_are_refused_and_not_absent() {
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for value in [
            json!("9999999999"),
            json!("NaN"),
            json!(true),
            json!(null),
            json!(""),
            json!([]),
            json!({}),
            json!(1e300),
            json!(-1),
            json!(-0.5),
            json!(1_u64 << 63),
            json!(u64::MAX),
            json!(18_446_744_073_709_551_616.0),
        ] {
            let claims = claims_with(json!({ name: value }));
            assert_eq!(
                error(&claims),
                TokenError::BadClaim {
                    claim: name,
                    expected: "a number of seconds since 1970"
                },
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn c67_fractions_of_a_second_are_read() {
    let claims =
        claims_with(json!({"iat": NOW as f64 + 0.9, "exp": NOW as f64 + 10.5, "nbf": 1.5}));
    let claims = check(verification(), &claims).unwrap();
    assert_eq!(claims.iat, now());
    assert_eq!(claims.exp, UnixTime::from_secs(NOW + 10));
}

#[test]
fn c67_c68_expiry_with_skew() {
    for (exp, skew, accepted) in [
        (NOW + 1, 0, true),
        (NOW, 0, false),
        (NOW - 1, 0, false),
        (NOW, SKEW, true),
        (NOW - SKEW + 1, SKEW, true),
        (NOW - SKEW, SKEW, false),
        (NOW - 300, SKEW, false),
        (NOW - 299, 300, true),
        (NOW - 300, 300, false),
        (0, 300, false),
        (i64::MAX, 0, true),
    ] {
        let verification = verification().clock_skew(Duration::from_secs(skew as u64));
        let result = check(verification, &claims_with(json!({"exp": exp, "iat": 0})));
        if accepted {
            assert_eq!(result.unwrap().exp, UnixTime::from_secs(exp));
        } else {
            let expired = TokenError::Expired {
                exp: UnixTime::from_secs(exp),
                now: now(),
            };
            assert_eq!(result.unwrap_err(), expired);
        }
    }
}

#[test]
fn c67_fapi_expired_five_minutes_ago() {
    let claims = claims_with(json!({"exp": NOW - 300, "iat": NOW - 600}));
    assert!(matches!(error(&claims), TokenError::Expired { .. }));
}

#[test]
fn c67_f51_a_token_from_the_future_is_refused_and_the_error_names_the_clocks() {
    for (name, skew, ahead, accepted) in [
        ("iat", SKEW, SKEW, true),
        ("iat", SKEW, SKEW + 1, false),
        ("iat", 0, 1, false),
        ("iat", 300, 300, true),
        ("iat", 300, 301, false),
        ("nbf", SKEW, SKEW, true),
        ("nbf", SKEW, SKEW + 1, false),
    ] {
        let time = NOW + ahead;
        let verification = verification().clock_skew(Duration::from_secs(skew as u64));
        let result = check(verification, &claims_with(json!({ name: time })));
        if accepted {
            assert!(result.is_ok(), "{name} {ahead}");
        } else {
            let message = result.unwrap_err().to_string();
            assert!(
                message.ends_with(&format!("clock skew: {name} {time}, now {NOW}")),
                "{message}"
            );
        }
    }
    assert!(check(verification(), &claims_with(json!({"nbf": NOW}))).is_ok());
}

#[test]
fn c68_the_skew_is_sixty_seconds_and_never_more_than_300() {
    let expired = |seconds: i64| claims_with(json!({"exp": NOW - seconds, "iat": 0}));
    assert!(check(verification(), &expired(59)).is_ok());
    assert!(check(verification(), &expired(60)).is_err());
    for excessive in [
        Duration::from_secs(301),
        Duration::from_secs(86_400),
        Duration::MAX,
    ] {
        let verification = verification().clock_skew(excessive);
        assert!(check(verification, &expired(299)).is_ok());
        assert!(check(verification, &expired(300)).is_err());
    }
}

#[test]
fn f53_no_clock_and_no_time_overflows() {
    let extremes = [
        i64::MIN,
        -1,
        0,
        2_147_483_648,
        4_294_967_296,
        253_402_300_800,
        i64::MAX,
    ];
    for now in extremes.map(UnixTime::from_secs) {
        for claim in [0, 1_i64, i64::MAX] {
            let claims = claims_with(json!({"exp": claim, "iat": claim, "auth_time": claim}));
            let previous = check_at(verification(), &claims, now);
            let strict = verification()
                .max_age(Duration::MAX)
                .clock_skew(Duration::MAX);
            let strict = strict.previous(previous.as_ref().ok());
            let _ = check_at(strict, &claims, now);
        }
    }
    let claims = claims_with(json!({"exp": i64::MAX}));
    for year in [2_147_483_648, 4_294_967_296, 253_402_300_800] {
        assert!(check_at(verification(), &claims, UnixTime::from_secs(year)).is_ok());
    }
}

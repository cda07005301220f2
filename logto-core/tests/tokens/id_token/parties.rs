//! Issuer, subject and audience.

use logto_core::error::TokenError;
use serde_json::json;

use super::{CLIENT, ISSUER, check, claims_with, error, verification};

#[test]
fn c65_v6_t2_the_issuer_is_exactly_the_configured_one() {
    for iss in [
        "https://tenant.logto.app/oidc1",
        "https://tenant.logto.app/oidc/",
        "https://tenant.logto.app/oid",
        "https://tenant.logto.app",
        "https://Tenant.logto.app/oidc",
        "HTTPS://tenant.logto.app/oidc",
        "https://tenant.logto.app:443/oidc",
        " https://tenant.logto.app/oidc",
        "https://tenant.logto.app/oidc\u{0}",
        "https://tenant.logto.app/%6fidc",
        "tenant.logto.app/oidc",
        "https://evil.example/?https://tenant.logto.app/oidc",
    ] {
        assert_eq!(
            error(&claims_with(json!({"iss": iss}))),
            TokenError::Issuer,
            "{iss}"
        );
    }
    for iss in [
        json!([ISSUER]),
        json!(null),
        json!({}),
        json!(1),
        json!(true),
        json!(""),
    ] {
        let claims = claims_with(json!({"iss": iss}));
        assert_eq!(
            error(&claims),
            TokenError::BadClaim {
                claim: "iss",
                expected: "a URL"
            },
            "{iss}"
        );
    }
}

#[test]
fn c69_t3_the_subject_is_a_string_of_1_to_255_bytes() {
    for sub in [
        json!(""),
        json!("x".repeat(256)),
        json!(null),
        json!(7),
        json!(["user"]),
        json!({"id": "user"}),
    ] {
        assert_eq!(
            error(&claims_with(json!({"sub": sub}))),
            TokenError::BadClaim {
                claim: "sub",
                expected: "a string of 1 to 255 characters"
            },
            "{sub}"
        );
    }
    for sub in ["x".to_owned(), "x".repeat(255)] {
        let claims = check(verification(), &claims_with(json!({"sub": sub}))).unwrap();
        assert_eq!(claims.sub, sub);
    }
}

#[test]
fn c66_t4_the_audience_contains_the_client() {
    for aud in [
        json!("client1"),
        json!("clien"),
        json!("Client"),
        json!(" client"),
        json!(""),
        json!([]),
        json!(["other"]),
        json!(["client1", "other"]),
        json!(["client other"]),
    ] {
        assert_eq!(
            error(&claims_with(json!({"aud": aud}))),
            TokenError::Audience,
            "{aud}"
        );
    }
    for aud in [
        json!(null),
        json!(7),
        json!({}),
        json!([7]),
        json!([CLIENT, null]),
        json!([[CLIENT]]),
    ] {
        let claims = claims_with(json!({"aud": aud}));
        assert_eq!(
            error(&claims),
            TokenError::BadClaim {
                claim: "aud",
                expected: "a string or an array of strings"
            },
            "{aud}"
        );
    }
}

#[test]
fn c66_fapi_valid_aud_as_array() {
    let claims = check(verification(), &claims_with(json!({"aud": [CLIENT]}))).unwrap();
    assert_eq!(claims.aud, [CLIENT]);
}

#[test]
fn c66_fapi_invalid_secondary_aud() {
    use TokenError::{Audience, AuthorizedParty};
    let trusted = ["other".to_owned()];
    for (aud, azp, without_trust, with_trust) in [
        (
            json!([CLIENT, "other"]),
            None,
            Err(AuthorizedParty),
            Err(AuthorizedParty),
        ),
        (
            json!(["other", CLIENT]),
            None,
            Err(AuthorizedParty),
            Err(AuthorizedParty),
        ),
        (
            json!([CLIENT, "other"]),
            Some(CLIENT),
            Err(Audience),
            Ok(()),
        ),
        (
            json!(["other", CLIENT]),
            Some(CLIENT),
            Err(Audience),
            Ok(()),
        ),
        (
            json!([CLIENT, "other"]),
            Some("other"),
            Err(AuthorizedParty),
            Err(AuthorizedParty),
        ),
        (
            json!([CLIENT, "other", "third"]),
            Some(CLIENT),
            Err(Audience),
            Err(Audience),
        ),
        (json!("other"), Some(CLIENT), Err(Audience), Err(Audience)),
        (json!(CLIENT), Some(CLIENT), Ok(()), Ok(())),
        (
            json!(CLIENT),
            Some("client1"),
            Err(AuthorizedParty),
            Err(AuthorizedParty),
        ),
        (
            json!(CLIENT),
            Some(""),
            Err(AuthorizedParty),
            Err(AuthorizedParty),
        ),
    ] {
        let mut claims = claims_with(json!({"aud": aud}));
        if let Some(azp) = azp {
            claims["azp"] = json!(azp);
        }
        let result = check(verification(), &claims).map(|_| ());
        assert_eq!(result, without_trust, "{claims}");
        let result = check(verification().trusted_audiences(&trusted), &claims).map(|_| ());
        assert_eq!(result, with_trust, "{claims}");
    }
    assert_eq!(
        error(&claims_with(json!({"azp": [CLIENT]}))),
        TokenError::BadClaim {
            claim: "azp",
            expected: "a string"
        }
    );
}

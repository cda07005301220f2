//! Tokens that are refused before anything of them is decoded.

use allocation_counter::measure;
use logto_core::{
    UnixTime,
    api_token::{AccessTokenVerification, ApiTokenError},
    error::TokenError,
    jwt::{AwsLcVerifier, KeySet},
};

#[test]
fn r10_v11_long_tokens_and_many_dots_cost_nothing() {
    let issuer = "https://tenant.logto.app/oidc";
    let verification = AccessTokenVerification::api(issuer, "https://api.example.com");
    let keys = KeySet::parse(br#"{"keys":[]}"#, &AwsLcVerifier).unwrap();
    let refusal = |token: &str| {
        let mut refused = None;
        let asked = measure(|| {
            refused = Some(verification.verify(token, &keys, UnixTime::from_secs(1_000)));
        });
        let Some(Err(ApiTokenError::Token(error))) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(asked.count_total, 0, "{error}");
        error
    };
    for token in [
        ".".repeat(1_000_000),
        "a".repeat(10_000_000),
        ["a".repeat(6_000), "b".repeat(6_000), "c".repeat(6_000)].join("."),
    ] {
        assert!(matches!(refusal(&token), TokenError::TooLong { .. }));
    }
    assert!(matches!(
        refusal(&".".repeat(16_000)),
        TokenError::Malformed { .. }
    ));
}

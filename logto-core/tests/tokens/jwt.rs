//! JWTs: serialization, header and signature.

mod header;
mod serialization;
mod signature;

use logto_core::{
    error::TokenError,
    jwt::{
        self, Algorithm, AwsLcVerifier, KeySet, MAX_ID_TOKEN_LEN, TokenType, UnverifiedJwt,
        VerifiedJwt,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{SigningKey, base64url};

fn claims() -> Value {
    json!({"iss": "https://tenant.logto.app/oidc", "sub": "user", "aud": "client"})
}

fn es384_keys() -> KeySet {
    SigningKey::es384().key_set(&AwsLcVerifier)
}

/// Verifies as an ID token, with the shared ES384 key.
fn verify(token: &str) -> Result<VerifiedJwt, TokenError> {
    verify_with(token, &es384_keys())
}

fn verify_with(token: &str, keys: &KeySet) -> Result<VerifiedJwt, TokenError> {
    jwt::verify(token, keys, TokenType::IdToken, MAX_ID_TOKEN_LEN)
}

fn assert_malformed(token: &str) {
    match verify(token) {
        Err(TokenError::Malformed { .. }) => {}
        other => panic!("{other:?} for {token}"),
    }
}

#[test]
fn r22_issuer_and_key_are_known_before_any_key_is_looked_at() {
    let token = SigningKey::es384().sign(&claims());
    let unverified = UnverifiedJwt::parse(&token, TokenType::IdToken, MAX_ID_TOKEN_LEN).unwrap();
    assert_eq!(
        unverified.unverified_issuer(),
        Some("https://tenant.logto.app/oidc")
    );
    assert_eq!(unverified.unverified_kid(), Some("es384"));
    assert_eq!(unverified.unverified_algorithm(), Algorithm::Es384);
    assert!(unverified.verify(&es384_keys()).is_ok());

    let list = SigningKey::es384().sign(&json!({"iss": ["https://tenant.logto.app/oidc"]}));
    let unverified = UnverifiedJwt::parse(&list, TokenType::IdToken, MAX_ID_TOKEN_LEN).unwrap();
    assert_eq!(unverified.unverified_issuer(), None);
}

#[test]
fn b18_no_part_of_a_token_is_in_debug_or_display() {
    let token = SigningKey::es384().sign(&claims());
    let unverified = UnverifiedJwt::parse(&token, TokenType::IdToken, MAX_ID_TOKEN_LEN).unwrap();
    let mut shown = format!("{unverified:?}");
    shown += &format!("{:?}", verify(&token).unwrap());
    for broken in [
        &token[1..],
        &token[..token.len() - 1],
        &token[..token.len() - 20],
    ] {
        let error = verify(broken).unwrap_err();
        shown += &format!("{error:?} {error}");
    }
    for part in token.split('.').flat_map(|part| part.as_bytes().chunks(16)) {
        assert!(!shown.contains(std::str::from_utf8(part).unwrap()));
    }
    assert!(!shown.contains("tenant.logto.app"));
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_panic(text in ".*") {
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn arbitrary_parts_are_refused_without_panic(parts in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
        let token: Vec<String> = parts.iter().map(base64url).collect();
        prop_assert!(verify(&token.join(".")).is_err());
    }

    #[test]
    fn arbitrary_signed_parts_never_panic(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let message = format!("{}.{}", base64url(header), base64url(payload));
        let _ = verify(&SigningKey::es384().sign_encoded(&message));
    }

    #[test]
    fn other_claims_never_carry_the_signature(sub in ".{0,40}") {
        prop_assume!(sub != "user");
        let token = SigningKey::es384().sign(&claims());
        let (_, signature) = token.rsplit_once('.').unwrap();
        let mut other = claims();
        other["sub"] = json!(sub);
        let header = SigningKey::es384().header().to_string();
        let forged = format!("{}.{}.{signature}", base64url(header), base64url(other.to_string()));
        prop_assert_eq!(verify(&forged).unwrap_err(), TokenError::BadSignature);
    }
}

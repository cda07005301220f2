//! Keys and signatures.

use logto_core::{
    error::TokenError,
    jwt::{Algorithm, AwsLcVerifier},
};
use serde_json::{Value, json};

use super::{assert_malformed, claims, verify, verify_with};
use crate::support::{ALL_ALGORITHMS, SigningKey, VERIFIERS, base64url, from_base64url, key_set};

#[test]
fn t8_t10_t24_every_algorithm_verifies_and_no_bad_signature_does() {
    for verifier in VERIFIERS {
        for algorithm in ALL_ALGORITHMS {
            let key = SigningKey::generate(algorithm, "k");
            let keys = key.key_set(verifier);
            let token = key.sign(&claims());
            let is_rust_crypto = format!("{verifier:?}") == "RustCryptoVerifier";
            if algorithm == Algorithm::EdDsa && is_rust_crypto {
                assert!(keys.is_empty(), "RustCryptoVerifier has no EdDSA");
                continue;
            }
            let verified = verify_with(&token, &keys).unwrap();
            assert_eq!(verified.header.algorithm, algorithm);
            assert_eq!(verified.header.kid.as_deref(), Some("k"));
            assert_eq!(verified.header.typ, None);
            assert_eq!(Value::Object(verified.claims), claims());

            let (signed, signature) = token.rsplit_once('.').unwrap();
            let signature = from_base64url(signature);
            let xored: Vec<u8> = signature.iter().map(|byte| byte ^ 0x5A).collect();
            let longer = [signature.as_slice(), &[0]].concat();
            let other = SigningKey::generate(algorithm, "k").signature(signed.as_bytes());
            for bad in [
                &xored,
                &longer,
                &signature[..signature.len() - 1],
                &signature[1..],
                &other,
            ] {
                let token = format!("{signed}.{}", base64url(bad));
                let result = verify_with(&token, &keys).map(|_| algorithm);
                assert_eq!(result, Err(TokenError::BadSignature), "{verifier:?}");
            }
        }
    }
}

#[test]
fn v9_r14_zero_and_out_of_range_signatures_are_bad() {
    let order_p384 = [
        [0xFF; 24].as_slice(),
        &from_base64url("x2NNgfQ3Ld9YGg2ySLCnes7sGWrMxSlz"),
    ]
    .concat();
    for verifier in VERIFIERS {
        let key = SigningKey::es384();
        let keys = key.key_set(verifier);
        let (signed, _) = key.sign(&claims()).rsplit_once('.').map(own).unwrap();
        let one = [[0; 47].as_slice(), &[1]].concat();
        for (r, s) in [
            (vec![0; 48], vec![0; 48]),
            (vec![0; 48], one.clone()),
            (one.clone(), vec![0; 48]),
            (order_p384.clone(), order_p384.clone()),
            (one.clone(), order_p384.clone()),
            (vec![0xFF; 48], vec![0xFF; 48]),
            (vec![], vec![]),
        ] {
            let token = format!("{signed}.{}", base64url([r, s].concat()));
            assert_eq!(
                verify_with(&token, &keys).unwrap_err(),
                TokenError::BadSignature
            );
        }
    }
}

#[test]
fn r14_an_asn1_signature_is_bad() {
    let key = SigningKey::es384();
    let (signed, signature) = key.sign(&claims()).rsplit_once('.').map(own).unwrap();
    let raw = from_base64url(&signature);
    let (r, s) = raw.split_at(48);
    let integer = |bytes: &[u8]| [&[0x02, 49, 0], bytes].concat();
    let body = [integer(r), integer(s)].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    let token = format!("{signed}.{}", base64url(der));
    assert_eq!(verify(&token).unwrap_err(), TokenError::BadSignature);
}

fn own((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn c62_the_algorithm_has_to_fit_the_key() {
    let es384 = SigningKey::es384();
    let rs256 = SigningKey::rs256();
    let keys = key_set(&[es384.jwk(), rs256.jwk()], &AwsLcVerifier);
    for (kid, algorithm) in [
        ("es384", Algorithm::Es256),
        ("es384", Algorithm::Es512),
        ("es384", Algorithm::Rs256),
        ("es384", Algorithm::EdDsa),
        ("rs256", Algorithm::Es384),
        ("rs256", Algorithm::Ps256),
        ("rs256", Algorithm::Rs512),
    ] {
        let header = json!({"alg": algorithm.name(), "kid": kid});
        for signer in [es384, rs256] {
            let token = signer.sign_with_header(&header, &claims());
            assert_eq!(
                verify_with(&token, &keys).unwrap_err(),
                TokenError::KeyMismatch(algorithm.name()),
                "{kid}"
            );
        }
    }
}

#[test]
fn t6_a_token_without_kid_is_accepted_when_one_key_fits() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es384] {
        let key = SigningKey::generate(algorithm, "one");
        let other = SigningKey::generate(Algorithm::Es256, "other");
        let keys = key_set(&[other.jwk(), key.jwk()], &AwsLcVerifier);
        let token = key.sign_with_header(&json!({"alg": algorithm.name()}), &claims());
        assert!(verify_with(&token, &keys).is_ok());
    }
}

#[test]
fn t7_a_token_without_kid_is_refused_when_several_keys_fit() {
    let keys: Vec<SigningKey> = ["a", "b", "c"]
        .map(|kid| SigningKey::generate(Algorithm::Es256, kid))
        .into();
    let jwks: Vec<Value> = keys.iter().map(SigningKey::jwk).collect();
    let token = keys[0].sign_with_header(&json!({"alg": "ES256"}), &claims());
    let error = verify_with(&token, &key_set(&jwks, &AwsLcVerifier)).unwrap_err();
    assert_eq!(error, TokenError::AmbiguousKey);
    assert!(!error.is_key_not_found());
}

#[test]
fn a_token_without_kid_is_refused_when_no_key_fits() {
    let token = SigningKey::rs256().sign_with_header(&json!({"alg": "RS256"}), &claims());
    assert_eq!(
        verify(&token).unwrap_err(),
        TokenError::KeyNotFound { kid: None }
    );
}

#[test]
fn v16_a_hostile_kid_is_an_unknown_key_and_is_shown_with_care() {
    let key = SigningKey::es384();
    let long = "x".repeat(10_000);
    for (kid, shown) in [
        ("../../dev/null", "../../dev/null"),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("es384\u{0}", "es384\u{FFFD}"),
        (
            "\u{1b}[31m\r\nSet-Cookie: a=b",
            "\u{FFFD}[31m\u{FFFD}\u{FFFD}Set-Cookie: a=b",
        ),
        ("es38", "es38"),
        ("ES384", "ES384"),
        ("", ""),
        (&long, &long[..64]),
    ] {
        let header = json!({"alg": "ES384", "kid": kid});
        let error = verify(&key.sign_with_header(&header, &claims())).unwrap_err();
        assert_eq!(
            error,
            TokenError::KeyNotFound {
                kid: Some(shown.to_owned())
            }
        );
        assert!(error.is_key_not_found());
        assert!(!error.to_string().contains(char::is_control));
    }
    for kid in [json!(null), json!(1), json!(["es384"]), json!({})] {
        assert_malformed(&key.sign_with_header(&json!({"alg": "ES384", "kid": kid}), &claims()));
    }
}

#[test]
fn c60_no_flipped_bit_goes_unnoticed() {
    for key in [SigningKey::es384(), SigningKey::rs256()] {
        let keys = key.key_set(&AwsLcVerifier);
        let token = key.sign(&claims());
        let mut flipped = 0;
        for position in 0..token.len() * 8 {
            let mut bytes = token.clone().into_bytes();
            bytes[position / 8] ^= 1 << (position % 8);
            if let Ok(token) = String::from_utf8(bytes) {
                flipped += 1;
                assert!(verify_with(&token, &keys).is_err(), "bit {position}");
            }
        }
        assert_eq!(flipped, token.len() * 7, "the eighth bit makes it no text");
    }
}

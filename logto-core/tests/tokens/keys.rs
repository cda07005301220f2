//! JWKS: usable and ignored keys.

use logto_core::{
    error::TokenError,
    jwt::{self, Algorithm, AwsLcVerifier, KeySet, KeySetError, MAX_ID_TOKEN_LEN, TokenType},
};
use logto_recordings::Recording;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{self, SigningKey, VERIFIERS, base64url, from_base64url, jwks, key_set};

/// The shared ES384 key next to one that is under test.
fn beside_a_good_key(jwk: &Value) -> Vec<u8> {
    jwks(&[jwk.clone(), SigningKey::es384().jwk()])
}

fn assert_skipped(jwk: &Value) {
    for verifier in VERIFIERS {
        let keys = KeySet::parse(&beside_a_good_key(jwk), verifier).unwrap();
        assert_eq!(
            keys.kids().collect::<Vec<_>>(),
            ["es384"],
            "{verifier:?} {jwk}"
        );
        assert_eq!(keys.len(), 1);
        assert!(keys.find(Algorithm::Es384, Some("es384")).is_ok());
    }
}

fn assert_used(jwk: &Value) {
    for verifier in VERIFIERS {
        let keys = KeySet::parse(&beside_a_good_key(jwk), verifier).unwrap();
        assert_eq!(keys.len(), 2, "{verifier:?} {jwk}");
    }
}

/// The shared RSA key with some members replaced; `null` removes one.
fn rsa_with(changes: Value) -> Value {
    changed(SigningKey::rs256().jwk(), changes)
}

fn es256_with(changes: Value) -> Value {
    changed(
        SigningKey::generate(Algorithm::Es256, "es256").jwk(),
        changes,
    )
}

fn changed(mut jwk: Value, changes: Value) -> Value {
    let object = jwk.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    jwk
}

#[test]
fn r20_logtos_own_sets_are_read() {
    for (number, kids) in [
        (2, &["AmApishBHd1yyIP7hoqtfnU6_82NhjHLw-pNbyCr4z8"][..]),
        (
            118,
            &[
                "0NmywcSkDaKMlXCTS48QACPQbL3XjOUCAL2XdnCaVWQ",
                "AmApishBHd1yyIP7hoqtfnU6_82NhjHLw-pNbyCr4z8",
            ],
        ),
        (119, &["Oyh0GWgVzD9rT_MrwICMdlA3mhXv2Ul_ePKScWhnL-0"]),
    ] {
        let body = Recording::load(number).json().to_string();
        for verifier in VERIFIERS {
            let keys = KeySet::parse(body.as_bytes(), verifier).unwrap();
            assert_eq!(keys.kids().collect::<Vec<_>>(), kids, "{number}");
        }
    }
}

#[test]
fn r20_a_document_that_is_no_key_set_is_refused() {
    let parse = |body: &[u8]| KeySet::parse(body, &AwsLcVerifier).unwrap_err();
    for body in [
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":"[]"}"#,
        r#"{"Keys":[]}"#,
    ] {
        assert_eq!(parse(body.as_bytes()), KeySetError::NoKeys, "{body}");
    }
    for body in [
        "",
        "[]",
        "null",
        "<html>",
        "{\"keys\":[",
        "{\"keys\":[]} x",
        "\u{FEFF}{\"keys\":[]}",
    ] {
        assert!(
            matches!(parse(body.as_bytes()), KeySetError::Json(_)),
            "{body}"
        );
    }
}

#[test]
fn v17_a_document_with_a_repeated_member_is_refused() {
    let key = SigningKey::es384().jwk().to_string();
    for body in [
        format!(r#"{{"keys":[{key}],"keys":[]}}"#),
        format!(r#"{{"keys":[],"\u006beys":[{key}]}}"#),
        format!(r#"{{"keys":[{},"kid":"other"}}]}}"#, &key[..key.len() - 1]),
    ] {
        let error = KeySet::parse(body.as_bytes(), &AwsLcVerifier).unwrap_err();
        assert!(matches!(error, KeySetError::Json(_)), "{error} {body}");
    }
}

#[test]
fn r20_size_and_number_are_capped() {
    let key = SigningKey::es384().jwk();
    let hundred: Vec<Value> = (0..KeySet::MAX_KEYS)
        .map(|n| changed(key.clone(), json!({"kid": n.to_string()})))
        .collect();
    assert_eq!(key_set(&hundred, &AwsLcVerifier).len(), 100);

    let more = [hundred.as_slice(), &[json!({})]].concat();
    assert_eq!(
        KeySet::parse(&jwks(&more), &AwsLcVerifier).unwrap_err(),
        KeySetError::TooManyKeys { count: 101 }
    );

    let mut body = jwks(&[key]);
    body.resize(KeySet::MAX_LEN, b' ');
    assert_eq!(KeySet::parse(&body, &AwsLcVerifier).unwrap().len(), 1);
    body.push(b' ');
    assert_eq!(
        KeySet::parse(&body, &AwsLcVerifier).unwrap_err(),
        KeySetError::TooLong {
            len: KeySet::MAX_LEN + 1
        }
    );
}

#[test]
fn r13_an_empty_set_is_a_set() {
    let keys = key_set(&[], &AwsLcVerifier);
    assert!(keys.is_empty());
    assert!(
        keys.find(Algorithm::Es384, None)
            .unwrap_err()
            .is_key_not_found()
    );
}

#[test]
fn r13_r20_members_that_are_no_usable_key_are_left_out() {
    for jwk in [
        json!(null),
        json!("EC"),
        json!(1),
        json!([]),
        json!({}),
        json!({"kty": null, "kid": "x"}),
        json!({"kty": "oct", "k": "AAAA", "kid": "x"}),
        json!({"kty": "oct", "k": "AAAA", "kid": "x", "alg": "HS256", "use": "sig"}),
        json!({"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AAAA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "x", "alg": "ES256K", "use": "sig",
            "x": base64url([1; 32]), "y": base64url([2; 32])}),
        json!({"kty": "EC", "crv": "BP-256", "x": base64url([1; 32]), "y": base64url([2; 32])}),
        json!({"kty": "OKP", "crv": "Ed448", "x": base64url([1; 57])}),
        json!({"kty": "OKP", "crv": "X25519", "x": base64url([9; 32])}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url([1; 31])}),
        json!({"kty": "ec", "crv": "P-256"}),
    ] {
        assert_skipped(&jwk);
    }
}

#[test]
fn r13_a_key_that_shows_its_private_half_is_left_out() {
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert_skipped(&rsa_with(json!({ private: "AQAB" })));
        assert_skipped(&es256_with(json!({ private: "AQAB" })));
    }
}

#[test]
fn c62_use_key_ops_alg_and_kid_are_respected() {
    for good in [
        json!({}),
        json!({"use": null}),
        json!({"alg": null}),
        json!({"kid": null}),
        json!({"use": null, "key_ops": ["verify"]}),
        json!({"key_ops": ["verify", "sign"]}),
        json!({"x5c": ["MIIB"], "x5t": 1, "unknown": {"a": []}}),
    ] {
        assert_used(&rsa_with(good.clone()));
        assert_used(&es256_with(good));
    }
    for bad in [
        json!({"use": "enc"}),
        json!({"use": "SIG"}),
        json!({"use": ""}),
        json!({"use": ["sig"]}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": ["encrypt", "wrapKey"]}),
        json!({"key_ops": []}),
        json!({"key_ops": "verify"}),
        json!({"alg": "RSA-OAEP"}),
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES384"}),
        json!({"alg": ["RS256"]}),
        json!({"alg": ""}),
        json!({"kid": 7}),
        json!({"kid": ["a"]}),
    ] {
        assert_skipped(&rsa_with(bad.clone()));
        assert_skipped(&es256_with(bad));
    }
}

#[test]
fn c62_a_key_without_alg_serves_all_algorithms_of_its_kind_and_no_other() {
    use Algorithm::{Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    for verifier in VERIFIERS {
        for (jwk, algorithms) in [
            (rsa_with(json!({"alg": null, "kid": "k"})), &rsa[..]),
            (rsa_with(json!({"alg": "PS384", "kid": "k"})), &[Ps384]),
            (es256_with(json!({"alg": null, "kid": "k"})), &[Es256]),
        ] {
            let keys = key_set(&[jwk], verifier);
            for algorithm in support::ALL_ALGORITHMS {
                let found = keys.find(algorithm, Some("k")).map(|_| ());
                if algorithms.contains(&algorithm) {
                    assert_eq!(found, Ok(()), "{algorithm}");
                } else {
                    assert_eq!(
                        found,
                        Err(TokenError::KeyMismatch(algorithm.name())),
                        "{algorithm}"
                    );
                }
            }
        }
    }
}

#[test]
fn r12_v14_rsa_keys_outside_of_the_limits_are_left_out() {
    let modulus = |bits: usize| {
        let mut n = vec![0xFF; bits.div_ceil(8)];
        n[0] = 0xFF >> (bits.div_ceil(8) * 8 - bits);
        base64url(n)
    };
    for bits in [2048, 2049, 3072, 4096, 8191, 8192] {
        assert_used(&rsa_with(json!({"n": modulus(bits)})));
    }
    for bits in [1, 8, 16, 512, 1024, 2047, 8193, 16_384, 65_536] {
        assert_skipped(&rsa_with(json!({"n": modulus(bits)})));
    }
    let n = from_base64url(SigningKey::rs256().jwk()["n"].as_str().unwrap());
    let mut even = n.clone();
    even[255] &= 0xFE;
    let with_leading_zero = [&[0], n.as_slice()].concat();
    for n in [even, with_leading_zero, vec![], vec![0; 256]] {
        assert_skipped(&rsa_with(json!({"n": base64url(n)})));
    }

    for e in [&[3][..], &[17], &[1, 0, 1], &[0xFF; 4]] {
        assert_used(&rsa_with(json!({"e": base64url(e)})));
    }
    let huge = [[0x80].as_slice(), &[0; 510], &[1]].concat();
    for e in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[4],
        &[0, 1, 0, 1],
        &[1, 0, 0],
        &[1, 0, 0, 0, 0],
        &[1, 0, 0, 0, 1],
        &[0xFF; 9],
        &huge,
    ] {
        assert_skipped(&rsa_with(json!({"e": base64url(e)})));
    }
}

#[test]
fn r13_points_of_the_wrong_length_or_off_the_curve_are_left_out() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let good = SigningKey::generate(algorithm, "k").jwk();
        assert_used(&good);
        let x = from_base64url(good["x"].as_str().unwrap());
        let y = from_base64url(good["y"].as_str().unwrap());
        let mut off_curve = y.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        let zero = vec![0; x.len()];
        for bad in [
            json!({"y": base64url(off_curve)}),
            json!({"x": base64url(&y), "y": base64url(&x)}),
            json!({"x": base64url(&zero), "y": base64url(&zero)}),
            json!({"x": base64url(vec![0xFF; x.len()])}),
            json!({"x": base64url(&x[1..])}),
            json!({"x": base64url([&[0], x.as_slice()].concat())}),
            json!({"y": base64url([&[0], y.as_slice()].concat())}),
            // The same point, cut at another place.
            json!({"x": base64url([&x, &y[..1]].concat()), "y": base64url(&y[1..])}),
            json!({"x": "", "y": ""}),
            json!({"x": format!("{}=", base64url(&x))}),
            json!({"x": format!(" {}", base64url(&x))}),
            json!({"x": x}),
            json!({"y": null}),
        ] {
            assert_skipped(&changed(good.clone(), bad));
        }
    }
    assert_skipped(&es256_with(json!({"crv": "P-384", "alg": null})));
    assert_skipped(&es256_with(json!({"crv": "P-521", "alg": null})));
}

#[test]
fn r20_keys_that_share_a_kid_are_told_apart_by_algorithm_or_not_used() {
    let ec = SigningKey::generate(Algorithm::Es256, "same");
    let ec2 = SigningKey::generate(Algorithm::Es256, "same");
    let rsa = rsa_with(json!({"kid": "same"}));
    let find = |keys: &KeySet, algorithm| keys.find(algorithm, Some("same")).map(|_| ());

    let told_apart = key_set(&[ec.jwk(), rsa.clone()], &AwsLcVerifier);
    assert_eq!(find(&told_apart, Algorithm::Es256), Ok(()));
    assert_eq!(find(&told_apart, Algorithm::Rs256), Ok(()));

    let ambiguous = key_set(&[ec.jwk(), rsa, ec2.jwk()], &AwsLcVerifier);
    assert_eq!(
        find(&ambiguous, Algorithm::Es256),
        Err(TokenError::AmbiguousKey)
    );
    assert_eq!(find(&ambiguous, Algorithm::Rs256), Ok(()));
}

/// Serializers of records write every member, and a list that is merged from two sources has a key twice.
/// Neither says anything that could be misunderstood.
#[test]
fn null_members_are_absent_and_a_key_listed_twice_is_one() {
    let nulls = [
        "alg", "use", "key_ops", "x5c", "x5t", "x5u", "d", "p", "q", "k", "oth",
    ];
    let mut with_nulls = SigningKey::generate(Algorithm::Es256, "es256").jwk();
    for member in nulls {
        with_nulls[member] = Value::Null;
    }
    assert_used(&with_nulls);
    with_nulls["kid"] = Value::Null;
    assert_used(&with_nulls);

    let key = SigningKey::generate(Algorithm::Es256, "es256").jwk();
    let without_alg = changed(key.clone(), json!({"alg": null}));
    let other_kid = changed(key.clone(), json!({"kid": "other"}));
    let keys = key_set(&[key.clone(), key, without_alg, other_kid], &AwsLcVerifier);
    for kid in [Some("es256"), Some("other"), None] {
        assert!(keys.find(Algorithm::Es256, kid).is_ok(), "{kid:?}");
    }
}

/// RFC 9864 names the algorithm by its curve; the older name stays in use.
#[test]
fn ed25519_is_a_name_of_eddsa() {
    let key = SigningKey::generate(Algorithm::EdDsa, "ed");
    let jwk = |alg: &str| changed(key.jwk(), json!({"alg": alg}));
    // The other verifier has no EdDSA.
    for alg in ["Ed25519", "EdDSA"] {
        let keys = key_set(&[jwk(alg)], &AwsLcVerifier);
        for header in ["Ed25519", "EdDSA"] {
            let header = json!({"alg": header, "kid": "ed"});
            let token = key.sign_with_header(&header, &json!({"sub": "user"}));
            let verified = jwt::verify(&token, &keys, TokenType::IdToken, MAX_ID_TOKEN_LEN);
            assert!(verified.is_ok(), "{alg} {header}: {verified:?}");
        }
    }
    for alg in ["ed25519", "Ed448", "ED25519"] {
        assert_skipped(&jwk(alg));
    }
}

#[test]
fn r20_the_conformance_suites_set_is_usable() {
    let rsa: Vec<SigningKey> = ["rsa1", "rsa2"]
        .map(|kid| SigningKey::generate(Algorithm::Rs256, kid))
        .into();
    let ec: Vec<SigningKey> = ["ec1", "ec2"]
        .map(|kid| SigningKey::generate(Algorithm::Es256, kid))
        .into();
    let ed = SigningKey::generate(Algorithm::EdDsa, "ed");
    let mut keys: Vec<Value> = rsa
        .iter()
        .chain(&ec)
        .chain([&ed])
        .map(|key| changed(key.jwk(), json!({"alg": null})))
        .collect();
    keys.insert(
        0,
        changed(
            ec[0].jwk(),
            json!({"crv": "secp256k1", "kid": "k1", "alg": null}),
        ),
    );
    keys.push(rsa_with(
        json!({"use": "enc", "kid": "rsa-enc", "alg": "RSA-OAEP"}),
    ));
    keys.push(es256_with(
        json!({"use": "enc", "kid": "ec-enc", "alg": "ECDH-ES"}),
    ));
    let keys = key_set(&keys, &AwsLcVerifier);
    assert_eq!(
        keys.kids().collect::<Vec<_>>(),
        ["ec1", "ec2", "ed", "rsa1", "rsa2"]
    );
    for key in rsa.iter().chain(&ec).chain([&ed]) {
        let token = key.sign(&json!({"sub": "user"}));
        assert!(jwt::verify(&token, &keys, TokenType::IdToken, MAX_ID_TOKEN_LEN).is_ok());
    }
}

#[test]
fn r21_t18_t19_a_newer_set_replaces_the_older_one_as_a_whole() {
    let before = SigningKey::generate(Algorithm::Es384, "before");
    let after = SigningKey::generate(Algorithm::Rs256, "after");
    let verify = |token: &str, keys: &KeySet| {
        jwt::verify(token, keys, TokenType::IdToken, MAX_ID_TOKEN_LEN).map(|_| ())
    };
    let old_token = before.sign(&json!({}));
    let new_token = after.sign(&json!({}));

    let mut keys = before.key_set(&AwsLcVerifier);
    assert_eq!(verify(&old_token, &keys), Ok(()));
    assert!(verify(&new_token, &keys).unwrap_err().is_key_not_found());

    keys = after.key_set(&AwsLcVerifier);
    assert_eq!(verify(&new_token, &keys), Ok(()));
    assert!(verify(&old_token, &keys).unwrap_err().is_key_not_found());
}

#[test]
fn r34_keys_of_different_kinds_live_side_by_side() {
    let recorded = Recording::load(118).json().to_string();
    for verifier in VERIFIERS {
        let keys = KeySet::parse(recorded.as_bytes(), verifier).unwrap();
        let rsa = Some("0NmywcSkDaKMlXCTS48QACPQbL3XjOUCAL2XdnCaVWQ");
        let ec = Some("AmApishBHd1yyIP7hoqtfnU6_82NhjHLw-pNbyCr4z8");
        assert!(
            keys.find(Algorithm::Rs256, rsa).is_ok(),
            "Logto gives its RSA keys no `alg`"
        );
        assert!(keys.find(Algorithm::Ps256, rsa).is_ok());
        assert!(keys.find(Algorithm::Es384, ec).is_ok());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in any::<Vec<u8>>()) {
        let _ = KeySet::parse(&body, &AwsLcVerifier);
    }

    #[test]
    fn arbitrary_numbers_in_a_key_never_panic(
        kty in prop::sample::select(vec!["EC", "RSA", "OKP"]),
        crv in prop::sample::select(vec!["P-256", "P-384", "P-521", "Ed25519"]),
        x in prop::collection::vec(any::<u8>(), 0..70),
        y in prop::collection::vec(any::<u8>(), 0..70),
        n in prop::collection::vec(any::<u8>(), 0..1100),
        e in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let jwk = json!({
            "kty": kty, "crv": crv, "kid": "k",
            "x": base64url(x), "y": base64url(y), "n": base64url(n), "e": base64url(e),
        });
        for verifier in VERIFIERS {
            let keys = KeySet::parse(&jwks(std::slice::from_ref(&jwk)), verifier).unwrap();
            for algorithm in support::ALL_ALGORITHMS {
                if let Ok(key) = keys.find(algorithm, Some("k")) {
                    prop_assert!(!key.verify(b"message", &[1; 64]));
                }
            }
        }
    }
}

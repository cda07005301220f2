//! JWT headers.

use aws_lc_rs::hmac;
use logto_core::{
    error::TokenError,
    jwt::{self, Algorithm, AwsLcVerifier, MAX_TOKEN_LEN, TokenType},
};
use serde_json::json;

use super::{assert_malformed, claims, es384_keys, verify, verify_with};
use crate::support::{SigningKey, base64url, from_base64url, jwks};

#[test]
fn c61_v2_t9_alg_none_and_unknown_algorithms_are_refused() {
    let key = SigningKey::es384();
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "none ",
        "",
        "es384",
        "ES384 ",
        "\u{0}ES384",
        "ES256K",
        "RS1",
        "HS256",
        "hs256",
        "RSA-OAEP",
        "dir",
        "ECDH-ES",
        "EdDSA448",
    ] {
        let header = json!({"alg": name, "kid": "es384"});
        let signed = key.sign_with_header(&header, &claims());
        let (message, _) = signed.rsplit_once('.').unwrap();
        for token in [signed.clone(), format!("{message}.")] {
            match verify(&token) {
                Err(TokenError::UnsupportedAlgorithm { .. }) => {}
                other => panic!("{other:?} for {name}"),
            }
        }
    }
    let without = key.sign_with_header(&json!({"kid": "es384"}), &claims());
    let error = verify(&without).unwrap_err();
    assert_eq!(
        error,
        TokenError::UnsupportedAlgorithm {
            algorithm: String::new()
        }
    );
    for value in [
        json!(null),
        json!(["ES384"]),
        json!(384),
        json!({"ES384": true}),
    ] {
        assert_malformed(&key.sign_with_header(&json!({"alg": value, "kid": "es384"}), &claims()));
    }
}

#[test]
fn v1_t25_hmac_with_public_values_as_key_is_refused() {
    let key = SigningKey::rs256();
    let jwk = key.jwk();
    let modulus = from_base64url(jwk["n"].as_str().unwrap());
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        jwk["n"]
    );
    let keys = key.key_set(&AwsLcVerifier);
    for (name, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        for secret in [
            jwk.to_string().into_bytes(),
            jwks(std::slice::from_ref(&jwk)),
            pem.clone().into_bytes(),
            format!(" \n{pem}").into_bytes(),
            modulus.clone(),
            b"".to_vec(),
        ] {
            let header = json!({"alg": name, "kid": "rs256"}).to_string();
            let message = format!("{}.{}", base64url(header), base64url(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), message.as_bytes());
            let token = format!("{message}.{}", base64url(tag));
            let refused = TokenError::UnsupportedAlgorithm {
                algorithm: name.to_owned(),
            };
            assert_eq!(verify_with(&token, &keys).unwrap_err(), refused);
        }
    }
}

#[test]
fn c63_v3_keys_from_the_header_are_not_used() {
    let honest = SigningKey::es384();
    let attacker = SigningKey::generate(Algorithm::Es384, "es384");
    let embedded = json!({
        "jwk": attacker.jwk(),
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/cert.pem",
        "x5c": ["MIIB"],
        "x5t": "AAAA",
    });
    for (name, value) in embedded.as_object().unwrap() {
        let mut header = honest.header();
        header[name] = value.clone();
        let forged = attacker.sign_with_header(&header, &claims());
        assert_eq!(
            verify(&forged).unwrap_err(),
            TokenError::BadSignature,
            "{name}"
        );
        let genuine = honest.sign_with_header(&header, &claims());
        assert!(verify(&genuine).is_ok(), "{name} is ignored");

        header["kid"] = json!("attacker");
        let unknown = attacker.sign_with_header(&header, &claims());
        assert!(verify(&unknown).unwrap_err().is_key_not_found(), "{name}");
    }
}

#[test]
fn c64_v4_r11_extensions_of_the_header_are_refused() {
    let key = SigningKey::es384();
    for (name, value) in [
        ("crit", json!(["bork"])),
        ("crit", json!(["b64"])),
        ("crit", json!(["exp"])),
        ("crit", json!(["alg", "kid"])),
        ("crit", json!([])),
        ("crit", json!("x")),
        ("crit", json!("")),
        ("crit", json!(null)),
        ("crit", json!({})),
        ("crit", json!(false)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("zip", json!(null)),
    ] {
        let mut header = key.header();
        header[name] = value;
        let token = key.sign_with_header(&header, &claims());
        assert_eq!(verify(&token).unwrap_err(), TokenError::Extension(name));
    }
    let unencoded = json!({"alg": "ES384", "kid": "es384", "crit": ["b64"], "b64": false});
    let token = key.sign_encoded(&format!("{}.{{}}", base64url(unencoded.to_string())));
    assert_eq!(verify(&token).unwrap_err(), TokenError::Extension("crit"));
}

#[test]
fn c75_v17_repeated_members_are_refused_in_header_and_payload() {
    let key = SigningKey::es384();
    let header = key.header().to_string();
    for text in [
        r#"{"alg":"ES384","alg":"none","kid":"es384"}"#,
        r#"{"alg":"none","alg":"ES384","kid":"es384"}"#,
        r#"{"alg":"ES384","\u0061lg":"ES384","kid":"es384"}"#,
        r#"{"alg":"ES384","kid":"es384","jwk":{"kty":"EC","kty":"RSA"}}"#,
    ] {
        assert_malformed(&key.sign_text(text, "{}"));
    }
    for text in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"sub":"a","sub":"a"}"#,
        r#"{"sub":"a","\u0073ub":"b"}"#,
        r#"{"custom_data":{"role":"user","role":"admin"}}"#,
        r#"{"list":[{"x":1,"\u0078":2}]}"#,
    ] {
        assert_malformed(&key.sign_text(&header, text));
    }
}

#[test]
fn c74_v8_r1_a_token_of_one_type_is_not_accepted_as_another() {
    let key = SigningKey::es384();
    let keys = es384_keys();
    let types = [
        TokenType::IdToken,
        TokenType::AccessToken,
        TokenType::LogoutToken,
    ];
    for (typ, accepted_as) in [
        (None, Some(TokenType::IdToken)),
        (Some("JWT"), Some(TokenType::IdToken)),
        (Some("jwt"), Some(TokenType::IdToken)),
        (Some("at+jwt"), Some(TokenType::AccessToken)),
        (Some("AT+JWT"), Some(TokenType::AccessToken)),
        (Some("application/at+jwt"), Some(TokenType::AccessToken)),
        (Some("Application/At+Jwt"), Some(TokenType::AccessToken)),
        (Some("logout+jwt"), Some(TokenType::LogoutToken)),
        (Some("LOGOUT+JWT"), Some(TokenType::LogoutToken)),
        (Some("application/logout+jwt"), Some(TokenType::LogoutToken)),
        (Some("token-introspection+jwt"), None),
        (Some("secevent+jwt"), None),
        (Some("dpop+jwt"), None),
        (Some(""), None),
        (Some("JWT "), None),
        (Some("at+jwt; v=1"), None),
    ] {
        let mut header = key.header();
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let token = key.sign_with_header(&header, &claims());
        for expected in types {
            let result = jwt::verify(&token, &keys, expected, MAX_TOKEN_LEN);
            if Some(expected) == accepted_as {
                assert_eq!(result.unwrap().header.typ.as_deref(), typ);
            } else {
                let error = result.unwrap_err();
                assert!(
                    matches!(error, TokenError::WrongType { .. }),
                    "{error:?} {typ:?}"
                );
            }
        }
    }
    for typ in [json!(null), json!(["JWT"]), json!(1)] {
        let header = json!({"alg": "ES384", "kid": "es384", "typ": typ});
        assert_malformed(&key.sign_with_header(&header, &claims()));
    }
}

//! The compact serialization.

use logto_core::{
    error::TokenError,
    jwt::{self, MAX_ID_TOKEN_LEN, MAX_TOKEN_LEN, TokenType},
};
use serde_json::json;

use super::{assert_malformed, claims, es384_keys, verify};
use crate::support::{SigningKey, base64url};

#[test]
fn c60_v18_only_the_compact_serialization_with_strict_base64url_is_read() {
    let token = SigningKey::es384().sign(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!()
    };
    assert!(verify(&token).is_ok());

    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{signature}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("\u{FEFF}{token}"),
        format!("{header}.\t{payload}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        format!("{token}="),
        format!("{token}%3D"),
        format!("{header}.{payload}.+{}", &signature[1..]),
        format!("{header}.{payload}./{}", &signature[1..]),
        format!("{header}.{payload}.é{}", &signature[2..]),
        format!("{header}.{payload}.{signature}A"),
        format!("Bearer {token}"),
        json!({"payload": payload, "protected": header, "signature": signature}).to_string(),
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
            .to_string(),
    ] {
        assert_malformed(&malformed);
    }
}

#[test]
fn v18_stray_bits_behind_the_last_character_are_refused() {
    // 23 bytes leave two bits over in the last character, 22 leave four.
    for (payload, last) in [
        (r#"{"sub":"user-23-bytes"}"#, '1'),
        (r#"{"sub":"user-22-byte"}"#, 'R'),
    ] {
        let key = SigningKey::es384();
        let header = base64url(key.header().to_string());
        let payload = base64url(payload);
        assert!(verify(&key.sign_encoded(&format!("{header}.{payload}"))).is_ok());
        let stray = format!("{}{last}", &payload[..payload.len() - 1]);
        assert_ne!(payload, stray);
        assert_malformed(&key.sign_encoded(&format!("{header}.{stray}")));
    }
}

#[test]
fn c60_header_and_payload_are_json_objects() {
    let key = SigningKey::es384();
    let header = key.header().to_string();
    for text in [
        "",
        "null",
        "[]",
        "\"\"",
        "{",
        "{}{}",
        "\u{FEFF}{}",
        "{\"a\":\"\u{0}\"}",
    ] {
        assert_malformed(&key.sign_text(text, "{}"));
        assert_malformed(&key.sign_text(&header, text));
    }
    let not_utf8 = format!(
        "{}.{}",
        base64url(&header),
        base64url(b"{\"sub\":\"\xFF\"}")
    );
    assert_malformed(&key.sign_encoded(&not_utf8));
}

#[test]
fn v10_encrypted_and_nested_tokens_are_refused() {
    let key = SigningKey::es384();
    let header = base64url(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    assert_malformed(&format!("{header}.a2V5.aXY.Y2lwaGVydGV4dA.dGFn"));
    let plain = format!(
        "{}.{}.",
        base64url(r#"{"alg":"none"}"#),
        base64url(claims().to_string())
    );
    let nesting = json!({"alg": "ES384", "kid": "es384", "cty": "JWT"}).to_string();
    assert_malformed(&key.sign_text(&nesting, &plain));
    assert_malformed(&key.sign_text(&nesting, &key.sign(&claims())));
}

#[test]
fn r10_v11_a_token_that_is_too_long_is_not_read() {
    let token = SigningKey::es384().sign(&claims());
    let keys = es384_keys();
    let verify = |token: &str, limit| jwt::verify(token, &keys, TokenType::IdToken, limit);
    assert!(verify(&token, token.len()).is_ok());
    for (token, limit) in [
        (token.clone(), token.len() - 1),
        (".".repeat(1_000_000), MAX_TOKEN_LEN),
        ("a".repeat(16_000_000), MAX_ID_TOKEN_LEN),
    ] {
        assert_eq!(
            verify(&token, limit).unwrap_err(),
            TokenError::TooLong { limit }
        );
    }
}

#[test]
fn r10_v11_dots_and_nesting_up_to_the_limit_are_refused() {
    assert_malformed(&".".repeat(MAX_ID_TOKEN_LEN));
    let key = SigningKey::es384();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert_malformed(&key.sign_text(&key.header().to_string(), &deep));
    assert_malformed(&key.sign_text(&deep, "{}"));
}

#[test]
fn r10_the_id_token_of_a_user_in_a_thousand_organizations_is_read() {
    let roles: Vec<String> = (0..1000)
        .map(|n| format!("organization{n:04}:member"))
        .collect();
    let mut claims = claims();
    claims["organization_roles"] = json!(roles);
    let token = SigningKey::es384().sign(&claims);
    assert!(token.len() > 30 * 1024);
    assert!(verify(&token).is_ok());
}

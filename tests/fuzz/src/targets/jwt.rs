//! A signed token of any type: its header in a line, then its payload. Both are signed as they are, JSON or not.
//! What begins with `raw ` is a token as it stands.

use logto_core::jwt::{MAX_ID_TOKEN_LEN, TokenType, VerifiedJwt, verify};
use logto_recordings::Recording;
use serde_json::{Map, Value};

use super::jwks::is_named;
use crate::{
    Verdict,
    application::{header, id_token_claims, keys, signed_text},
    input::{joined, lines, text},
    undisclosed::assert_undisclosed,
};

const TYPES: [TokenType; 3] = [
    TokenType::IdToken,
    TokenType::AccessToken,
    TokenType::LogoutToken,
];

/// The token of an input.
pub fn token(data: &[u8]) -> String {
    match data.strip_prefix(b"raw ") {
        Some(token) => text(token),
        None => {
            let [header, payload] = lines(data);
            signed_text(header, payload)
        }
    }
}

/// What is accepted of an input.
pub fn accepted(data: &[u8]) -> Option<VerifiedJwt> {
    let token = token(data);
    let mut accepted = TYPES
        .into_iter()
        .filter_map(|kind| verify(&token, keys(), kind, MAX_ID_TOKEN_LEN).ok());
    let first = accepted.next();
    assert!(accepted.next().is_none(), "a token is of two types");
    first
}

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let Some(jwt) = accepted(data) else {
        return Verdict::Refused;
    };
    if !data.starts_with(b"raw ") {
        let [header, payload] = lines(data);
        let header: Map<String, Value> =
            serde_json::from_slice(header).expect("a header is an object");
        let payload: Map<String, Value> =
            serde_json::from_slice(payload).expect("the claims are an object");
        assert_eq!(jwt.claims, payload, "a claim is not as it came");
        let alg = header["alg"].as_str();
        assert!(alg.is_some_and(|alg| is_named(jwt.header.algorithm, alg)));
        assert_eq!(
            header.get("kid").and_then(Value::as_str),
            jwt.header.kid.as_deref()
        );
        assert_eq!(
            header.get("typ").and_then(Value::as_str),
            jwt.header.typ.as_deref()
        );
        assert!(
            ["crit", "b64", "zip"]
                .iter()
                .all(|name| !header.contains_key(*name))
        );
    }
    let token = token(data);
    assert_undisclosed(&jwt, &token, data);
    is_the_only_spelling(&token);
    Verdict::Accepted
}

/// A token that was changed anywhere is refused.
fn is_the_only_spelling(token: &str) {
    let mut changed = token.to_owned().into_bytes();
    // As many places as cost little: all would take the square of the length.
    for place in (0..changed.len()).step_by(changed.len() / 8 + 1) {
        let there = changed[place];
        changed[place] = match there {
            b'A' => b'B',
            _ => b'A',
        };
        refused(&text(&changed));
        changed[place] = there;
    }
    for other in [
        format!("{token}="),
        format!("{token}."),
        format!(" {token}"),
    ] {
        refused(&other);
    }
    refused(&token[..token.len() - 1]);
}

fn refused(token: &str) {
    for kind in TYPES {
        assert!(verify(token, keys(), kind, MAX_ID_TOKEN_LEN).is_err());
    }
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let claims = id_token_claims().to_string();
    let mut seeds: Vec<Vec<u8>> = [None, Some("JWT"), Some("at+jwt"), Some("logout+jwt")]
        .map(|typ| joined([header(typ).as_bytes(), claims.as_bytes()]))
        .to_vec();
    let of_recording = Recording::load(6).json();
    let recorded = of_recording["id_token"]
        .as_str()
        .expect("there is an ID token");
    seeds.push(format!("raw {recorded}").into());
    seeds.push(joined([br#"{"alg":"none"}"#, b"{}"]));
    seeds.push(joined([
        br#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#,
        b"{}",
    ]));
    seeds.push(joined([
        br#"{"alg":"EdDSA","jku":"https://evil.example","jwk":{}}"#,
        b"{}",
    ]));
    seeds
}

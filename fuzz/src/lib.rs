//! What jsonwebtoken says to the same input: nothing that we accept is refused by it.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use logto_fuzz::{Verdict, public_jwk, targets};
use serde_json::{Map, Value, json};

/// The header parameters that both read. Others we ignore, and the peer reads some of them.
const KNOWN: [&str; 3] = ["alg", "kid", "typ"];

/// Compares what became of a token.
pub fn jwt(data: &[u8]) {
    let Some(accepted) = targets::jwt::accepted(data) else {
        return;
    };
    let header = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header: Map<String, Value> = match serde_json::from_slice(header) {
        Ok(header) => header,
        Err(_) => return,
    };
    if header.keys().any(|name| !KNOWN.contains(&&**name)) {
        return;
    }
    let jwk: Jwk = serde_json::from_value(public_jwk()).expect("the peer knows the key");
    let key = DecodingKey::from_jwk(&jwk).expect("the peer knows the key");
    // The signature only: the claims are for the types of tokens.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let token = targets::jwt::token(data);
    let theirs = jsonwebtoken::decode::<Map<String, Value>>(&token, &key, &validation);
    let theirs = theirs.expect("jsonwebtoken refuses what we accept");
    assert_eq!(theirs.claims, accepted.claims);
    assert_eq!(theirs.header.kid, accepted.header.kid);
}

/// Compares the keys of a set, each alone.
pub fn jwks(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    for jwk in document["keys"].as_array().into_iter().flatten().take(4) {
        let alone = json!({ "keys": [jwk] }).to_string();
        if (targets::jwks::run)(alone.as_bytes()) == Verdict::Accepted {
            // What the peer has to read beside the key: members that are no text are ignored by us.
            let mut jwk = jwk.clone();
            if let Some(members) = jwk.as_object_mut() {
                members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&&**name));
            }
            // It does not know P-521.
            if jwk["crv"] == "P-521" {
                continue;
            }
            let theirs: Jwk = serde_json::from_value(jwk).expect("jsonwebtoken reads the key");
            assert!(
                DecodingKey::from_jwk(&theirs).is_ok(),
                "jsonwebtoken refuses a key"
            );
        }
    }
}

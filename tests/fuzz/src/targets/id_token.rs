//! The ID token of a token response: the claims are signed, so that all that checks them is reached.
//!
//! The first line is the header, or empty for that of Logto; then come the claims.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_core::{UnixTime, id_token::IdTokenVerification};
use logto_recordings::Recording;
use serde_json::{Map, Value, json};

use crate::{
    Verdict,
    application::{APP_ID, ISSUER, NOW, header, id_token_claims, keys, signed_text},
    input::{joined, lines},
};

/// The tolerated difference between the clocks is not longer.
const MAX_SKEW_SECS: i64 = 600;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let [given, payload] = lines(data);
    let header = match given {
        [] => header(None).into_bytes(),
        given => given.to_vec(),
    };
    let token = signed_text(&header, payload);
    let verification = |issuer, client_id| IdTokenVerification::new(issuer, client_id);
    let ours = || verification(ISSUER, APP_ID).nonce("the-nonce");
    let Ok(claims) = ours().verify(&token, keys(), NOW) else {
        return Verdict::Refused;
    };

    let signed: Map<String, Value> =
        serde_json::from_slice(payload).expect("the claims are an object");
    assert_eq!(claims.to_map(), signed, "a claim is not as it came");
    assert_eq!(signed["iss"], ISSUER);
    assert_eq!(signed["nonce"], "the-nonce");
    assert!(signed["aud"] == APP_ID || signed["aud"] == json!([APP_ID]));
    assert!(!claims.sub.is_empty());
    assert!(claims.exp.as_secs().saturating_add(MAX_SKEW_SECS) > NOW.as_secs());
    assert!(claims.iat.as_secs().saturating_sub(MAX_SKEW_SECS) <= NOW.as_secs());

    let refused = |verification: IdTokenVerification<'_>, now| {
        assert!(verification.verify(&token, keys(), now).is_err());
    };
    refused(ours().nonce("another-nonce"), NOW);
    refused(
        verification("https://other.example/oidc", APP_ID).nonce("the-nonce"),
        NOW,
    );
    refused(verification(ISSUER, "other-app").nonce("the-nonce"), NOW);
    let late = claims.exp.as_secs().saturating_add(MAX_SKEW_SECS);
    refused(ours(), UnixTime::from_secs(late));
    if claims.auth_time.is_none() {
        refused(ours().max_age(Duration::from_secs(60)), NOW);
    }
    if claims.acr.is_none() {
        refused(ours().acr_values(&["gold".to_owned()]), NOW);
    }
    // It continues itself.
    assert!(ours().previous(&claims).verify(&token, keys(), NOW).is_ok());
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut full = id_token_claims();
    for (name, value) in [
        ("aud", json!([APP_ID])),
        ("azp", json!(APP_ID)),
        ("auth_time", json!(NOW.as_secs())),
        ("acr", json!("gold")),
        ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")),
        ("sid", json!("session-1")),
        ("email", json!("alice@example.com")),
        ("email_verified", json!(true)),
        ("address", json!({"formatted": "Street 1"})),
        (
            "identities",
            json!({"github": {"userId": "1", "details": {}}}),
        ),
        ("organizations", json!(["org-1"])),
        ("organization_roles", json!(["org-1:admin"])),
        ("organization_data", json!([{"id": "org-1", "name": "One"}])),
        ("custom_data", json!({"plan": null})),
    ] {
        full[name] = value;
    }
    let mut claims = vec![id_token_claims(), full];
    for recording in [6, 116] {
        let body = Recording::load(recording).json();
        let token = body["id_token"]
            .as_str()
            .and_then(|token| token.split('.').nth(1));
        let mut recorded = match token {
            Some(payload) => decoded(payload),
            None => body,
        };
        for (name, value) in id_token_claims().as_object().expect("an object") {
            recorded[name] = value.clone();
        }
        claims.push(recorded);
    }
    let texts = claims.into_iter().map(|claims| claims.to_string());
    texts
        .map(|claims| joined([b"", claims.as_bytes()]))
        .collect()
}

fn decoded(payload: &str) -> Value {
    let payload = URL_SAFE_NO_PAD
        .decode(payload)
        .expect("a recorded token is base64url");
    serde_json::from_slice(&payload).expect("recorded claims are JSON")
}

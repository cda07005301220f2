//! A webhook: the signature in the first line, or `sign` to have the body signed; then the body.

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderValue};
use logto_core::{
    Secret,
    webhook::{WebhookError, account_change, verify},
};
use serde_json::{Value, json};

use crate::{
    Verdict,
    input::{joined, lines},
};

const HEADER: &str = "logto-signature-sha-256";
const KEY: &str = "the-signing-key-1";

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let [signature, body] = lines(data);
    let key = Secret::from(KEY);
    let mut headers = HeaderMap::new();
    let is_signed = signature == b"sign";
    let value = match is_signed {
        true => HeaderValue::from_str(&signed(body)),
        false => HeaderValue::from_bytes(signature).or_else(|_| HeaderValue::from_str("")),
    };
    headers.append(HEADER, value.expect("the signature is text"));
    let outcome = account_change(&key, &headers, body);
    if !is_signed {
        let is_right = signature.eq_ignore_ascii_case(signed(body).as_bytes());
        assert_eq!(verify(&key, &headers, body).is_ok(), is_right);
        if !is_right {
            assert_eq!(outcome, Err(WebhookError::Signature));
        }
        return Verdict::Refused;
    }
    assert!(!matches!(
        outcome,
        Err(WebhookError::Signature | WebhookError::Header)
    ));
    let other = [body, b" "].concat();
    assert_eq!(verify(&key, &headers, &other), Err(WebhookError::Signature));
    let other_key = Secret::from("another-key");
    assert_eq!(
        verify(&other_key, &headers, body),
        Err(WebhookError::Signature)
    );
    let Ok(Some(change)) = outcome else {
        return Verdict::Refused;
    };
    let said: Value = serde_json::from_slice(body).expect("the body is JSON");
    let named = [
        &said["userId"],
        &said["data"]["id"],
        &said["params"]["userId"],
    ];
    assert!(named.iter().any(|name| *name == change.sub()));
    assert!(said["event"].is_string());
    Verdict::Accepted
}

fn signed(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let digits = hmac::sign(&key, body);
    digits
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let at = "2026-11-28T02:26:10.123Z";
    let events = [
        json!({"event": "User.Deleted", "createdAt": at, "params": {"userId": "alice"}, "data": null}),
        json!({
            "event": "User.SuspensionStatus.Updated",
            "createdAt": at,
            "data": {"id": "alice", "isSuspended": true},
        }),
        json!({"event": "PostResetPassword", "createdAt": at, "userId": "alice"}),
        json!({
            "event": "User.Data.Updated",
            "createdAt": at,
            "matchedRoute": "/users/:userId/password",
            "path": "/users/alice/password",
            "data": {"id": "alice"},
        }),
        json!({"event": "PostSignIn", "createdAt": at, "userId": "alice"}),
    ];
    let mut seeds: Vec<Vec<u8>> = events
        .iter()
        .map(|event| joined([b"sign", event.to_string().as_bytes()]))
        .collect();
    seeds.push(joined([signed(b"{}").as_bytes(), b"{}"]));
    seeds.push(joined([b"zz", b"{}"]));
    seeds
}

//! Stored sessions and deltas that a test can modify.

use std::sync::OnceLock;

use logto_core::{Session, UnixTime, session::SessionDelta};
use serde_json::{Value, json};

use super::{
    SigningKey,
    provider::{self, ISSUER, NOW},
};

pub const API: &str = "https://api.example.com";
const ORGANIZATIONS: &str = "urn:logto:scope:organizations";

pub fn id_token(claims: &Value) -> String {
    let mut all = json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": "app-id",
        "exp": NOW.as_secs() + 3600,
        "iat": NOW.as_secs(),
    });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    SigningKey::es384().sign(&all)
}

/// The same token every time: signatures with ES384 differ each time.
pub fn plain_id_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| id_token(&json!({})))
}

pub fn token_record(token: &str, scopes: &[&str], expires_in: i64) -> Value {
    json!({
        "token": token,
        "scopes": scopes,
        "issued_at": NOW,
        "expires_at": NOW.as_secs() + expires_in,
        "last_used": NOW,
    })
}

/// A stored session, in which a test can change what it likes.
pub fn record() -> Value {
    json!({
        "id": vec![7; 16],
        "id_token": plain_id_token(),
        "refresh_token": "the-refresh-token",
        "access_tokens": [
            [{}, token_record("for-userinfo", &["openid", "offline_access"], 3600)],
            [{"resource": API}, token_record("for-the-api", &["read:orders"], 600)],
        ],
        "requested_scopes": ["openid", "offline_access", "email", "read:orders", ORGANIZATIONS],
        "requested_resources": [API, "urn:logto:resource:organizations"],
        "granted_scopes": ["openid", "offline_access", ORGANIZATIONS],
        "began_at": NOW,
        "created_at": NOW,
        "changed_at": NOW,
    })
}

pub fn read(record: Value) -> Session {
    serde_json::from_value(record).unwrap()
}

pub fn session() -> Session {
    read(record())
}

pub fn session_with(member: &str, value: Value) -> Session {
    let mut record = record();
    record[member] = value;
    read(record)
}

/// A delta as a store or another process would have it.
pub fn delta(record: Value) -> SessionDelta {
    let empty = json!({
        "refresh_token": null, "id_token": null, "access_token": null, "forgotten": [], "at": null,
    });
    let mut all = provider::object(empty);
    all.extend(provider::object(record));
    serde_json::from_value(Value::Object(all)).unwrap()
}

pub fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + seconds)
}

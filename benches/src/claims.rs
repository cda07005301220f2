//! What the tokens say, and the types that the peers read it into.

use serde::Deserialize;
use serde_json::{Value, json};

/// The issuer of every token.
pub const ISSUER: &str = "https://tenant.logto.app/oidc";
/// The application of every token.
pub const APP_ID: &str = "bench-web-app";
/// The API of the access tokens.
pub const API: &str = "https://shop.example.com/api";
/// The nonce of the sign-in.
pub const NONCE: &str = "mLdQ7cXFxkEvC0vT3w2u5QGqJf0yWn5kq7Wm1vS2x9Y";
/// When the tokens are issued; they expire in an hour.
pub const NOW: i64 = 1_800_000_000;

/// The claims of an ID token as Logto issues it to a member of some organizations.
pub fn id_token(issued_at: i64, organizations: usize) -> Value {
    let organizations: Vec<String> = (0..organizations).map(|i| format!("{i:012x}")).collect();
    let roles: Vec<String> = organizations
        .iter()
        .map(|id| format!("{id}:member"))
        .collect();
    json!({
        "sub": "3xd0sv4gw2qm",
        "name": "Alice Example",
        "picture": "https://example.com/pictures/alice.png",
        "username": "alice",
        "email": "alice@example.com",
        "email_verified": true,
        "roles": ["customer"],
        "organizations": organizations,
        "organization_roles": roles,
        "nonce": NONCE,
        "sid": "HNDPMfB0Rk6xwqBVnTnq9",
        "aud": APP_ID,
        "exp": issued_at + 3_600,
        "iat": issued_at,
        "iss": ISSUER,
    })
}

/// The claims of an access token for [`API`]; `extra` makes it longer.
pub fn access_token(issuer: &str, issued_at: i64, extra: &str) -> Value {
    let mut claims = json!({
        "jti": "Hk1bCNLkvmUfT5zpHPn0r",
        "sub": "3xd0sv4gw2qm",
        "iat": issued_at,
        "exp": issued_at + 3_600,
        "scope": "read:products write:products",
        "client_id": APP_ID,
        "iss": issuer,
        "aud": API,
    });
    if !extra.is_empty() {
        claims["note"] = extra.into();
    }
    claims
}

/// The claims of an ID token, for jsonwebtoken and whoever else wants to own them.
#[derive(Deserialize)]
#[expect(missing_docs, reason = "as in the token")]
pub struct IdToken {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub exp: i64,
    pub iat: i64,
    pub nonce: Option<String>,
    pub sid: Option<String>,
    pub name: Option<String>,
    pub picture: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub roles: Option<Vec<String>>,
    pub organizations: Option<Vec<String>>,
    pub organization_roles: Option<Vec<String>>,
}

/// The claims of an access token, for the same.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "as in the token")]
pub struct AccessToken {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub client_id: String,
    pub jti: String,
    pub scope: String,
    pub exp: i64,
    pub iat: i64,
}

/// The least that has to be looked at of either, borrowed.
#[derive(Deserialize)]
#[expect(missing_docs, reason = "as in the token")]
pub struct Borrowed<'a> {
    pub iss: &'a str,
    pub sub: &'a str,
    pub aud: &'a str,
    pub exp: i64,
    pub iat: i64,
    pub nonce: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub scope: Option<&'a str>,
}

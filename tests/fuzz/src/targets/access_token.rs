//! The access token that an API is called with: the claims are signed, so that all that checks them is reached.
//!
//! A line chooses the verification: `api`, `organization` or `organization api`. Then come the claims.

use logto_core::{
    UnixTime,
    api_token::{AccessTokenVerification, Caller},
};
use serde_json::{Value, json};

use crate::{
    Verdict,
    application::{API, APP_ID, ISSUER, NOW, header, keys, signed_text},
    input::{joined, lines, text},
    undisclosed::assert_undisclosed,
};

const ORGANIZATION: &str = "org-1";
/// The tolerated difference between the clocks is not longer.
const MAX_SKEW_SECS: i64 = 600;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let [kind, payload] = lines(data);
    let kind = text(kind);
    let token = signed_text(header(Some("at+jwt")).as_bytes(), payload);
    let at = |issuer: &str, api: &str, organization: &str, now: UnixTime| {
        let verification = match kind.as_str() {
            "organization" => AccessTokenVerification::organization(issuer, organization),
            "organization api" => {
                AccessTokenVerification::organization_api(issuer, api, organization)
            }
            _ => AccessTokenVerification::api(issuer, api),
        };
        verification
            .require_scopes(["read:orders"])
            .verify(&token, keys(), now)
    };
    let Ok(claims) = at(ISSUER, API, ORGANIZATION, NOW) else {
        return Verdict::Refused;
    };

    let signed: Value = serde_json::from_slice(payload).expect("the claims are JSON");
    assert_eq!(signed["iss"], ISSUER);
    assert_eq!(signed["sub"], claims.sub.as_str());
    assert!(claims.scopes.contains("read:orders"));
    let audience = match kind.as_str() {
        "organization" => "urn:logto:organization:org-1",
        _ => API,
    };
    let named = match &signed["aud"] {
        Value::Array(many) => many.iter().any(|one| one == audience),
        one => one == audience,
    };
    assert!(named, "the token is for somebody else");
    if matches!(&*kind, "organization" | "organization api") {
        assert_eq!(claims.organization_id.as_deref(), Some(ORGANIZATION));
    } else {
        assert!(
            !claims
                .aud
                .iter()
                .any(|aud| aud.starts_with("urn:logto:organization:"))
        );
    }
    match claims.caller() {
        Caller::Application(id) => assert_eq!((id, id), (&*claims.sub, &*claims.client_id)),
        Caller::User(id) => assert_ne!(id, claims.client_id),
    }
    assert!(claims.exp.as_secs() + MAX_SKEW_SECS > NOW.as_secs());
    assert!(claims.iat.as_secs() - MAX_SKEW_SECS <= NOW.as_secs());
    assert_undisclosed(&claims, &token, data);

    assert!(at("https://other.example/oidc", API, ORGANIZATION, NOW).is_err());
    let late = UnixTime::from_secs(claims.exp.as_secs().saturating_add(MAX_SKEW_SECS));
    assert!(at(ISSUER, API, ORGANIZATION, late).is_err());
    if claims.aud.len() == 1 {
        assert!(at(ISSUER, "https://other.example", "org-2", NOW).is_err());
    }
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let claims = |aud: Value| {
        json!({
            "iss": ISSUER,
            "sub": "alice",
            "client_id": APP_ID,
            "aud": aud,
            "exp": NOW.as_secs() + 3600,
            "iat": NOW.as_secs(),
            "nbf": NOW.as_secs(),
            "jti": "jti-1",
            "scope": "read:orders write:orders",
            "act": {"sub": "bob"},
        })
    };
    let mut for_organization = claims(json!([API, "https://second.example"]));
    for_organization["organization_id"] = json!(ORGANIZATION);
    let mut of_application = claims(json!(API));
    of_application["sub"] = json!(APP_ID);
    [
        ("api", claims(json!(API))),
        ("api", of_application),
        (
            "organization",
            claims(json!("urn:logto:organization:org-1")),
        ),
        ("organization api", for_organization),
    ]
    .into_iter()
    .map(|(kind, claims)| joined([kind.as_bytes(), claims.to_string().as_bytes()]))
    .collect()
}

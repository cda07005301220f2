//! What the provider says of an opaque token: status, content type and body, as `input::response` reads them.

use logto_core::{
    Exchange as _, Secret, UnixTime,
    introspection::{Introspect, OpaqueTokenVerification},
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::{
    Verdict,
    application::{APP_ID, ISSUER, NOW, config, metadata},
    input::{joined, recorded, response},
};

const MAX_SKEW_SECS: i64 = 600;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let response = response(data);
    let asked = Introspect::new(config(), metadata(), Secret::from("the-opaque-token-1"));
    let asked = asked.expect("there is an endpoint");
    let Ok(introspection) = asked.accept(response.clone(), NOW) else {
        return Verdict::Refused;
    };
    let said: Value = serde_json::from_slice(response.body()).expect("the answer is JSON");
    assert_eq!(said["active"], introspection.active);
    let check = |issuer: &str, app: &str, now| {
        let verification = OpaqueTokenVerification::of_applications(issuer, [app]);
        verification.check(&introspection, now)
    };
    let Ok(claims) = check(ISSUER, APP_ID, NOW) else {
        return Verdict::Refused;
    };
    assert_eq!(said["active"], true);
    assert_eq!(said["iss"], ISSUER);
    assert_eq!(said["client_id"], APP_ID);
    assert!(claims.exp.as_secs().saturating_add(MAX_SKEW_SECS) > NOW.as_secs());
    assert!(check("https://other.example/oidc", APP_ID, NOW).is_err());
    assert!(check(ISSUER, "other-app", NOW).is_err());
    let late = UnixTime::from_secs(claims.exp.as_secs().saturating_add(MAX_SKEW_SECS));
    assert!(check(ISSUER, APP_ID, late).is_err());
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let good = json!({
        "active": true,
        "iss": ISSUER,
        "sub": "alice",
        "client_id": APP_ID,
        "exp": NOW.as_secs() + 3600,
        "iat": NOW.as_secs(),
        "jti": null,
        "scope": "openid profile",
        "token_type": "Bearer",
    })
    .to_string();
    let mut seeds = vec![joined([b"200", b"application/json", good.as_bytes()])];
    seeds.extend((72..=77).map(|number| recorded(&Recording::load(number).response)));
    seeds
}

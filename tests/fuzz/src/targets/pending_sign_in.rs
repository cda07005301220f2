//! A pending sign-in that an application has stored as JSON, and the callback that completes it.

use logto_core::sign_in::{Callback, CompleteSignIn, PendingSignIn, ProviderKeys};
use logto_core::{Machine as _, Step, jwt::AwsLcVerifier};
use serde_json::{Value, json};
use std::sync::Arc;
use url::{Url, form_urlencoded};

use crate::{
    Verdict,
    application::{APP_ID, ISSUER, NOW, config, keys, metadata, pending_sign_in},
    undisclosed::assert_undisclosed,
};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let Ok(pending) = serde_json::from_slice::<PendingSignIn>(data) else {
        return Verdict::Refused;
    };
    let written = serde_json::to_string(&pending).expect("a pending sign-in can be written");
    let again: PendingSignIn = serde_json::from_str(&written).expect("and read again");
    assert_eq!(serde_json::to_string(&again).ok().as_ref(), Some(&written));
    // Members that are not known are not looked at closely.
    let Ok(stored) = serde_json::from_slice::<Value>(data) else {
        return Verdict::Refused;
    };
    for secret in ["state", "nonce", "code_verifier"] {
        if let Some(secret) = stored[secret].as_str() {
            assert_undisclosed(&pending, secret, data);
        }
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", pending.state().expose())
        .append_pair("iss", ISSUER)
        .append_pair("code", "the-code-1")
        .finish();
    let Ok(callback) = Callback::from_query(&query) else {
        return Verdict::Refused;
    };
    let (created, expires) = (pending.created_at(), pending.expires_at());
    let Ok(resumed) = pending.resume(callback, config(), metadata(), NOW) else {
        return Verdict::Refused;
    };
    assert!(created < expires && NOW < expires);
    assert_eq!(
        (&stored["issuer"], &stored["client_id"]),
        (&json!(ISSUER), &json!(APP_ID))
    );
    let keys = ProviderKeys::new(Some(Arc::clone(keys())), Arc::new(AwsLcVerifier));
    let mut machine = CompleteSignIn::new(config(), metadata(), resumed, keys);
    let Step::Send { request, .. } = machine.poll(NOW) else {
        panic!("a code is redeemed with a request");
    };
    assert_eq!(request.uri(), "https://tenant.logto.app/oidc/token");
    let redirect_uri = form_urlencoded::parse(request.body())
        .find(|(name, _)| name == "redirect_uri")
        .map(|(_, value)| Url::parse(&value));
    let redirect_uri = redirect_uri
        .expect("a redirect URI is sent")
        .expect("it is a URL");
    assert_eq!(
        stored["redirect_uri"].as_str().map(Url::parse),
        Some(Ok(redirect_uri))
    );
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut full = pending_sign_in();
    full["sign_in"] = json!({
        "return_to": "/orders?page=2",
        "app_state": {"cart": [1, 2]},
        "scopes": ["email"],
        "resources": ["https://api.example.com"],
        "prompts": ["consent"],
        "first_screen": "register",
        "identifiers": ["email"],
        "login_hint": "alice",
        "direct_sign_in": "social:github",
        "ui_locales": ["de"],
        "organization_id": "org-1",
        "max_age": 60,
        "acr_values": ["gold"],
        "form_post": true,
        "extra": [["a", "b"]],
        "restarts": 1,
    });
    let mut elsewhere = pending_sign_in();
    elsewhere["return_to"] = json!("//evil.example");
    [pending_sign_in(), full, elsewhere]
        .map(|stored| stored.to_string().into())
        .to_vec()
}

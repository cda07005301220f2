//! A session that an application has stored as JSON.

use logto_core::{Session, TokenTarget};
use serde_json::{Value, json};

use crate::{
    Verdict,
    application::{
        API, NOW, config, id_token, id_token_claims, stored_session, stored_session_with_data,
    },
    undisclosed::assert_undisclosed,
};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let Ok(session) = serde_json::from_slice::<Session>(data) else {
        return Verdict::Refused;
    };
    assert!(session.is_readable());
    let written = serde_json::to_string(&session).expect("a session can be written");
    let again: Session = serde_json::from_str(&written).expect("and read again");
    assert_eq!(again, session);
    // Members that are not known are not looked at closely.
    let Ok(stored) = serde_json::from_slice::<Value>(data) else {
        return Verdict::Refused;
    };
    let mut secrets = vec![
        &stored["refresh_token"],
        &stored["id_token"],
        &stored["data"],
    ];
    let tokens = stored["access_tokens"].as_array().into_iter().flatten();
    secrets.extend(tokens.map(|entry| &entry[1]["token"]));
    for secret in secrets.into_iter().filter_map(Value::as_str) {
        assert_undisclosed(&session, secret, data);
    }
    if let Some(token) = session.usable_token(config(), &TokenTarget::resource(API), NOW) {
        assert!(token.expires_at > NOW, "a token that has expired is usable");
    }
    let mut smaller = session.clone();
    if smaller.forget_organizations() {
        assert!(smaller.is_readable());
        assert_eq!(smaller.claims().sub, session.claims().sub);
        assert!(
            smaller.id_token().is_none(),
            "a token without a signature is given out"
        );
    }
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut claims = id_token_claims();
    claims["organizations"] = json!(["org-1"]);
    claims["organization_roles"] = json!(["org-1:admin"]);
    let mut of_organization = stored_session();
    of_organization["id_token"] = json!(id_token(&claims));
    let mut unreadable = stored_session();
    unreadable["id_token"] = json!("a.b.c");
    [
        stored_session(),
        of_organization,
        unreadable,
        stored_session_with_data(),
    ]
    .map(|stored| stored.to_string().into())
    .to_vec()
}

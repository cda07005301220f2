//! The form of a back-channel logout. What begins with `sign ` are claims, which are signed and put into the form.

use logto_core::{
    UnixTime,
    logout_token::{LogoutTokenVerification, from_form},
};
use logto_recordings::logout_request;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    Verdict,
    application::{APP_ID, ISSUER, NOW, header, keys, signed_text},
    undisclosed::assert_undisclosed,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// A logout token is over after five minutes, and the clocks differ by ten at most.
const MAX_AGE_SECS: i64 = 900;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let claims = data.strip_prefix(b"sign ");
    let form = match claims {
        Some(claims) => {
            let token = signed_text(header(Some("logout+jwt")).as_bytes(), claims);
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("logout_token", &token)
                .finish()
                .into_bytes()
        }
        None => data.to_vec(),
    };
    let Ok(token) = from_form(&form) else {
        return Verdict::Refused;
    };
    let given: Vec<_> = form_urlencoded::parse(&form)
        .filter(|(name, _)| name == "logout_token")
        .collect();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].1, token.expose());
    assert_undisclosed(&token, token.expose(), &form);

    let verify = |issuer, client_id, now| {
        let verification = LogoutTokenVerification::new(issuer, client_id);
        verification.verify(token.expose(), keys(), now)
    };
    let Ok(logout) = verify(ISSUER, APP_ID, NOW) else {
        return Verdict::Refused;
    };
    if let Some(claims) = claims {
        let signed: Value = serde_json::from_slice(claims).expect("the claims are JSON");
        assert_eq!(signed["iss"], ISSUER);
        assert!(signed["aud"] == APP_ID || signed["aud"] == json!([APP_ID]));
        assert!(signed["events"][EVENT].is_object());
        assert!(signed.get("nonce").is_none());
        assert_eq!(signed["jti"].as_str(), Some(&*logout.jti));
        assert_eq!(
            signed.get("sid").and_then(Value::as_str),
            logout.sid.as_deref()
        );
        assert_eq!(
            signed.get("sub").and_then(Value::as_str),
            logout.sub.as_deref()
        );
    }
    assert!(logout.sid.is_some() || logout.sub.is_some());
    // Nobody can use it twice: it is remembered for as long as it is accepted.
    let after = logout.remember_until;
    assert!(verify(ISSUER, APP_ID, after).is_err());
    assert!(after.as_secs() <= logout.iat.as_secs().saturating_add(MAX_AGE_SECS));
    assert!(
        verify(
            ISSUER,
            APP_ID,
            UnixTime::from_secs(logout.iat.as_secs() - MAX_AGE_SECS)
        )
        .is_err()
    );
    assert!(verify("https://other.example/oidc", APP_ID, NOW).is_err());
    assert!(verify(ISSUER, "other-app", NOW).is_err());
    Verdict::Accepted
}

/// The claims of a good logout token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": APP_ID,
        "iat": NOW.as_secs(),
        "exp": NOW.as_secs() + 120,
        "jti": "jti-1",
        "sub": "alice",
        "sid": "session-1",
        "events": {EVENT: {}},
    })
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    vec![
        format!("sign {}", claims()).into(),
        logout_request().body().to_vec(),
        b"logout_token=a.b.c&logout_token=d".to_vec(),
    ]
}

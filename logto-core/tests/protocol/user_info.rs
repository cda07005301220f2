//! The userinfo endpoint.

use http::{Method, Response};
use logto_core::{
    AccessToken, Error, Exchange,
    claims::UserInfo,
    error::{Advice, Endpoint, OAuthErrorCode, UsageError},
    user_info::FetchUserInfo,
};
use logto_recordings::Recording;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::provider::{
    self, NOW, header, json_response, metadata, recorded_metadata, response,
};

const ALICE: &str = "dknhv6vsaxt5";

fn access_token(token: &str) -> AccessToken {
    serde_json::from_value(json!({
        "token": token,
        "scopes": ["openid"],
        "issued_at": NOW,
        "expires_at": NOW.as_secs() + 3600,
        "last_used": NOW,
    }))
    .unwrap()
}

fn fetch() -> FetchUserInfo {
    FetchUserInfo::new(&metadata(), &access_token("token"), "alice").unwrap()
}

fn accept(body: &Value) -> Result<UserInfo, Error> {
    fetch().accept(json_response(200, body), NOW)
}

#[test]
fn t26_c45_the_token_travels_in_the_header_only() {
    for number in [8, 10, 11, 80] {
        let recording = Recording::load(number).request;
        let bearer = header(&recording, "authorization").unwrap();
        let token = access_token(bearer.strip_prefix("Bearer ").unwrap());
        let request = FetchUserInfo::new(&recorded_metadata(), &token, ALICE)
            .unwrap()
            .request();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), recording.uri());
        assert_eq!(request.uri().query(), None);
        assert_eq!(header(&request, "authorization"), Some(bearer));
        assert_eq!(header(&request, "accept"), Some("application/json"));
        assert!(request.body().is_empty());
        assert!(!format!("{request:?}").contains(token.token.expose()));
    }
}

#[test]
fn t1_the_recorded_users_are_read() {
    for (number, scopes) in [(8, "usual"), (9, "usual"), (116, "every")] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let subject = answer["sub"].as_str().unwrap();
        let user_info = FetchUserInfo::new(&recorded_metadata(), &access_token("token"), subject)
            .unwrap()
            .accept(recording.response, NOW)
            .unwrap();
        assert_eq!(user_info.sub, subject);
        assert_eq!(Value::Object(user_info.to_map()), answer, "{scopes} scopes");
        assert_eq!(
            user_info.user.username.as_deref(),
            answer["username"].as_str()
        );
    }
}

#[test]
fn t11_c77_another_users_answer_is_refused() {
    for (body, accepted) in [
        (json!({"sub": "alice"}), true),
        (json!({"sub": "alice", "name": "Alice", "zzz": [1]}), true),
        (json!({"sub": "aliceinvalid"}), false),
        (json!({"sub": "alic"}), false),
        (json!({"sub": "Alice"}), false),
        (json!({"sub": " alice"}), false),
        (json!({"sub": ""}), false),
        (json!({"sub": ["alice"]}), false),
        (json!({"sub": null}), false),
        (json!({"name": "Alice"}), false),
        (json!({}), false),
    ] {
        match accept(&body) {
            Ok(user_info) => {
                assert!(accepted, "{body}");
                assert_eq!(user_info.sub, "alice");
            }
            Err(error) => {
                assert!(!accepted, "{body}");
                assert!(matches!(error, Error::Response(_)), "{error}");
            }
        }
    }
    assert_eq!(
        accept(&json!({"sub": "mallory"})).unwrap_err().to_string(),
        "userinfo endpoint answered HTTP 200 with an unusable body (17 bytes): `sub` is not the \
         user who signed in"
    );
}

#[test]
fn c77_only_a_json_object_is_an_answer() {
    for (content_type, body, code) in [
        ("application/json", "[]", "invalid_response"),
        ("application/json", "", "invalid_response"),
        (
            "application/json",
            r#"{"sub":"bob","sub":"alice"}"#,
            "invalid_response",
        ),
        ("application/jwt", "eyJ.eyJ.x", "temporarily_unavailable"),
        ("text/html", "<html>", "temporarily_unavailable"),
        ("text/html", r#"{"sub":"alice"}"#, "temporarily_unavailable"),
    ] {
        let error = fetch().accept(response(200, content_type, body), NOW);
        assert_eq!(error.unwrap_err().code(), code, "{content_type} {body}");
    }
}

#[test]
fn the_recorded_refusals_are_verdicts() {
    for number in [10, 11, 12, 43, 80, 84] {
        let recording = Recording::load(number);
        let answer = recording.json();
        let error = fetch().accept(recording.response, NOW).unwrap_err();
        let server = error.server().unwrap();
        assert_eq!(server.endpoint, Endpoint::UserInfo);
        assert_eq!(server.status, Some(401));
        assert_eq!(server.error, OAuthErrorCode::InvalidToken);
        assert_eq!(
            server.description.as_deref(),
            answer["error_description"].as_str()
        );
        assert_eq!(error.advice(), Advice::Refused);
    }
}

#[test]
fn a_challenge_without_a_body_is_read_from_the_header() {
    let challenged = |challenge: &str| {
        let response = Response::builder()
            .status(401)
            .header("www-authenticate", challenge)
            .body(bytes::Bytes::new())
            .unwrap();
        fetch().accept(response, NOW).unwrap_err()
    };
    let error = challenged(
        r#"Bearer realm="x", error="invalid_token", error_description="it has expired""#,
    );
    let server = error.server().unwrap();
    assert_eq!(server.error, OAuthErrorCode::InvalidToken);
    assert_eq!(server.description.as_deref(), Some("it has expired"));

    for without_error in [
        r#"Bearer realm="x""#,
        "Bearer",
        r#"Bearer error_description="it has expired""#,
        r#"Bearer error="unterminated"#,
        r#"Bearer error="""#,
        "",
    ] {
        let error = challenged(without_error);
        assert!(
            matches!(error, Error::Unavailable(_)),
            "{without_error}: {error}"
        );
    }
}

#[test]
fn c44_f19_trouble_that_passes_is_no_verdict_about_the_user() {
    for status in [429, 500, 502, 503] {
        let error = fetch().accept(response(status, "text/html", "<html>"), NOW);
        assert!(matches!(error, Err(Error::Unavailable(_))), "{status}");
    }
    for status in [301, 302, 307, 308] {
        let error = fetch().accept(response(status, "text/html", ""), NOW);
        assert!(matches!(error, Err(Error::Response(_))), "{status}");
    }
}

#[test]
fn a_provider_without_userinfo_is_a_usage_error() {
    let mut document = provider::document();
    document.remove("userinfo_endpoint");
    let metadata = provider::metadata_from(document);
    assert_eq!(
        FetchUserInfo::new(&metadata, &access_token("t"), "alice").unwrap_err(),
        UsageError::EndpointNotAdvertised(Endpoint::UserInfo)
    );
}

#[test]
fn t13_custom_claims_come_out_typed() {
    #[derive(Deserialize, PartialEq, Debug)]
    struct Plan {
        sub: String,
        plan: String,
        seats: u32,
    }
    let user_info = accept(&json!({"sub": "alice", "plan": "pro", "seats": 5})).unwrap();
    let plan: Plan = user_info.custom().unwrap();
    assert_eq!(
        plan,
        Plan {
            sub: "alice".into(),
            plan: "pro".into(),
            seats: 5
        }
    );
    assert!(user_info.custom::<Vec<String>>().is_err());
}

proptest! {
    #[test]
    fn c77_no_body_panics_and_none_names_another_user(
        body in prop::collection::vec(any::<u8>(), 0..200),
        status in 200_u16..600,
    ) {
        let result = fetch().accept(response(status, "application/json", body), NOW);
        if let Ok(user_info) = result {
            prop_assert_eq!(user_info.sub, "alice");
        }
    }

    #[test]
    fn no_challenge_panics(challenge in "[ -~]{0,80}") {
        let response = Response::builder()
            .status(401)
            .header("www-authenticate", challenge)
            .body(bytes::Bytes::new())
            .unwrap();
        prop_assert!(fetch().accept(response, NOW).is_err());
    }
}

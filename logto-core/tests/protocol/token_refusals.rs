//! Errors from the token endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Machine, Step,
    error::{Advice, Endpoint, NoResponse, OAuthErrorCode},
    sign_in::Remedy,
};
use serde_json::json;

use crate::support::{
    provider::{self, APP_SECRET, NOW, json_response, sent},
    token_endpoint::{redeem, redeemed, refreshed},
};

#[test]
fn c43_members_of_logto_are_shown_and_unknown_ones_ignored() {
    let body = json!({
        "code": "oidc.invalid_grant",
        "message": "Grant request is invalid.",
        "error": "invalid_grant",
        "error_description": "grant request is invalid",
        "error_uri": "https://openid.sh/debug/invalid_grant",
        "zzz": {"a": [1]},
    });
    let error = refreshed(json_response(400, &body)).unwrap_err();
    let server = error.server().unwrap();
    assert_eq!(server.endpoint, Endpoint::Token);
    assert_eq!(server.status, Some(400));
    assert_eq!(server.error, OAuthErrorCode::InvalidGrant);
    assert_eq!(server.logto_code.as_deref(), Some("oidc.invalid_grant"));
    assert_eq!(server.message.as_deref(), Some("Grant request is invalid."));
    assert_eq!(
        server.uri.as_deref(),
        Some("https://openid.sh/debug/invalid_grant")
    );
    let body = json!({"access_token": "a", "token_type": "Bearer", "code": "x", "error_uri": 1});
    assert!(
        refreshed(json_response(200, &body))
            .unwrap()
            .access_token
            .is_ok()
    );
}

#[test]
fn c44_f13_f14_f15_verdicts_are_typed_and_say_what_to_do() {
    for (status, code, advice) in [
        (400, "invalid_grant", Advice::SignInAgain),
        (400, "invalid_request", Advice::Refused),
        (400, "invalid_scope", Advice::Refused),
        (400, "invalid_target", Advice::Refused),
        (403, "access_denied", Advice::Refused),
        (403, "insufficient_scope", Advice::Refused),
        (401, "invalid_client", Advice::FixConfiguration),
        (400, "invalid_client", Advice::FixConfiguration),
        (400, "unauthorized_client", Advice::FixConfiguration),
        (400, "unsupported_grant_type", Advice::FixConfiguration),
        (
            400,
            "temporarily_unavailable",
            Advice::Retry { after: None },
        ),
        (400, "never_heard_of", Advice::Refused),
    ] {
        let response = json_response(status, &json!({"error": code}));
        let error = refreshed(response).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.advice(), advice, "{code}");
        assert_eq!(error.server().unwrap().status, Some(status));
        assert_eq!(error.to_string(), format!("token endpoint answered {code}"));
    }
}

#[test]
fn c44_f16_f21_v74_trouble_that_passes_never_looks_like_a_verdict() {
    let verdict = r#"{"error":"invalid_grant"}"#;
    let long = format!("{verdict}{}", " ".repeat(2 << 20));
    for (status, content_type, body) in [
        (500, "application/json", verdict),
        (500, "application/json", r#"{"error":"server_error"}"#),
        (502, "text/html", "<html>bad gateway"),
        (503, "application/json", ""),
        (504, "text/plain", "timeout"),
        (599, "", ""),
        (429, "application/json", verdict),
        (429, "text/html", "<html>slow down"),
        (408, "text/html", "<html>"),
        (403, "text/html", "<html>blocked by a firewall"),
        (401, "text/html", "<html>log in to the hotel's network"),
        (400, "application/json", "[]"),
        (400, "application/json", r#"{"error":""}"#),
        (400, "application/json", r#"{"error":1}"#),
        (400, "application/json", r#"{"message":"no"}"#),
        (
            400,
            "application/json",
            r#"{"error":"invalid_grant","error":"invalid_grant"}"#,
        ),
        (400, "application/json", &*long),
        (503, "text/html", &*long),
        (200, "text/html", "<html>log in to the hotel's network"),
    ] {
        let response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("retry-after", "7")
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        let error = refreshed(response).unwrap_err();
        assert!(
            matches!(&error, Error::Unavailable(trouble) if trouble.status == status),
            "{status} {body:.40}: {error}"
        );
        let after = Some(Duration::from_secs(7));
        assert_eq!(error.advice(), Advice::Retry { after });
    }
}

#[test]
fn f16_retry_after_is_read_with_reason() {
    for (retry_after, expected) in [
        ("0", Some(0)),
        ("30", Some(30)),
        ("1000000000", Some(3600)),
        ("Sun, 22 Nov 2026 08:23:45 GMT", Some(60)),
        ("Sun, 22 Nov 2020 08:23:45 GMT", Some(0)),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("", None),
    ] {
        let response = Response::builder()
            .status(503)
            .header("retry-after", retry_after)
            .body(Bytes::new())
            .unwrap();
        let after = expected.map(Duration::from_secs);
        assert_eq!(
            refreshed(response).unwrap_err().advice(),
            Advice::Retry { after },
            "{retry_after}"
        );
    }
}

#[test]
fn c33_f22_a_redirect_is_not_followed_and_nothing_is_sent_again() {
    for status in [301, 302, 303, 307, 308] {
        let redirect = || {
            Response::builder()
                .status(status)
                .header("location", "https://evil.example/token")
                .body(Bytes::new())
                .unwrap()
        };
        let mut machine = redeem();
        sent(&mut machine);
        machine.handle(redirect(), NOW);
        let Step::Done(Err(incomplete)) = machine.poll(NOW) else {
            panic!("{status}: sent on");
        };
        assert!(
            matches!(incomplete.error, Error::Response(_)),
            "{incomplete}"
        );
        assert!(matches!(refreshed(redirect()), Err(Error::Response(_))));
    }
}

#[test]
fn c49_a_code_is_never_sent_twice_by_itself() {
    for status in [200, 302, 400, 403, 404, 408, 500, 502, 503, 504] {
        let mut machine = redeem();
        sent(&mut machine);
        machine.handle(provider::response(status, "text/html", "<html>"), NOW);
        let Step::Done(Err(incomplete)) = machine.poll(NOW) else {
            panic!("{status}: sent again");
        };
        assert_eq!(incomplete.remedy, Remedy::NewSignIn, "{status}");
    }
    let mut machine = redeem();
    sent(&mut machine);
    machine.handle_failure(NoResponse::Lost, NOW);
    let Step::Done(Err(incomplete)) = machine.poll(NOW) else {
        panic!("a lost answer: sent again");
    };
    assert_eq!(incomplete.remedy, Remedy::NewSignIn);
}

#[test]
fn b18_no_error_shows_what_was_sent_or_received() {
    let secret = "s3cr3t-t0ken";
    for response in [
        provider::response(
            200,
            "application/json",
            format!(r#"{{"access_token":"{secret}""#),
        ),
        provider::response(200, "application/json", secret),
        provider::response(200, "text/html", secret),
        provider::response(500, "text/html", secret),
        json_response(200, &json!({"access_token": secret, "token_type": secret})),
        json_response(
            200,
            &json!({"access_token": secret, "token_type": "Bearer", "scope": [secret]}),
        ),
        json_response(200, &json!({"id_token": secret, "refresh_token": secret})),
    ] {
        let error = redeemed(response.clone());
        let again = match refreshed(response) {
            Ok(refreshed) => format!("{refreshed:?}"),
            Err(error) => format!("{error:?} {error}"),
        };
        for text in [format!("{error} {error:?} {error:#?}"), again] {
            for hidden in [
                secret,
                APP_SECRET,
                "the-code",
                "the-verifier",
                "old-refresh-token",
            ] {
                assert!(!text.contains(hidden), "{text}");
            }
        }
    }
}

//! What is made of the token endpoint's answers, good and bad.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/provider.rs"]
mod provider;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Exchange, LogtoConfig, Machine, Secret, Step, TokenTarget,
    error::{Advice, Endpoint, OAuthErrorCode},
    exchange::MAX_BODY,
    grants::{RefreshTokens, Refreshed},
    jwt::AwsLcVerifier,
    machine::{CompleteSignIn, ProviderKeys},
};
use proptest::prelude::*;
use provider::{APP_SECRET, ISSUER, NOW, config, done, json_response, metadata, sent};
use serde_json::{Value, json};

fn scopes<const N: usize>(scopes: [&str; N]) -> BTreeSet<String> {
    scopes.map(str::to_owned).into()
}

fn refresh(config: &LogtoConfig, target: TokenTarget) -> RefreshTokens {
    let refresh_token = Secret::from("old-refresh-token");
    let asked_for = scopes(["openid", "read:products"]);
    RefreshTokens::new(config, &metadata(), refresh_token, target, &asked_for, NOW)
}

fn refreshed(response: Response<Bytes>) -> Result<Refreshed, Error> {
    refresh(&config(), TokenTarget::user_info()).accept(response, NOW)
}

fn redeem() -> CompleteSignIn {
    let (config, metadata) = (config(), metadata());
    let record = provider::pending_record(&config);
    let resumed = provider::resumed(record, &config, &metadata, "the-code");
    let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    CompleteSignIn::new(&config, &metadata, resumed, keys)
}

/// How a machine ends when the token endpoint answers like this.
fn redeemed(response: Response<Bytes>) -> Error {
    let mut machine = redeem();
    sent(&mut machine);
    machine.handle(response, NOW);
    done(&mut machine).unwrap_err()
}

#[test]
fn c39_v17_v74_an_answer_that_is_not_a_json_object_is_refused() {
    let good = r#"{"access_token":"a","token_type":"Bearer","expires_in":60,"id_token":"x.y.z"}"#;
    let nested = format!(
        r#"{{"access_token":"a","x":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let oversize = format!("{}{good}", " ".repeat(MAX_BODY));
    let json_type = "application/json; charset=utf-8";
    let table: [(&str, Bytes, &str); 21] = [
        (json_type, "".into(), "ends in the middle"),
        (json_type, "[]".into(), "is not a JSON object"),
        (json_type, "[{}]".into(), "is not a JSON object"),
        (json_type, "\"a\"".into(), "is not a JSON object"),
        (json_type, "null".into(), "is not a JSON object"),
        (json_type, "1".into(), "is not a JSON object"),
        (json_type, "<html>".into(), "is not valid JSON"),
        (
            json_type,
            "access_token=a&token_type=Bearer".into(),
            "is not valid JSON",
        ),
        (
            json_type,
            good[..good.len() - 1].to_owned().into(),
            "ends in the middle",
        ),
        (
            json_type,
            format!("{good}{good}").into(),
            "is not valid JSON",
        ),
        (
            json_type,
            format!("\u{feff}{good}").into(),
            "is not valid JSON",
        ),
        (json_type, format!("{good}\0").into(), "is not valid JSON"),
        (
            json_type,
            Bytes::from_static(b"{\"access_token\":\"\xFF\"}"),
            "is not valid JSON",
        ),
        (
            json_type,
            r#"{"access_token":"a","access_token":"b"}"#.into(),
            "JSON member twice",
        ),
        (
            json_type,
            r#"{"token_type":"a","\u0074oken_type":"b"}"#.into(),
            "JSON member twice",
        ),
        (json_type, nested.into(), "is not valid JSON"),
        (json_type, oversize.into(), "longer than 1048576 bytes"),
        (json_type, "{}".into(), "is missing or not a string"),
        ("text/html", good.into(), "unavailable"),
        ("", good.into(), "unavailable"),
        ("application/json-but-not-quite", good.into(), "unavailable"),
    ];
    for (content_type, body, expected) in table {
        let response = || provider::response(200, content_type, body.clone());
        let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
        let code = redeemed(response());
        assert!(code.to_string().contains(expected), "{shown}: {code}");
        let error = match refreshed(response()) {
            Err(error) => error,
            Ok(refreshed) => refreshed.access_token.unwrap_err().into(),
        };
        assert!(error.to_string().contains(expected), "{shown}: {error}");
        for error in [code, error] {
            assert!(matches!(error.advice(), Advice::Retry { .. }), "{shown}");
            assert!(!error.to_string().contains("x.y.z"));
        }
    }
}

#[test]
fn c39_content_types_of_json() {
    let body = r#"{"access_token":"a","token_type":"Bearer"}"#;
    for content_type in [
        "application/json",
        "application/json;charset=UTF-8",
        "Application/JSON ; x=y",
        "application/problem+json",
    ] {
        assert!(refreshed(provider::response(200, content_type, body)).is_ok());
    }
    let bare = Response::new(Bytes::from(body));
    assert!(matches!(refreshed(bare), Err(Error::Unavailable(_))));
}

#[test]
fn c39_success_is_status_200() {
    let body = json!({"access_token": "a", "token_type": "Bearer"});
    for status in [201, 202, 203, 206] {
        let error = refreshed(json_response(status, &body)).unwrap_err();
        assert!(matches!(error, Error::Response(_)), "{status}: {error}");
    }
}

#[test]
fn c40_fapi_token_type_case_insensitivity() {
    for (token_type, accepted) in [
        (json!("Bearer"), true),
        (json!("bearer"), true),
        (json!("bEARER"), true),
        (json!("BEARER"), true),
        (json!("Bearer "), false),
        (json!("DPoP"), false),
        (json!("mac"), false),
        (json!("N_A"), false),
        (json!(""), false),
        (json!(null), false),
        (json!(1), false),
        (json!(["Bearer"]), false),
    ] {
        let body = json!({"access_token": "a", "token_type": token_type});
        let token = refreshed(json_response(200, &body)).unwrap().access_token;
        assert_eq!(token.is_ok(), accepted, "{token_type}");
    }
}

#[test]
fn c40_access_and_id_token_are_strings() {
    for (member, value) in [
        ("access_token", json!(null)),
        ("access_token", json!("")),
        ("access_token", json!(1)),
        ("access_token", json!({"a": "b"})),
        ("id_token", json!(null)),
        ("id_token", json!("")),
        ("id_token", json!(["a"])),
    ] {
        let mut body = json!({"access_token": "a", "token_type": "Bearer", "id_token": "x"});
        body[member] = value.clone();
        let error = redeemed(json_response(200, &body));
        assert!(
            error
                .to_string()
                .contains(&format!("`{member}` is missing")),
            "{member} {value}: {error}"
        );
    }
}

#[test]
fn c41_fapi_token_endpoint_response_without_expires_in() {
    let body = json!({"access_token": "a", "token_type": "Bearer"});
    let token = refreshed(json_response(200, &body)).unwrap().access_token;
    let token = token.unwrap();
    assert_eq!(token.issued_at, NOW);
    assert_eq!(token.expires_at.since(NOW), Duration::from_secs(300));
}

#[test]
fn c41_v73_no_lifetime_is_for_ever() {
    let year = 365 * 24 * 3600;
    for (expires_in, seconds) in [
        ("3600", 3600),
        ("0", 0),
        ("0.5", 0),
        ("-1", 0),
        ("-1e300", 0),
        ("1e300", year),
        ("18446744073709551615", year),
        ("18446744073709551616", year),
        ("9223372036854775807", year),
        (r#""60""#, 60),
        (r#""soon""#, 0),
        ("null", 0),
        ("{}", 0),
        ("[]", 0),
        ("false", 0),
    ] {
        let body =
            format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":{expires_in}}}"#);
        let response = provider::response(200, "application/json", body);
        let token = refreshed(response).unwrap().access_token.unwrap();
        assert_eq!(
            token.expires_at.since(NOW),
            Duration::from_secs(seconds),
            "{expires_in}"
        );
        // Whatever it says, this call gets its token.
        assert_eq!(token.token.expose(), "a");
    }
}

#[test]
fn c42_v70_fapi_no_scope_in_token_endpoint_response() {
    let full = TokenTarget::resource("https://api.example.com");
    let narrowed = full.clone().with_scopes(["read:products"]);
    for (target, scope, expected) in [
        (&full, json!(null), None),
        (&full, json!(""), Some(scopes([]))),
        (&full, json!(" "), Some(scopes([]))),
        (
            &full,
            json!("read:products"),
            Some(scopes(["read:products"])),
        ),
        (
            &full,
            json!("write:products extra read:products"),
            Some(scopes(["extra", "read:products", "write:products"])),
        ),
        (&narrowed, json!(""), Some(scopes([]))),
        (&full, json!(["read:products"]), None),
        (&full, json!(1), None),
    ] {
        let body = json!({"access_token": "a", "token_type": "Bearer", "scope": scope});
        let token = refresh(&config(), target.clone())
            .accept(json_response(200, &body), NOW)
            .unwrap()
            .access_token;
        assert_eq!(token.ok().map(|token| token.scopes), expected, "{scope}");
    }
    let body = json!({"access_token": "a", "token_type": "Bearer"});
    for (target, expected) in [
        (full, scopes(["openid", "read:products"])),
        (narrowed, scopes(["read:products"])),
    ] {
        let token = refresh(&config(), target)
            .accept(json_response(200, &body), NOW)
            .unwrap()
            .access_token;
        assert_eq!(token.unwrap().scopes, expected);
    }
}

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
        let Step::Done(Err(error)) = machine.poll(NOW) else {
            panic!("{status}: sent on");
        };
        assert!(matches!(error, Error::Response(_)), "{error}");
        assert!(matches!(refreshed(redirect()), Err(Error::Response(_))));
    }
}

#[test]
fn c49_a_code_is_never_sent_twice_by_itself() {
    for status in [408, 429, 500, 502, 503, 504] {
        let mut machine = redeem();
        sent(&mut machine);
        machine.handle(provider::response(status, "text/html", "<html>"), NOW);
        assert!(matches!(machine.poll(NOW), Step::Done(Err(_))), "{status}");
    }
}

/// A JWT as far as anybody reads it without a key.
fn jwt(claims: &Value) -> String {
    let header = BASE64.encode(r#"{"alg":"ES384","typ":"at+jwt"}"#);
    format!("{header}.{}.c2ln", BASE64.encode(claims.to_string()))
}

#[test]
fn c47_a_token_for_something_else_is_refused() {
    let api = TokenTarget::resource("https://api.example.com");
    let organization = TokenTarget::organization("org1");
    let both = api.clone().in_organization("org1");
    let template = TokenTarget::resource("urn:logto:resource:organizations");
    for (target, aud, accepted) in [
        (&api, json!("https://api.example.com"), true),
        (&api, json!(["https://api.example.com"]), true),
        (&api, json!(["x", "https://api.example.com"]), true),
        (&api, json!("https://api.example.com/"), false),
        (&api, json!("https://other.example.com"), false),
        (&api, json!("urn:logto:organization:org1"), false),
        (&api, json!([]), false),
        (&api, json!(null), false),
        (&api, json!({"https://api.example.com": true}), false),
        (&organization, json!("urn:logto:organization:org1"), true),
        (&organization, json!("urn:logto:organization:org2"), false),
        (&organization, json!("org1"), false),
        (&both, json!("https://api.example.com"), true),
        (&both, json!("urn:logto:organization:org1"), false),
        (&template, json!("urn:logto:resource:organizations"), true),
        (&template, json!("urn:logto:organization:org1"), false),
    ] {
        let token = jwt(&json!({"aud": aud, "iss": ISSUER}));
        let body = json!({
            "access_token": token, "token_type": "Bearer", "refresh_token": "new",
        });
        let refreshed = refresh(&config(), target.clone())
            .accept(json_response(200, &body), NOW)
            .unwrap();
        match &refreshed.access_token {
            Ok(_) => assert!(accepted, "{target} {aud}"),
            Err(error) => {
                assert!(!accepted, "{target} {aud}");
                assert_eq!(
                    error.problem,
                    format!("the access token is not for {target}")
                );
            }
        }
        assert_eq!(refreshed.refresh_token.unwrap().expose(), "new");
    }
    // A JWT without an audience is for nothing in particular; an opaque token cannot say.
    let without = json!({"access_token": jwt(&json!({})), "token_type": "Bearer"});
    let opaque = json!({"access_token": "opaque", "token_type": "Bearer"});
    for (body, accepted) in [(without, false), (opaque, true)] {
        let refreshed = refresh(&config(), api.clone()).accept(json_response(200, &body), NOW);
        assert_eq!(refreshed.unwrap().access_token.is_ok(), accepted, "{body}");
    }
}

#[test]
fn f12_the_new_refresh_token_survives_a_response_that_is_otherwise_worthless() {
    for body in [
        json!({"refresh_token": "new"}),
        json!({"refresh_token": "new", "access_token": 1, "token_type": "Bearer"}),
        json!({"refresh_token": "new", "access_token": "a", "token_type": "DPoP"}),
        json!({"refresh_token": "new", "access_token": "a", "token_type": "Bearer", "scope": 1}),
        json!({"refresh_token": "new", "id_token": 17, "expires_in": {}}),
    ] {
        let refreshed = refreshed(json_response(200, &body)).unwrap();
        assert!(refreshed.access_token.is_err(), "{body}");
        assert_eq!(refreshed.refresh_token.unwrap().expose(), "new", "{body}");
    }
    for kept in [json!(null), json!(""), json!(1), json!(["new"])] {
        let body = json!({"refresh_token": kept, "access_token": "a", "token_type": "Bearer"});
        let refreshed = refreshed(json_response(200, &body)).unwrap();
        assert!(refreshed.refresh_token.is_none() && refreshed.access_token.is_ok());
    }
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

proptest! {
    #[test]
    fn c39_no_body_panics(
        body in prop::collection::vec(any::<u8>(), 0..200),
        status in 200_u16..600,
        html in any::<bool>(),
    ) {
        let content_type = if html { "text/html" } else { "application/json" };
        let response = provider::response(status, content_type, body);
        let _ = refreshed(response.clone());
        let mut machine = redeem();
        sent(&mut machine);
        machine.handle(response, NOW);
        let done = matches!(machine.poll(NOW), Step::Done(Err(_)));
        prop_assert!(done);
    }

    #[test]
    fn c41_v73_any_json_number_gives_a_lifetime_of_a_year_at_most(
        mantissa in any::<i64>(),
        exponent in -400_i32..400,
    ) {
        let body = format!(
            r#"{{"access_token":"a","token_type":"Bearer","expires_in":{mantissa}e{exponent}}}"#
        );
        if let Ok(refreshed) = refreshed(provider::response(200, "application/json", body)) {
            let token = refreshed.access_token.unwrap();
            prop_assert!(token.expires_at.since(NOW) <= Duration::from_secs(365 * 24 * 3600));
            prop_assert!(token.expires_at >= NOW);
        }
    }
}

//! Token responses, valid and invalid.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::Response;
use logto_core::{Error, Exchange, Machine, Step, TokenTarget, error::Advice, exchange::MAX_BODY};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    provider::{self, ISSUER, NOW, config, json_response, sent},
    token_endpoint::{redeem, redeemed, refresh, refreshed, scopes},
};

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
        ("null", 300),
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
        (
            &full,
            json!(null),
            Some(scopes(["openid", "read:products"])),
        ),
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
        assert_eq!(
            token.ok().map(|token| (*token.scopes).clone()),
            expected,
            "{scope}"
        );
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
        let expected = match machine.poll(NOW) {
            Step::Done(Err(_)) => status != 429,
            // Nobody has looked at the code.
            Step::Wait(_) => status == 429,
            _ => false,
        };
        prop_assert!(expected);
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

//! The discovery document and the JWKS: fetching, validation and caching.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Exchange, LogtoConfig,
    discovery::{Discover, FetchKeys},
    error::{Advice, Endpoint},
    jwt::AwsLcVerifier,
    metadata::ProviderMetadata,
};
use logto_recordings::Recording;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::provider::{
    self, NOW, builder, config, document, document_with, header, json_response,
};

const ENDPOINTS: [&str; 9] = [
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "end_session_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
];

fn discover(response: Response<Bytes>) -> Result<ProviderMetadata, Error> {
    Discover::new(&config()).accept(response, NOW)
}

fn fetch_keys() -> FetchKeys {
    FetchKeys::new(&provider::metadata(), Arc::new(AwsLcVerifier))
}

/// Why a document is refused.
fn problem(config: &LogtoConfig, document: serde_json::Map<String, Value>) -> String {
    ProviderMetadata::from_document(config, document).unwrap_err()
}

#[test]
fn t15_the_document_of_the_issuer_is_fetched_and_used() {
    let recording = Recording::load(1);
    let config = provider::recorded_builder().build().unwrap();
    let request = Discover::new(&config).request();
    assert_eq!(request.method(), recording.request.method());
    assert_eq!(request.uri(), recording.request.uri());
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert_eq!(header(&request, "authorization"), None);
    assert!(request.body().is_empty());

    let document = recording.json();
    let metadata = Discover::new(&config)
        .accept(recording.response, NOW)
        .unwrap();
    assert_eq!(metadata.issuer(), "http://localhost:3001/oidc");
    assert!(metadata.sends_issuer_in_callback());
    for (endpoint, path) in [
        (Endpoint::Authorization, "/oidc/auth"),
        (Endpoint::Token, "/oidc/token"),
        (Endpoint::Keys, "/oidc/jwks"),
        (Endpoint::UserInfo, "/oidc/me"),
        (Endpoint::Revocation, "/oidc/token/revocation"),
        (Endpoint::Introspection, "/oidc/token/introspection"),
        (Endpoint::PushedAuthorization, "/oidc/request"),
        (Endpoint::DeviceAuthorization, "/oidc/device/auth"),
        (Endpoint::EndSession, "/oidc/session/end"),
    ] {
        let url = metadata.endpoint(endpoint).unwrap();
        assert_eq!(url.as_str(), format!("http://localhost:3001{path}"));
    }
    assert_eq!(Value::Object(metadata.document().clone()), document);
}

#[test]
fn t15_the_other_well_known_documents_of_a_real_logto() {
    let config = provider::recorded_builder().build().unwrap();
    let oauth_metadata = Discover::new(&config)
        .accept(Recording::load(4).response, NOW)
        .unwrap();
    assert_eq!(oauth_metadata.issuer(), "http://localhost:3001/oidc");
    let nothing_there = Discover::new(&config).accept(Recording::load(5).response, NOW);
    assert_eq!(
        nothing_there.unwrap_err().to_string(),
        "the discovery document cannot be used (HTTP 404): nothing found; check the endpoint, its \
         path and a custom domain"
    );
}

#[test]
fn c30_t17_fapi_discovery_issuer_mismatch_nothing_is_believed() {
    for issuer in [
        json!("https://tenant.logto.app/oidcINVALID"),
        json!("https://tenant.logto.app/oidc/"),
        json!("https://tenant.logto.app/OIDC"),
        json!("https://tenant.logto.app"),
        json!("https://tenant.logto.app:443/oidc"),
        json!("http://tenant.logto.app/oidc"),
        json!("https://TENANT.logto.app/oidc"),
        json!("https://evil.example/oidc"),
        json!(" https://tenant.logto.app/oidc"),
        json!(""),
        json!(null),
        json!(["https://tenant.logto.app/oidc"]),
        json!(1),
    ] {
        let document = Value::Object(document_with("issuer", issuer.clone()));
        let error = discover(json_response(200, &document)).unwrap_err();
        assert!(matches!(error, Error::Discovery(_)), "{issuer}: {error}");
        assert_eq!(error.advice(), Advice::FixConfiguration);
    }
    let mut without = document();
    without.remove("issuer");
    assert!(problem(&config(), without).contains("`issuer`"));
}

#[test]
fn c30_x47_a_mismatch_is_explained() {
    let document = Value::Object(document_with(
        "issuer",
        json!("https://auth.shop.example/oidc"),
    ));
    assert_eq!(
        discover(json_response(200, &document))
            .unwrap_err()
            .to_string(),
        "the discovery document cannot be used (HTTP 200): it belongs to issuer \
         `https://auth.shop.example/oidc`, configured is `https://tenant.logto.app/oidc`; check the \
         endpoint, its path and a custom domain"
    );
    let custom_domain = builder()
        .issuer("https://auth.shop.example/oidc")
        .trusted_endpoint_origins(["https://tenant.logto.app"])
        .build()
        .unwrap();
    let document = document_with("issuer", json!("https://auth.shop.example/oidc"));
    assert!(ProviderMetadata::from_document(&custom_domain, document).is_ok());
}

#[test]
fn c31_c32_endpoints_are_https_and_plain() {
    for member in ENDPOINTS {
        for (url, expected) in [
            ("http://tenant.logto.app/oidc/x", "is not https"),
            ("http://tenant.logto.app:443/oidc/x", "is not https"),
            ("file:///etc/passwd", "is not https"),
            ("gopher://tenant.logto.app/x", "is not https"),
            ("javascript:alert(1)", "is not https"),
            ("data:text/plain,x", "is not https"),
            (
                "https://user@tenant.logto.app/x",
                "user information or a fragment",
            ),
            (
                "https://:pw@tenant.logto.app/x",
                "user information or a fragment",
            ),
            (
                "https://tenant.logto.app/x#y",
                "user information or a fragment",
            ),
            ("/oidc/x", "is not an absolute URL"),
            ("oidc/x", "is not an absolute URL"),
            ("//tenant.logto.app/oidc/x", "is not an absolute URL"),
            ("", "is not an absolute URL"),
            ("https://", "is not an absolute URL"),
        ] {
            let problem = problem(&config(), document_with(member, json!(url)));
            assert!(problem.contains(expected), "{member} {url}: {problem}");
        }
        for wrong in [json!(1), json!(["https://tenant.logto.app/x"]), json!({})] {
            let problem = problem(&config(), document_with(member, wrong));
            assert!(problem.contains("not a discovery document"), "{problem}");
        }
    }
}

#[test]
fn c32_endpoints_are_at_the_issuers_origin_unless_named() {
    for member in ENDPOINTS {
        for url in [
            "https://evil.example/x",
            "https://tenant.logto.app.evil.example/x",
            "https://evil.tenant.logto.app/x",
            "https://tenant.logto.app:8443/x",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/x",
            "http://localhost/x",
            "https://[::1]/x",
        ] {
            let problem = problem(&config(), document_with(member, json!(url)));
            assert!(
                problem.contains("not at the issuer's own origin")
                    && problem.contains("trusted_endpoint_origins"),
                "{member} {url}: {problem}"
            );
        }
    }
    let named = builder()
        .trusted_endpoint_origins([
            "https://login.shop.example/",
            "https://keys.shop.example:8443",
        ])
        .build()
        .unwrap();
    for (url, accepted) in [
        ("https://login.shop.example/oidc/x", true),
        ("https://LOGIN.shop.example:443/oidc/x", true),
        ("https://keys.shop.example:8443/x", true),
        ("https://tenant.logto.app/x", true),
        ("https://keys.shop.example/x", false),
        ("http://login.shop.example/x", false),
        ("https://sub.login.shop.example/x", false),
    ] {
        let document = document_with("token_endpoint", json!(url));
        let result = ProviderMetadata::from_document(&named, document);
        assert_eq!(result.is_ok(), accepted, "{url}: {result:?}");
    }
}

#[test]
fn c32_an_origin_that_is_named_is_an_origin() {
    for (origin, expected) in [
        ("login.shop.example", "is not a web address"),
        ("http://login.shop.example", "plain http"),
        ("https://login.shop.example/oidc", "contains a path"),
        ("https://login.shop.example?x", "contains a query"),
        ("https://u@login.shop.example", "user name or password"),
        ("", "missing or empty"),
    ] {
        let error = builder()
            .trusted_endpoint_origins([origin])
            .build()
            .unwrap_err();
        assert_eq!(error.field, "trusted_endpoint_origins");
        assert!(error.to_string().contains(expected), "{origin}: {error}");
    }
}

#[test]
fn c31_plain_http_is_for_this_machine_or_for_who_asks_for_danger() {
    let text = Value::Object(document())
        .to_string()
        .replace("https://tenant.logto.app", "http://logto.internal:3001");
    let document: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let endpoint = "http://logto.internal:3001";
    assert!(LogtoConfig::builder(endpoint, "app").build().is_err());
    let dangerous = LogtoConfig::builder(endpoint, "app")
        .dangerously_allow_http()
        .build()
        .unwrap();
    assert!(ProviderMetadata::from_document(&dangerous, document).is_ok());
}

#[test]
fn f2_a_document_with_unknown_members_in_any_order_is_read() {
    let text = r#"{"zzz":[1,{"a":null}],"jwks_uri":"https://tenant.logto.app/oidc/jwks",
        "response_types_supported":["id_token","code"],"claims_supported":"odd",
        "token_endpoint":"https://tenant.logto.app/oidc/token","userinfo_endpoint":null,
        "id_token_signing_alg_values_supported":["none","HS256","ES384"],
        "issuer":"https://tenant.logto.app/oidc",
        "authorization_endpoint":"https://tenant.logto.app/oidc/auth"}"#;
    let metadata = discover(provider::response(
        200,
        "application/json; charset=utf-8",
        text,
    ))
    .unwrap();
    assert!(metadata.endpoint(Endpoint::UserInfo).is_err());
    assert!(!metadata.sends_issuer_in_callback());
    assert_eq!(metadata.document()["zzz"], json!([1, {"a": null}]));
}

/// The optional members may be `null`, as many serializers write what they have not.
#[test]
fn null_members_are_absent() {
    let mut document = document();
    for member in ENDPOINTS.into_iter().skip(3) {
        document.insert(member.to_owned(), Value::Null);
    }
    for member in [
        "authorization_response_iss_parameter_supported",
        "scopes_supported",
        "op_policy_uri",
    ] {
        document.insert(member.to_owned(), Value::Null);
    }
    let metadata = ProviderMetadata::from_document(&config(), document).unwrap();
    assert!(!metadata.sends_issuer_in_callback());
    assert!(metadata.endpoint(Endpoint::UserInfo).is_err());
}

/// None of this passes by itself, so it is no trouble of the moment; and it says what was found.
#[test]
fn f2_what_is_not_the_document_of_the_issuer_is_a_configuration_error_that_says_what_was_found() {
    let redirect = |location: &str| {
        let response = Response::builder().status(301);
        let response = response.header("location", location);
        response.body(Bytes::new()).unwrap()
    };
    let with = |member, value| json_response(200, &Value::Object(document_with(member, value)));
    for (response, found) in [
        (
            redirect("https://login.shop.example/a?b=secret"),
            "to https://login.shop.example;",
        ),
        (redirect("/oidc/"), "to another path"),
        (redirect("https://["), "not a URL"),
        (
            provider::response(200, "text/html; charset=utf-8", "<html>"),
            "`text/html; charset=utf-8`",
        ),
        (Response::new(Bytes::from_static(b"{}")), "no content type"),
        (provider::response(404, "text/html", ""), "nothing found"),
        (
            with("issuer", json!("https://other.example/oidc")),
            "`https://other.example/oidc`",
        ),
        (
            with("token_endpoint", json!("/oidc/token")),
            "`token_endpoint` is `/oidc/token`",
        ),
        (
            with("userinfo_endpoint", json!("oidc/me")),
            "`userinfo_endpoint` is `oidc/me`",
        ),
        (json_response(200, &json!({})), "missing field"),
    ] {
        let error = discover(response).unwrap_err();
        assert_eq!(error.advice(), Advice::FixConfiguration, "{error}");
        assert!(error.to_string().contains(found), "{found}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for passes in [500, 502, 503, 504] {
        let error = discover(provider::response(passes, "text/html", "<html>")).unwrap_err();
        assert!(error.advice().is_retry(), "{passes}: {error}");
    }
}

#[test]
fn f2_v17_v74_a_bad_answer_is_a_typed_error_and_never_half_believed() {
    let good = Value::Object(document()).to_string();
    let table: [(Response<Bytes>, &str); 13] = [
        (
            provider::response(200, "text/html", "<html>"),
            "invalid_discovery_document",
        ),
        (
            provider::response(200, "text/html", good.clone()),
            "invalid_discovery_document",
        ),
        (
            provider::response(500, "application/json", good.clone()),
            "temporarily_unavailable",
        ),
        (
            provider::response(503, "text/html", "<html>"),
            "temporarily_unavailable",
        ),
        (
            provider::response(429, "application/json", "{}"),
            "temporarily_unavailable",
        ),
        (
            provider::response(403, "text/plain", "no"),
            "temporarily_unavailable",
        ),
        (
            provider::response(200, "application/json", ""),
            "invalid_response",
        ),
        (
            provider::response(200, "application/json", "[]"),
            "invalid_response",
        ),
        (
            provider::response(200, "application/json", good[..good.len() - 1].to_owned()),
            "invalid_response",
        ),
        (
            provider::response(200, "application/json", format!("{good}{good}")),
            "invalid_response",
        ),
        (
            provider::response(
                200,
                "application/json",
                good.replacen('{', r#"{"issuer":"https://evil.example","#, 1),
            ),
            "invalid_response",
        ),
        (
            provider::response(
                200,
                "application/json",
                format!("{}{good}", " ".repeat(2 << 20)),
            ),
            "invalid_response",
        ),
        (
            provider::response(404, "text/html", "<html>"),
            "invalid_discovery_document",
        ),
    ];
    for (response, code) in table {
        let shown = format!("{response:.200?}");
        let error = discover(response).unwrap_err();
        assert_eq!(error.code(), code, "{shown}");
        match code {
            "invalid_discovery_document" => assert_eq!(error.advice(), Advice::FixConfiguration),
            _ => assert!(matches!(error.advice(), Advice::Retry { .. }), "{shown}"),
        }
    }
}

#[test]
fn f2_what_a_document_says_cannot_write_to_a_terminal() {
    let hostile = format!("\u{1b}[31m\r\n{}", "x".repeat(100_000));
    for member in [
        "issuer",
        "token_endpoint",
        "authorization_response_iss_parameter_supported",
    ] {
        let problem = problem(&config(), document_with(member, json!(hostile)));
        assert!(problem.len() < 700, "{member}: {} bytes", problem.len());
        assert!(!problem.chars().any(char::is_control), "{member}");
    }
}

#[test]
fn c33_redirects_are_not_followed() {
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let redirect = || {
            Response::builder()
                .status(status)
                .header("location", "https://evil.example/")
                .body(Bytes::new())
                .unwrap()
        };
        for error in [
            discover(redirect()).unwrap_err(),
            fetch_keys().accept(redirect(), NOW).unwrap_err(),
        ] {
            assert!(
                error
                    .to_string()
                    .contains("a redirect, which is not followed"),
                "{status}: {error}"
            );
        }
    }
}

proptest! {
    #[test]
    fn f2_no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200), status in 200_u16..600) {
        let _ = discover(provider::response(status, "application/json", body.clone()));
        let _ = fetch_keys().accept(provider::response(status, "application/json", body), NOW);
    }
}

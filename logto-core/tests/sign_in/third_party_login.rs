//! Third-party-initiated sign-ins.

use logto_core::{LogtoConfig, error::UsageError, third_party_login::ThirdPartyLogin};
use url::form_urlencoded;

use crate::support::provider::{NOW, config, metadata, parameters, random};

const ISS: &str = "iss=https%3A%2F%2Ftenant.logto.app%2Foidc";

fn start(query: &str, config: &LogtoConfig) -> Result<(Option<String>, String), UsageError> {
    let sign_in = ThirdPartyLogin::parse(query.as_bytes())?.sign_in(config)?;
    let (url, pending) = sign_in.start(config, &metadata(), &random(), NOW)?;
    let mut sent = parameters(url.query().unwrap().as_bytes());
    Ok((
        sent.remove("login_hint"),
        pending.return_to().as_str().to_owned(),
    ))
}

fn returns_to(target: &str) -> String {
    let target: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
    start(&format!("{ISS}&target_link_uri={target}"), &config())
        .unwrap()
        .1
}

#[test]
fn c20_it_starts_a_sign_in_at_the_configured_provider() {
    assert_eq!(start(ISS, &config()), Ok((None, "/".to_owned())));
    let query = format!(
        "{ISS}&login_hint=alice%40example.com&target_link_uri=https%3A%2F%2Fshop.example.com%2Fa%3Fb%3Dc&x=y"
    );
    let expected = (Some("alice@example.com".to_owned()), "/a?b=c".to_owned());
    assert_eq!(start(&query, &config()), Ok(expected));
}

#[test]
fn c20_the_issuer_is_the_configured_one() {
    for iss in [
        "https://evil.example",
        "https://tenant.logto.app/oidc/",
        "https://tenant.logto.app",
        "HTTPS://tenant.logto.app/oidc",
        "",
    ] {
        let iss: String = form_urlencoded::byte_serialize(iss.as_bytes()).collect();
        let error = start(&format!("iss={iss}"), &config()).unwrap_err();
        assert!(error.to_string().contains("iss"), "{error}");
    }
    assert!(ThirdPartyLogin::parse(b"login_hint=alice").is_err());
}

#[test]
fn c20_c17_the_target_is_a_place_of_this_application() {
    for (target, place) in [
        ("https://shop.example.com", "/"),
        (
            "https://shop.example.com/orders?page=2#top",
            "/orders?page=2",
        ),
        ("https://SHOP.example.com:443/orders", "/orders"),
        ("/orders", "/orders"),
    ] {
        assert_eq!(returns_to(target), place, "{target}");
    }
    for elsewhere in [
        "https://evil.example/orders",
        "http://shop.example.com/orders",
        "https://shop.example.com:8443/orders",
        "https://shop.example.com.evil.example/",
        "https://shop.example.com@evil.example/",
        "https://shop.example.com//evil.example",
        "https://shop.example.com/%2f%2fevil.example",
        "//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "",
    ] {
        assert_eq!(returns_to(elsewhere), "/", "{elsewhere}");
    }
}

#[test]
fn c20_repeated_parameters_are_refused() {
    for query in [
        format!("{ISS}&{ISS}"),
        format!("{ISS}&login_hint=a&login_hint=b"),
        format!("{ISS}&target_link_uri=a&target_link_uri=b"),
    ] {
        let error = start(&query, &config()).unwrap_err();
        assert!(matches!(error, UsageError::InvalidParameter(_)), "{query}");
    }
}

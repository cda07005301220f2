//! The other hosts of an application, and which of them a request is for.

use std::borrow::Cow;

use logto_core::{config::*, error::ConfigProblem};
use proptest::prelude::*;

fn builder(base_url: &str) -> LogtoConfigBuilder {
    LogtoConfig::builder("https://tenant.logto.app", "app").base_url(base_url)
}

fn config() -> LogtoConfig {
    builder("https://app.example.com")
        .other_hosts(["app.example.de", "*.preview.example.com"])
        .build()
        .unwrap()
}

/// The base URL for a request; `None` if it is the main one.
fn base_url(config: &LogtoConfig, host: &str) -> Option<String> {
    match config.for_host(host) {
        Cow::Borrowed(_) => None,
        Cow::Owned(config) => Some(config.base_url().unwrap().as_str().to_owned()),
    }
}

#[test]
fn c16_a_request_to_an_allowed_host_is_answered_with_that_host() {
    let config = builder("https://app.example.com/shop")
        .callback_path("/cb")
        .other_hosts(["app.example.de", "*.preview.example.com"])
        .build()
        .unwrap();
    for (host, root) in [
        ("app.example.de", "https://app.example.de/shop"),
        ("App.Example.DE", "https://app.example.de/shop"),
        ("app.example.de:443", "https://app.example.de/shop"),
        (
            "pr-7.preview.example.com",
            "https://pr-7.preview.example.com/shop",
        ),
        (
            "7.preview.example.com",
            "https://7.preview.example.com/shop",
        ),
        ("app.example.com", "https://app.example.com/shop"),
        ("elsewhere.example", "https://app.example.com/shop"),
    ] {
        let at = config.for_host(host);
        assert_eq!(at.base_url().unwrap().as_str(), root, "{host}");
        assert_eq!(at.redirect_uri().unwrap().as_str(), format!("{root}/cb"));
        assert_eq!(at.post_sign_out_redirect_uri().unwrap().as_str(), root);
        // All else is common to all hosts.
        assert_eq!(at.scopes(), config.scopes());
        assert_eq!(at.issuer(), config.issuer());
    }
}

#[test]
fn g2_a_post_sign_out_uri_of_its_own_is_for_all_hosts() {
    let config = builder("https://app.example.com")
        .other_hosts(["app.example.de"])
        .post_sign_out_redirect_uri("https://www.example.com/bye")
        .build()
        .unwrap();
    let at = config.for_host("app.example.de");
    assert_eq!(
        at.redirect_uri().unwrap().host_str(),
        Some("app.example.de")
    );
    let bye = "https://www.example.com/bye";
    assert_eq!(at.post_sign_out_redirect_uri().unwrap().as_str(), bye);
}

#[test]
fn c16_any_other_host_is_the_base_url() {
    let long = format!("{}.preview.example.com", "a".repeat(64));
    let longer = format!("{}.preview.example.com", "a.".repeat(120));
    for host in [
        "",
        " ",
        ".",
        ":",
        ":443",
        "*",
        "*.preview.example.com",
        "evil.example",
        "app.example.com.evil.example",
        "evil.example/app.example.de",
        "app.example.de.evil.example",
        "evilapp.example.de",
        "evil.app.example.de",
        "app.example.de.",
        "pr-7.preview.example.com.",
        "app.example.de:80",
        "app.example.de:8443",
        "app.example.de:0443",
        "app.example.de:+443",
        "app.example.de:",
        "app.example.de:443:443",
        "app.example.de: 443",
        "app.example.de ",
        " app.example.de",
        "app.example.de\t",
        "app.example.de, evil.example",
        "app.example.de,app.example.de",
        "alice@app.example.de",
        "alice:443@app.example.de",
        "app.example.de@evil.example",
        "app.example.de#@evil.example",
        "app.example.de/",
        "app.example.de\\.evil.example",
        "https://app.example.de",
        "//app.example.de",
        "app%2eexample.de",
        "app\u{3002}example.de",
        "\u{430}pp.example.de",
        "app.ex\u{ad}ample.de",
        "\u{ff41}pp.example.de",
        "app.example.de\0",
        "preview.example.com",
        ".preview.example.com",
        "..preview.example.com",
        "a.b.preview.example.com",
        "evilpreview.example.com",
        "evil-preview.example.com",
        "-.preview.example.com",
        "-a.preview.example.com",
        "a-.preview.example.com",
        "a_b.preview.example.com",
        "a b.preview.example.com",
        "a%2fb.preview.example.com",
        "evil.example/.preview.example.com",
        "evil.example#.preview.example.com",
        "evil.example?.preview.example.com",
        "evil.example\\.preview.example.com",
        "evil@.preview.example.com",
        "evil:.preview.example.com",
        "\u{e4}.preview.example.com",
        "xn--.preview.example.com",
        "xn--a.preview.example.com",
        "192.0.2.1",
        "127.0.0.1",
        "0x7f.1",
        "[::1]",
        "[::1]:443",
        "[app.example.de]",
        "[::ffff:127.0.0.1]",
        "localhost",
        &long,
        &longer,
    ] {
        assert_eq!(base_url(&config(), host), None, "{host:?}");
    }
}

#[test]
fn c16_a_loopback_base_url_has_loopback_hosts() {
    let config = builder("http://localhost:3000")
        .other_hosts(["127.0.0.1", "[::1]", "*.localhost"])
        .build()
        .unwrap();
    for (host, expected) in [
        ("127.0.0.1:3000", Some("http://127.0.0.1:3000/")),
        ("[::1]:3000", Some("http://[::1]:3000/")),
        ("one.localhost:3000", Some("http://one.localhost:3000/")),
        ("127.0.0.1", None),
        ("127.0.0.1:3001", None),
        ("[::1]", None),
        ("[::2]:3000", None),
        ("[0:0:0:0:0:0:0:1]:3000", None),
        ("::1:3000", None),
        ("one.localhost", None),
        ("two.one.localhost:3000", None),
        ("localhost:3000", None),
        ("127.1:3000", None),
    ] {
        assert_eq!(base_url(&config, host).as_deref(), expected, "{host}");
    }
}

#[test]
fn c16_without_other_hosts_the_host_makes_no_difference() {
    let config = builder("https://app.example.com").build().unwrap();
    assert!(config.other_hosts().is_empty());
    for host in [
        "app.example.com",
        "APP.EXAMPLE.COM:443",
        "app.example.de",
        "",
    ] {
        assert_eq!(base_url(&config, host), None, "{host}");
    }
    let machine = LogtoConfig::builder("https://tenant.logto.app", "app");
    assert_eq!(base_url(&machine.build().unwrap(), "app.example.com"), None);
}

#[test]
fn g1_other_hosts_are_checked_and_kept_as_browsers_send_them() {
    let config = builder("https://app.example.com")
        .other_hosts(["App.Example.DE", "m\u{fc}nchen.example", "app.example.de"])
        .other_hosts(["*.Preview.example.com", "localhost", "127.0.0.1", "[::1]"])
        .build()
        .unwrap();
    assert_eq!(
        config.other_hosts(),
        [
            "app.example.de",
            "xn--mnchen-3ya.example",
            "*.preview.example.com",
            "localhost",
            "127.0.0.1",
            "[::1]",
        ]
    );
}

#[test]
fn g1_what_is_not_a_host_is_refused_by_field() {
    use ConfigProblem as P;
    let secure = "https://app.example.com";
    let local = "http://localhost:3000";
    for (base_url, host, problem) in [
        (secure, "", P::Missing),
        (secure, "a.example b.example", P::WhiteSpace),
        (secure, "a.example\n", P::WhiteSpace),
        (secure, "https://a.example", P::UnexpectedUrlPart("scheme")),
        (
            secure,
            "https://*.a.example",
            P::UnexpectedUrlPart("scheme"),
        ),
        (secure, "a.example:443", P::UnexpectedUrlPart("port")),
        (secure, "a.example/", P::UnexpectedUrlPart("path")),
        (secure, "a.example?b", P::UnexpectedUrlPart("query")),
        (secure, "a.example#b", P::UnexpectedUrlPart("fragment")),
        (
            secure,
            "alice:hush@a.example",
            P::UnexpectedUrlPart("user name or password"),
        ),
        (
            secure,
            "@a.example",
            P::UnexpectedUrlPart("user name or password"),
        ),
        (secure, "*", P::NotAHost),
        (secure, "*.", P::NotAHost),
        (secure, "**.a.example", P::NotAHost),
        (secure, "*.*.a.example", P::NotAHost),
        (secure, "*.com", P::NotAHost),
        (secure, "*a.example", P::NotAHost),
        (secure, "a*.example.com", P::NotAHost),
        (secure, "a.*.example.com", P::NotAHost),
        (secure, "a.example.", P::NotAHost),
        (secure, ".a.example", P::NotAHost),
        (secure, "a..example", P::NotAHost),
        (secure, "-a.example", P::NotAHost),
        (secure, "a_b.example", P::NotAHost),
        (secure, "a%2eexample", P::NotAHost),
        (secure, "a.example\\b", P::NotAHost),
        (secure, "xn--a.example", P::NotAHost),
        (secure, "192.0.2.1", P::NotAHost),
        (secure, "10.0.0.1", P::NotAHost),
        (secure, "0.0.0.0", P::NotAHost),
        (secure, "*.0.0.1", P::NotAHost),
        (secure, "*.127.0.0.1", P::NotAHost),
        (secure, "[2001:db8::1]", P::NotAHost),
        (secure, "[::1]:443", P::NotAHost),
        (secure, "*.[::1]", P::NotAHost),
        (local, "a.example", P::HostNeedsHttps),
        (local, "*.a.example", P::HostNeedsHttps),
        (local, "localhost.a.example", P::HostNeedsHttps),
    ] {
        // Plain http does not become acceptable for session cookies.
        for builder in [
            builder(base_url),
            builder(base_url).dangerously_allow_http(),
        ] {
            let error = builder.other_hosts([host]).build().unwrap_err();
            assert_eq!(
                (error.field, &error.problem),
                ("other_hosts", &problem),
                "{host}"
            );
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
    let long = format!("{}.example", "a".repeat(64));
    let longer = format!("{}example", "a.".repeat(130));
    for host in [long, longer] {
        let error = builder(secure).other_hosts([host]).build().unwrap_err();
        assert_eq!(error.problem, P::NotAHost);
    }
    let nowhere = LogtoConfig::builder("https://tenant.logto.app", "app");
    let error = nowhere.other_hosts(["a.example"]).build().unwrap_err();
    assert_eq!((error.field, error.problem), ("base_url", P::Missing));
}

proptest! {
    /// Whatever a request names: the base URL differs in nothing but the host, which is an allowed one.
    #[test]
    fn c16_no_request_leads_to_a_host_that_is_not_allowed(
        label in r"[ -~\u{e0}-\u{ff}\u{3002}]{0,8}",
        domain in prop::sample::select(vec![
            "app.example.de", ".preview.example.com", ".example.de", "@app.example.de", "",
        ]),
        port in prop::sample::select(vec!["", ":443", ":80", ":"]),
    ) {
        let config = config();
        let at = config.for_host(&format!("{label}{domain}{port}"));
        let url = at.base_url().unwrap();
        let host = url.host_str().unwrap();
        let mut main = config.base_url().unwrap().clone();
        main.set_host(Some(host)).unwrap();
        prop_assert_eq!(url, &main);
        let is_preview = host
            .strip_suffix(".preview.example.com")
            .is_some_and(|label| !label.is_empty() && !label.contains('.'));
        prop_assert!(["app.example.com", "app.example.de"].contains(&host) || is_preview);
    }
}

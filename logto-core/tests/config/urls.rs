//! Configured URLs: the endpoint, the issuer, the base URL and what is derived from them.

use logto_core::{config::*, error::ConfigProblem};
use proptest::prelude::*;
use url::Url;

const ENDPOINT: &str = "https://tenant.logto.app";

fn builder() -> LogtoConfigBuilder {
    LogtoConfig::builder(ENDPOINT, "app")
}

/// The field and the problem a builder is refused for.
fn refusal(builder: LogtoConfigBuilder) -> (&'static str, ConfigProblem) {
    let error = builder.build().expect_err("the configuration was accepted");
    assert_eq!(error.variable, None);
    assert!(error.to_string().contains(error.field), "{error}");
    (error.field, error.problem)
}

#[test]
fn g1_prefixes_are_kept_and_trailing_slashes_make_no_difference() {
    for (given, endpoint) in [
        ("https://t.logto.app", "https://t.logto.app/"),
        ("https://t.logto.app/", "https://t.logto.app/"),
        ("https://t.logto.app//", "https://t.logto.app/"),
        ("https://T.Logto.App:443", "https://t.logto.app/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/auth", "https://example.com/auth"),
        ("https://example.com/auth/", "https://example.com/auth"),
        ("https://example.com/a/b//", "https://example.com/a/b"),
        ("http://localhost:3001/", "http://localhost:3001/"),
    ] {
        let config = LogtoConfig::builder(given, "app")
            .base_url(given)
            .callback_path("/cb")
            .build()
            .unwrap();
        let root = endpoint.trim_end_matches('/');
        assert_eq!(config.endpoint().as_str(), endpoint, "{given}");
        assert_eq!(config.issuer(), format!("{root}/oidc"), "{given}");
        assert_eq!(
            config.discovery_url().as_str(),
            format!("{root}/oidc/.well-known/openid-configuration"),
            "{given}"
        );
        assert_eq!(config.base_url().unwrap().as_str(), endpoint, "{given}");
        assert_eq!(
            config.redirect_uri().unwrap().as_str(),
            format!("{root}/cb"),
            "{given}"
        );
        assert_eq!(
            config.post_sign_out_redirect_uri().unwrap().as_str(),
            endpoint,
            "{given}"
        );
    }
}

#[test]
fn x47_another_issuer_is_kept_byte_for_byte_and_says_where_metadata_is() {
    for (issuer, discovery) in [
        (
            "https://idp.example.com",
            "https://idp.example.com/.well-known/openid-configuration",
        ),
        (
            "https://idp.example.com/",
            "https://idp.example.com/.well-known/openid-configuration",
        ),
        (
            "https://idp.example.com/v2",
            "https://idp.example.com/v2/.well-known/openid-configuration",
        ),
    ] {
        let config = builder().issuer(issuer).build().unwrap();
        assert_eq!(config.issuer(), issuer);
        assert_eq!(config.discovery_url().as_str(), discovery);
        assert_eq!(config.endpoint().as_str(), "https://tenant.logto.app/");
    }
}

/// Refused for every setting that is the root of a site.
const BAD_ROOTS: [(&str, ConfigProblem); 18] = [
    ("", ConfigProblem::Missing),
    (" ", ConfigProblem::WhiteSpace),
    (" https://example.com", ConfigProblem::WhiteSpace),
    ("https://example.com\n", ConfigProblem::WhiteSpace),
    ("https://exa\tmple.com", ConfigProblem::WhiteSpace),
    ("example.com", ConfigProblem::NotAWebUrl),
    ("/auth", ConfigProblem::NotAWebUrl),
    ("//example.com", ConfigProblem::NotAWebUrl),
    ("https://", ConfigProblem::NotAWebUrl),
    ("https://[::1", ConfigProblem::NotAWebUrl),
    ("localhost:3001", ConfigProblem::NotAWebUrl),
    ("ftp://example.com", ConfigProblem::NotAWebUrl),
    ("file:///etc/passwd", ConfigProblem::NotAWebUrl),
    (
        "https://user@example.com",
        ConfigProblem::UnexpectedUrlPart("user name or password"),
    ),
    (
        "https://:hunter2@example.com",
        ConfigProblem::UnexpectedUrlPart("user name or password"),
    ),
    (
        "https://example.com/?",
        ConfigProblem::UnexpectedUrlPart("query"),
    ),
    (
        "https://example.com/?a=b",
        ConfigProblem::UnexpectedUrlPart("query"),
    ),
    (
        "https://example.com/#x",
        ConfigProblem::UnexpectedUrlPart("fragment"),
    ),
];

#[test]
fn c31_g1_bad_urls_are_refused_by_field() {
    for (url, problem) in BAD_ROOTS {
        let refused = |field| (field, problem.clone());
        assert_eq!(
            refusal(LogtoConfig::builder(url, "app")),
            refused("endpoint"),
            "{url}"
        );
        assert_eq!(refusal(builder().issuer(url)), refused("issuer"), "{url}");
        assert_eq!(
            refusal(builder().base_url(url)),
            refused("base_url"),
            "{url}"
        );
        if problem != ConfigProblem::UnexpectedUrlPart("query") {
            assert_eq!(
                refusal(builder().post_sign_out_redirect_uri(url)),
                refused("post_sign_out_redirect_uri"),
                "{url}"
            );
        }
    }
}

#[test]
fn c31_c34_plain_http_is_for_this_machine_or_dangerous() {
    for (url, is_local) in [
        ("http://localhost:3001", true),
        ("http://LOCALHOST", true),
        ("http://app.localhost:3000", true),
        ("http://127.0.0.1:3001", true),
        ("http://127.255.1.2", true),
        ("http://[::1]:3001", true),
        ("http://example.com", false),
        ("http://localhost.example.com", false),
        ("http://notlocalhost", false),
        ("http://128.0.0.1", false),
        ("http://0.0.0.0", false),
        ("http://10.0.0.1", false),
        ("http://192.168.1.1", false),
        ("http://[::2]", false),
        ("http://[::]", false),
        ("http://[::ffff:10.0.0.1]", false),
        ("http://logto:3001", false),
    ] {
        let settings = [
            ("endpoint", LogtoConfig::builder(url, "app")),
            ("issuer", builder().issuer(url)),
            ("base_url", builder().base_url(url)),
            (
                "post_sign_out_redirect_uri",
                builder().post_sign_out_redirect_uri(url),
            ),
        ];
        for (field, setting) in settings {
            setting.clone().dangerously_allow_http().build().unwrap();
            if is_local {
                setting.build().unwrap();
            } else {
                assert_eq!(refusal(setting), (field, ConfigProblem::PlainHttp), "{url}");
            }
        }
        let parsed = Url::parse(url).unwrap();
        assert_eq!(
            builder().build().unwrap().allows_transport(&parsed),
            is_local,
            "{url}"
        );
        let dangerous = builder().dangerously_allow_http().build().unwrap();
        assert!(dangerous.allows_transport(&parsed), "{url}");
    }
    let dangerous = builder().dangerously_allow_http().build().unwrap();
    for url in [
        "file:///etc/passwd",
        "gopher://localhost",
        "data:,x",
        "javascript:alert(1)",
    ] {
        assert!(
            !dangerous.allows_transport(&Url::parse(url).unwrap()),
            "{url}"
        );
    }
    assert!(
        builder()
            .build()
            .unwrap()
            .allows_transport(&Url::parse("https://a.example").unwrap())
    );
}

#[test]
fn g2_callback_path_is_a_plain_path_below_the_base_url() {
    for (path, uri) in [
        ("/callback", "https://example.com/app/callback"),
        ("/a/b/", "https://example.com/app/a/b/"),
        ("/", "https://example.com/app/"),
        ("/caf%C3%A9", "https://example.com/app/caf%C3%A9"),
    ] {
        let config = builder()
            .base_url("https://example.com/app/")
            .callback_path(path);
        assert_eq!(
            config.build().unwrap().redirect_uri().unwrap().as_str(),
            uri
        );
    }
    for path in [
        "",
        "callback",
        "https://evil.example",
        "//evil.example",
        "/a//b",
        "/a/../b",
        "/..",
        "/./a",
        "/%2e%2e/a",
        "/a?b",
        "/a#b",
        "/a b",
        "/a\n",
        "/é",
        "\\a",
        "/a\\b",
    ] {
        assert_eq!(
            refusal(
                builder()
                    .base_url("https://example.com")
                    .callback_path(path)
            ),
            ("callback_path", ConfigProblem::NotAPath),
            "{path:?}"
        );
    }
}

#[test]
fn l3_post_sign_out_redirect_uri_is_configured() {
    let config = builder()
        .base_url("https://example.com")
        .post_sign_out_redirect_uri("https://example.com/bye?from=logto")
        .build()
        .unwrap();
    assert_eq!(
        config.post_sign_out_redirect_uri().unwrap().as_str(),
        "https://example.com/bye?from=logto"
    );
}

proptest! {
    #[test]
    fn g2_an_accepted_callback_path_stands_unchanged_in_the_redirect_uri(
        path in "(/[a-z.%2e?#@:; \\\\]{0,6}){1,3}",
    ) {
        if let Ok(config) = builder().base_url("https://example.com/app").callback_path(&*path).build() {
            prop_assert_eq!(
                config.redirect_uri().unwrap().as_str(),
                format!("https://example.com/app{path}")
            );
        }
    }
}

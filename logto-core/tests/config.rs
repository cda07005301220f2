//! Configuration: what is accepted, what it becomes, and which words explain a refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{ffi::OsString, time::Duration};

use logto_core::{
    Secret,
    config::*,
    vocabulary::{Prompt, ReservedResource, UserScope},
};
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
fn g1_g2_defaults_match_the_guide() {
    let config = LogtoConfig::builder(ENDPOINT, "app")
        .app_secret("secret")
        .base_url("http://localhost:3000")
        .build()
        .unwrap();
    assert_eq!(config.endpoint().as_str(), "https://tenant.logto.app/");
    assert_eq!(config.issuer(), "https://tenant.logto.app/oidc");
    assert_eq!(
        config.discovery_url().as_str(),
        "https://tenant.logto.app/oidc/.well-known/openid-configuration"
    );
    assert_eq!(config.app_id(), "app");
    assert_eq!(
        config.client_authentication(),
        &ClientAuthentication::Basic(Secret::from("secret"))
    );
    assert_eq!(config.callback_path(), "/callback");
    assert_eq!(
        config.redirect_uri().unwrap().as_str(),
        "http://localhost:3000/callback"
    );
    assert_eq!(
        config.post_sign_out_redirect_uri().unwrap().as_str(),
        "http://localhost:3000/"
    );
    assert_eq!(config.scopes(), ["openid", "offline_access", "profile"]);
    assert!(config.resources().is_empty());
    assert_eq!(config.prompts(), [Prompt::Consent]);
    assert_eq!(config.clock_skew(), Duration::from_secs(60));
    assert_eq!(config.expiry_leeway(), Duration::from_secs(60));
    assert!(config.trusted_audiences().is_empty());
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
fn g1_other_fields_are_refused_by_name() {
    use ConfigProblem as P;
    let long = Duration::from_secs(301);
    let with_secret = |secret: &str| builder().app_secret(secret);
    for (builder, expected) in [
        (LogtoConfig::builder(ENDPOINT, ""), ("app_id", P::Missing)),
        (
            LogtoConfig::builder(ENDPOINT, "a b"),
            ("app_id", P::WhiteSpace),
        ),
        (
            LogtoConfig::builder(ENDPOINT, "app\n"),
            ("app_id", P::WhiteSpace),
        ),
        (with_secret(""), ("app_secret", P::EmptySecret)),
        (with_secret(" secret"), ("app_secret", P::WhiteSpace)),
        (with_secret("secret\n"), ("app_secret", P::WhiteSpace)),
        (with_secret("sec\0ret"), ("app_secret", P::WhiteSpace)),
        (
            builder().client_authentication(ClientAuthentication::Post("".into())),
            ("app_secret", P::EmptySecret),
        ),
        (
            builder().prompts([Prompt::None, Prompt::Login]),
            ("prompts", P::NoneWithOthers),
        ),
        (
            builder().clock_skew(long),
            (
                "clock_skew",
                P::TooLong {
                    maximum: MAX_CLOCK_SKEW,
                },
            ),
        ),
        (
            builder().trusted_audiences([""]),
            ("trusted_audiences", P::Missing),
        ),
        (
            builder().trusted_audiences(["a b"]),
            ("trusted_audiences", P::WhiteSpace),
        ),
    ] {
        assert_eq!(refusal(builder), expected);
    }
    with_secret("a secret with spaces inside").build().unwrap();
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
fn g2_sign_in_needs_a_base_url_but_a_machine_does_not() {
    let config = builder().app_secret("secret").build().unwrap();
    assert_eq!(config.base_url(), None);
    assert_eq!(config.post_sign_out_redirect_uri(), None);
    let error = config.redirect_uri().unwrap_err();
    assert_eq!(
        (error.field, error.problem),
        ("base_url", ConfigProblem::Missing)
    );
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

#[test]
fn g11_g17_scopes_are_ordered_and_distinct() {
    let strings = |scopes: &[&str]| scopes.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    for (include_reserved, given, expected) in [
        (
            true,
            strings(&[]),
            strings(&["openid", "offline_access", "profile"]),
        ),
        (
            true,
            strings(&["read", "profile", "openid", "write", "read"]),
            strings(&["openid", "offline_access", "profile", "read", "write"]),
        ),
        (
            false,
            strings(&["read", "openid", "read"]),
            strings(&["read", "openid"]),
        ),
        (false, strings(&[]), strings(&[])),
    ] {
        let config = builder()
            .include_reserved_scopes(include_reserved)
            .scopes(given);
        assert_eq!(config.build().unwrap().scopes(), expected);
    }
    let config = builder()
        .scopes([UserScope::Email, UserScope::Phone])
        .scope("shopping:read");
    assert_eq!(
        config.build().unwrap().scopes(),
        [
            "openid",
            "offline_access",
            "profile",
            "email",
            "phone",
            "shopping:read"
        ]
    );
    for scope in [
        "",
        " ",
        "read write",
        "read\n",
        "\"read\"",
        "a\\b",
        "lé",
        "\u{7f}",
    ] {
        assert_eq!(
            refusal(builder().scope(scope)),
            ("scopes", ConfigProblem::NotAScope(scope.to_owned()))
        );
    }
}

#[test]
fn c46_g16_resources_are_absolute_uris_kept_as_given() {
    let given = [
        "https://shopping.your-app.com/api",
        "https://shopping.your-app.com",
        "https://shopping.your-app.com/",
        "HTTPS://Store.your-app.com:443",
        "urn:example:api",
        "https://shopping.your-app.com/api",
        "http://internal/api?x=1",
    ];
    let config = builder().resources(given).build().unwrap();
    let distinct: Vec<&str> = [&given[..5], &given[6..]].concat();
    assert_eq!(config.resources(), distinct);
    for resource in [
        "",
        "api",
        "/api",
        "https://api.example.com#",
        "https://api.example.com/#part",
        "urn:example:api#x",
        "https://a b",
        " https://api.example.com",
        "https://",
    ] {
        assert_eq!(
            refusal(builder().resource(resource)),
            (
                "resources",
                ConfigProblem::NotAResource(resource.to_owned())
            )
        );
    }
}

#[test]
fn g21_the_organizations_scope_brings_its_resource() {
    let organizations = ReservedResource::Organizations.as_str();
    for builder in [
        builder().scope(UserScope::Organizations),
        builder().scope("urn:logto:scope:organizations"),
        builder()
            .scope(UserScope::Organizations)
            .include_reserved_scopes(false),
        builder()
            .scope(UserScope::Organizations)
            .resource(ReservedResource::Organizations),
    ] {
        assert_eq!(builder.build().unwrap().resources(), [organizations]);
    }
    let config = builder()
        .scope(UserScope::Organizations)
        .resource("https://api.example.com");
    assert_eq!(
        config.build().unwrap().resources(),
        ["https://api.example.com", organizations]
    );
    let without = builder()
        .scope(UserScope::OrganizationRoles)
        .build()
        .unwrap();
    assert!(without.resources().is_empty());
}

#[test]
fn prompts_may_be_one_several_or_none_at_all() {
    use Prompt::{Consent, Login, None};
    for (given, expected) in [
        (vec![], vec![]),
        (vec![None], vec![None]),
        (vec![None, None], vec![None]),
        (vec![Login, Consent, Login], vec![Login, Consent]),
    ] {
        assert_eq!(
            builder().prompts(given).build().unwrap().prompts(),
            expected
        );
    }
}

#[test]
fn c68_clock_skew_is_bounded() {
    assert!(DEFAULT_CLOCK_SKEW <= Duration::from_secs(60));
    for skew in [Duration::ZERO, Duration::from_secs(15), MAX_CLOCK_SKEW] {
        assert_eq!(
            builder().clock_skew(skew).build().unwrap().clock_skew(),
            skew
        );
    }
    for skew in [MAX_CLOCK_SKEW + Duration::from_nanos(1), Duration::MAX] {
        let (field, problem) = refusal(builder().clock_skew(skew));
        assert_eq!(
            (field, problem.to_string().contains("300")),
            ("clock_skew", true)
        );
    }
    let leeway = Duration::from_secs(7);
    assert_eq!(
        builder()
            .expiry_leeway(leeway)
            .build()
            .unwrap()
            .expiry_leeway(),
        leeway
    );
}

#[test]
fn b18_secrets_and_urls_are_not_shown() {
    let builder =
        LogtoConfig::builder("https://user:hunter2@example.com", "app").app_secret("swordfish");
    let shown = format!("{builder:?} {builder:#?}");
    let error = builder.build().unwrap_err();
    let shown = format!("{shown} {error} {error:?}");
    for secret in ["hunter2", "swordfish"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let bad_secret = super_secret_refusal();
    assert!(
        !format!("{bad_secret} {bad_secret:?}").contains("swordfish"),
        "{bad_secret}"
    );

    let config = LogtoConfig::builder(ENDPOINT, "app")
        .app_secret("swordfish")
        .build()
        .unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("swordfish"), "{shown}");
    assert!(
        shown.contains("tenant.logto.app") && shown.contains("app"),
        "{shown}"
    );
}

fn super_secret_refusal() -> ConfigError {
    builder().app_secret("swordfish\n").build().unwrap_err()
}

#[test]
fn configurations_are_shared_between_threads() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let config = builder().build().unwrap();
    is_shared(&config);
    assert!(std::ptr::eq(config.clone().issuer(), config.issuer()));
}

fn from(variables: &[(&'static str, &'static str)]) -> Result<LogtoConfig, ConfigError> {
    LogtoConfigBuilder::from_lookup(|name| {
        variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| *value)
    })?
    .build()
}

#[test]
fn g1_environment_is_read() {
    let config = from(&[
        ("LOGTO_ENDPOINT", "http://localhost:3001/"),
        ("LOGTO_APP_ID", "app"),
        ("LOGTO_APP_SECRET", "secret"),
        ("LOGTO_BASE_URL", "http://localhost:3000"),
        (
            "LOGTO_RESOURCES",
            "https://a.example/api, https://b.example/api\n",
        ),
        ("LOGTO_SCOPES", "email,,read  urn:logto:scope:organizations"),
    ])
    .unwrap();
    assert_eq!(config.issuer(), "http://localhost:3001/oidc");
    assert_eq!(config.app_id(), "app");
    assert_eq!(
        config.client_authentication(),
        &ClientAuthentication::Basic("secret".into())
    );
    assert_eq!(
        config.redirect_uri().unwrap().as_str(),
        "http://localhost:3000/callback"
    );
    assert_eq!(
        config.resources(),
        [
            "https://a.example/api",
            "https://b.example/api",
            "urn:logto:resource:organizations"
        ]
    );
    assert_eq!(
        config.scopes(),
        [
            "openid",
            "offline_access",
            "profile",
            "email",
            "read",
            "urn:logto:scope:organizations"
        ]
    );

    let least = from(&[("LOGTO_ENDPOINT", ENDPOINT), ("LOGTO_APP_ID", "app")]).unwrap();
    assert_eq!(least.client_authentication(), &ClientAuthentication::None);
    assert_eq!(least.base_url(), None);
    assert!(least.resources().is_empty());
    assert_eq!(least.scopes(), ["openid", "offline_access", "profile"]);
}

#[test]
fn g1_environment_errors_name_the_variable_and_the_field() {
    use ConfigProblem as P;
    let good = [
        ("LOGTO_ENDPOINT", ENDPOINT),
        ("LOGTO_APP_ID", "app"),
        ("LOGTO_APP_SECRET", "secret"),
        ("LOGTO_BASE_URL", "http://localhost:3000"),
        ("LOGTO_RESOURCES", "https://a.example/api"),
        ("LOGTO_SCOPES", "email"),
    ];
    from(&good).unwrap();
    for (variable, value, field, problem) in [
        ("LOGTO_ENDPOINT", None, "endpoint", P::Missing),
        ("LOGTO_ENDPOINT", Some(""), "endpoint", P::Missing),
        (
            "LOGTO_ENDPOINT",
            Some("tenant.logto.app"),
            "endpoint",
            P::NotAWebUrl,
        ),
        (
            "LOGTO_ENDPOINT",
            Some("http://logto:3001"),
            "endpoint",
            P::PlainHttp,
        ),
        ("LOGTO_APP_ID", None, "app_id", P::Missing),
        ("LOGTO_APP_ID", Some(""), "app_id", P::Missing),
        ("LOGTO_APP_ID", Some("app "), "app_id", P::WhiteSpace),
        ("LOGTO_APP_SECRET", Some(""), "app_secret", P::EmptySecret),
        (
            "LOGTO_APP_SECRET",
            Some("swordfish\n"),
            "app_secret",
            P::WhiteSpace,
        ),
        ("LOGTO_BASE_URL", Some(""), "base_url", P::Missing),
        (
            "LOGTO_BASE_URL",
            Some("localhost:3000"),
            "base_url",
            P::NotAWebUrl,
        ),
        (
            "LOGTO_RESOURCES",
            Some("api"),
            "resources",
            P::NotAResource("api".to_owned()),
        ),
        (
            "LOGTO_SCOPES",
            Some("email \"x\""),
            "scopes",
            P::NotAScope("\"x\"".to_owned()),
        ),
    ] {
        let mut variables: Vec<_> = good.iter().copied().filter(|it| it.0 != variable).collect();
        variables.extend(value.map(|value| (variable, value)));
        let error = from(&variables).expect_err(variable);
        assert_eq!((error.field, error.variable), (field, Some(variable)));
        assert_eq!(error.problem, problem);
        let message = error.to_string();
        assert!(
            message.contains(field) && message.contains(variable),
            "{message}"
        );
        assert!(!message.contains("swordfish"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn g1_environment_that_is_not_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    for variable in [
        "LOGTO_ENDPOINT",
        "LOGTO_APP_ID",
        "LOGTO_APP_SECRET",
        "LOGTO_SCOPES",
    ] {
        let result = LogtoConfigBuilder::from_lookup(|name| {
            Some(if name == variable {
                OsString::from_vec(vec![0xff])
            } else {
                "x".into()
            })
        });
        let error = result.unwrap_err();
        assert_eq!(
            (error.variable, error.problem),
            (Some(variable), ConfigProblem::NotUnicode)
        );
    }
}

#[test]
fn g1_environment_and_code_combine_and_blame_the_right_one() {
    let builder = || {
        LogtoConfigBuilder::from_lookup(|name| match name {
            "LOGTO_ENDPOINT" => Some("http://logto:3001"),
            "LOGTO_APP_ID" => Some("app"),
            "LOGTO_BASE_URL" => Some("not a url"),
            _ => None,
        })
        .unwrap()
    };
    builder()
        .dangerously_allow_http()
        .base_url("https://example.com")
        .build()
        .unwrap();
    let error = builder()
        .dangerously_allow_http()
        .base_url("example.com")
        .build()
        .unwrap_err();
    assert_eq!((error.field, error.variable), ("base_url", None));
    let error = builder().dangerously_allow_http().build().unwrap_err();
    assert_eq!(
        (error.field, error.variable),
        ("base_url", Some("LOGTO_BASE_URL"))
    );
}

#[test]
fn g1_process_environment_is_one_such_lookup() {
    let by_hand = LogtoConfigBuilder::from_lookup(std::env::var_os)
        .and_then(LogtoConfigBuilder::build)
        .map(|config| format!("{config:?}"));
    assert_eq!(
        LogtoConfig::from_env().map(|config| format!("{config:?}")),
        by_hand
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_builder_panic(text in ".{0,20}") {
        let _refused_or_not = LogtoConfig::builder(&text, &*text).app_secret(&*text).build();
        let _refused_or_not = builder().issuer(&text).build();
        let _refused_or_not = builder().base_url(&text).build();
        let _refused_or_not = builder().post_sign_out_redirect_uri(&text).build();
        let _refused_or_not = builder().callback_path(&*text).build();
        let _refused_or_not = builder().scope(&*text).build();
        let _refused_or_not = builder().resource(&*text).build();
    }

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

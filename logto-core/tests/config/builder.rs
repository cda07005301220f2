//! The configuration builder: valid and invalid values, and the errors for the latter.

use std::time::Duration;

use logto_core::{
    Secret,
    config::*,
    error::{ConfigError, ConfigProblem},
    vocabulary::{Prompt, ReservedResource, UserScope},
};
use proptest::prelude::*;

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
}

//! Configuration from environment variables.

use std::ffi::OsString;

use logto_core::{
    config::*,
    error::{ConfigError, ConfigProblem},
};

const ENDPOINT: &str = "https://tenant.logto.app";

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
        ("LOGTO_OTHER_HOSTS", "127.0.0.1, *.localhost\n"),
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
    assert_eq!(config.other_hosts(), ["127.0.0.1", "*.localhost"]);
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
        ("LOGTO_OTHER_HOSTS", "127.0.0.1"),
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
            "LOGTO_OTHER_HOSTS",
            Some("127.0.0.1,http://localhost"),
            "other_hosts",
            P::UnexpectedUrlPart("scheme"),
        ),
        ("LOGTO_OTHER_HOSTS", Some("*"), "other_hosts", P::NotAHost),
        (
            "LOGTO_OTHER_HOSTS",
            Some("app.example.com"),
            "other_hosts",
            P::HostNeedsHttps,
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

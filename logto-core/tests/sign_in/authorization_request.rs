//! The authorization URL.

use std::{collections::BTreeMap, time::Duration};

use logto_core::{
    LogtoConfig, SignIn,
    error::{Endpoint, UsageError},
    sign_in::PendingSignIn,
    vocabulary::{DirectSignIn, FirstScreen, Identifier, Prompt, UserScope},
};
use logto_recordings::Recording;
use serde_json::json;
use url::Url;

use crate::support::provider::{self, NOW, config, metadata, random};

fn start(sign_in: &SignIn, config: &LogtoConfig) -> Result<(Url, PendingSignIn), UsageError> {
    sign_in.start(config, &metadata(), &random(), NOW)
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn values(url: &Url, name: &str) -> Vec<String> {
    let of_name = pairs(url).into_iter().filter(|pair| pair.0 == name);
    of_name.map(|pair| pair.1).collect()
}

const BASE: &str = "https://tenant.logto.app/oidc/auth\
    ?response_type=code\
    &client_id=app-id\
    &state=ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\
    &code_challenge=6oZqdX5MOLq_qBJ8vppAnT4fk6AP8UiP9zX8-Rev_9A\
    &code_challenge_method=S256\
    &redirect_uri=https%3A%2F%2Fshop.example.com%2Fcallback\
    &scope=openid+offline_access+profile\
    &nonce=QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8";

#[test]
fn c1_c2_c6_the_plain_request_is_code_with_s256_and_a_nonce() {
    let (url, _) = start(&SignIn::new(), &config()).unwrap();
    assert_eq!(url.as_str(), format!("{BASE}&prompt=consent"));
}

#[test]
fn x24_every_parameter_has_the_servers_name_and_form() {
    let new = SignIn::new;
    let table: [(SignIn, &str); 19] = [
        (SignIn::sign_up(), "&prompt=consent&first_screen=register"),
        (SignIn::silent(), "&prompt=none"),
        (new().prompt([]), ""),
        (
            new().prompt([Prompt::Login, Prompt::Consent]),
            "&prompt=login+consent",
        ),
        (
            new().resources(["https://api.example.com", "urn:example:api"]),
            "&prompt=consent&resource=https%3A%2F%2Fapi.example.com&resource=urn%3Aexample%3Aapi",
        ),
        (
            new().login_hint("a+b&c=d#é@example.com"),
            "&prompt=consent&login_hint=a%2Bb%26c%3Dd%23%C3%A9%40example.com",
        ),
        (
            new()
                .first_screen(FirstScreen::IdentifierSignIn)
                .identifiers([Identifier::Email, Identifier::Phone, Identifier::Username]),
            "&prompt=consent&first_screen=identifier%3Asign_in&identifier=email+phone+username",
        ),
        (
            new().first_screen(FirstScreen::ResetPassword),
            "&prompt=consent&first_screen=reset_password",
        ),
        (
            new().direct_sign_in(DirectSignIn::Social("github".into())),
            "&prompt=consent&direct_sign_in=social%3Agithub",
        ),
        (
            new().direct_sign_in(DirectSignIn::Sso("connector-1".into())),
            "&prompt=consent&direct_sign_in=sso%3Aconnector-1",
        ),
        (
            new().one_time_token("t0ken").login_hint("a@example.com"),
            "&prompt=consent&login_hint=a%40example.com&one_time_token=t0ken",
        ),
        (
            new().ui_locales(["de-CH", "fr"]),
            "&prompt=consent&ui_locales=de-CH+fr",
        ),
        (
            new().organization_branding("org1"),
            "&prompt=consent&organization_id=org1",
        ),
        (
            new().google_one_tap_credential("ey.J.x"),
            "&prompt=consent&google_one_tap_credential=ey.J.x",
        ),
        (
            new().max_age(Duration::from_millis(90_999)),
            "&prompt=consent&max_age=90",
        ),
        (
            new().acr_values(["urn:mfa", "urn:pwd"]),
            "&prompt=consent&acr_values=urn%3Amfa+urn%3Apwd",
        ),
        (new().form_post(), "&prompt=consent&response_mode=form_post"),
        (
            new().extra_parameter("claims", r#"{"a":"b c"}"#).unwrap(),
            "&prompt=consent&claims=%7B%22a%22%3A%22b+c%22%7D",
        ),
        (
            new()
                .return_to("/orders")
                .app_state(&json!({"a": 1}))
                .unwrap(),
            "&prompt=consent",
        ),
    ];
    for (sign_in, rest) in table {
        let (url, pending) = start(&sign_in, &config()).unwrap();
        assert_eq!(url.as_str(), format!("{BASE}{rest}"));

        // Written down and read again it asks for the same, but for what is good for one use.
        let written = serde_json::to_string(&sign_in).unwrap();
        let again: SignIn = serde_json::from_str(&written).unwrap();
        let (url, again) = start(&again, &config()).unwrap();
        let is_secret = |(name, _): &(String, String)| {
            !["one_time_token", "google_one_tap_credential"].contains(&name.as_str())
        };
        let expected = Url::parse(&format!("{BASE}{rest}")).unwrap();
        let expected: Vec<_> = pairs(&expected).into_iter().filter(is_secret).collect();
        assert_eq!(pairs(&url), expected);
        assert_eq!(again, pending);
    }
}

#[test]
fn a_sign_in_that_is_written_down_takes_little_room_and_holds_nothing_that_is_good_once() {
    let written = |sign_in: &SignIn| serde_json::to_string(sign_in).unwrap();
    assert_eq!(written(&SignIn::new()), "{}");
    assert_eq!(written(&SignIn::new().return_to("/a")), r#"{"r":"/a"}"#);
    assert_eq!(written(&SignIn::silent()), r#"{"p":["none"]}"#);
    let secrets = SignIn::new()
        .one_time_token("once")
        .google_one_tap_credential("credential")
        .state("state");
    assert_eq!(written(&secrets), "{}");
    for unknown in [r#"{"p":["dance"]}"#, r#"{"d":"github"}"#, r#"{"f":"x"}"#] {
        assert!(
            serde_json::from_str::<SignIn>(unknown).is_err(),
            "{unknown}"
        );
    }
}

#[test]
fn a_state_of_the_program_takes_the_place_of_the_random_one() {
    let (url, pending) = start(&SignIn::new().state("sealed-by-the-program"), &config()).unwrap();
    assert_eq!(values(&url, "state"), ["sealed-by-the-program"]);
    assert_eq!(pending.state().expose(), "sealed-by-the-program");
}

#[test]
fn c1_no_order_of_settings_asks_for_anything_but_a_code() {
    let everything = SignIn::sign_up()
        .form_post()
        .prompt([Prompt::Login])
        .max_age(Duration::from_secs(1))
        .extra_parameter("x", "response_type=token")
        .unwrap();
    let (url, _) = start(&everything, &config()).unwrap();
    assert_eq!(values(&url, "response_type"), ["code"]);
    assert_eq!(values(&url, "code_challenge_method"), ["S256"]);
}

#[test]
fn c18_parameters_of_the_sdk_cannot_be_overridden_or_doubled() {
    for name in [
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "resource",
        "prompt",
        "login_hint",
        "first_screen",
        "identifier",
        "direct_sign_in",
        "one_time_token",
        "ui_locales",
        "organization_id",
        "google_one_tap_credential",
        "max_age",
        "acr_values",
        "request",
        "request_uri",
        "client_secret",
        "client_assertion",
        "",
    ] {
        let error = SignIn::new().extra_parameter(name, "x").unwrap_err();
        assert!(matches!(error, UsageError::InvalidParameter(_)), "{name}");
        assert!(error.to_string().contains(&format!("`{name}`")));
    }
    let once = SignIn::new().extra_parameter("vendor", "a").unwrap();
    let twice = once.extra_parameter("vendor", "b").unwrap_err();
    assert_eq!(
        twice,
        UsageError::InvalidParameter("`vendor` is given twice".to_owned())
    );
}

#[test]
fn c18_v40_values_cannot_break_out_of_their_parameter() {
    let hostile = "x&client_id=evil&redirect_uri=https://evil.example#fragment\r\n?state=1";
    let sign_in = SignIn::new()
        .login_hint(hostile)
        .ui_locales([hostile])
        .extra_parameter("vendor", hostile)
        .unwrap();
    let (url, _) = start(&sign_in, &config()).unwrap();
    assert_eq!(url.fragment(), None);
    for name in ["client_id", "redirect_uri", "state"] {
        assert_eq!(values(&url, name).len(), 1, "{name}");
    }
    for name in ["login_hint", "ui_locales", "vendor"] {
        assert_eq!(values(&url, name), [hostile], "{name}");
    }
}

#[test]
fn c18_an_endpoint_that_has_a_query_keeps_it() {
    let endpoint = "https://tenant.logto.app/oidc/auth?tenant=a%20b&x=%26";
    let document = provider::document_with("authorization_endpoint", json!(endpoint));
    let metadata = provider::metadata_from(document);
    let (url, _) = SignIn::new()
        .start(&config(), &metadata, &random(), NOW)
        .unwrap();
    assert!(
        url.as_str()
            .starts_with(&format!("{endpoint}&response_type=code&")),
        "{url}"
    );
    assert_eq!(url.as_str().matches('?').count(), 1);
}

#[test]
fn c46_scopes_and_resources_are_merged_in_order_and_sent_once() {
    let config = provider::builder()
        .scopes(["read:a", "read:b"])
        .resources(["https://a.example", "https://b.example"])
        .build()
        .unwrap();
    let sign_in = SignIn::new()
        .scopes(["read:b", "read:c", "openid", "read:c"])
        .resources([
            "https://b.example",
            "https://c.example",
            "https://c.example",
        ]);
    let (url, pending) = start(&sign_in, &config).unwrap();
    assert_eq!(
        values(&url, "scope"),
        ["openid offline_access profile read:a read:b read:c"]
    );
    let resources = [
        "https://a.example",
        "https://b.example",
        "https://c.example",
    ];
    assert_eq!(values(&url, "resource"), resources);
    assert_eq!(
        serde_json::to_value(&pending).unwrap()["resources"],
        json!(resources)
    );
}

#[test]
fn c46_the_organizations_scope_brings_its_resource_wherever_it_is_asked_for() {
    let urn = "urn:logto:resource:organizations";
    let scoped = provider::builder().scope(UserScope::Organizations);
    let both = scoped.clone().resource(urn).build().unwrap();
    let by_string = SignIn::new().scopes(["urn:logto:scope:organizations"]);
    for (sign_in, config) in [
        (SignIn::new(), scoped.build().unwrap()),
        (SignIn::new(), both.clone()),
        (by_string.clone(), config()),
        (by_string, both),
        (
            SignIn::new()
                .scopes([UserScope::Organizations])
                .resources([urn]),
            config(),
        ),
    ] {
        let (url, _) = start(&sign_in, &config).unwrap();
        assert_eq!(values(&url, "resource"), [urn]);
    }
}

#[test]
fn c46_only_scopes_and_resource_indicators_are_sent_as_such() {
    for scope in ["", "a b", "a\"b", "a\\b", "ä", "a\n"] {
        let error = start(&SignIn::new().scopes([scope]), &config()).unwrap_err();
        assert!(
            matches!(error, UsageError::InvalidParameter(_)),
            "{scope:?}"
        );
    }
    for resource in [
        "",
        "api",
        "/api",
        "https://api.example/#part",
        "https://a .example",
    ] {
        let error = start(&SignIn::new().resources([resource]), &config()).unwrap_err();
        assert!(
            matches!(error, UsageError::InvalidParameter(_)),
            "{resource:?}"
        );
    }
}

#[test]
fn c6_a_sign_in_without_openid_is_refused_before_it_starts() {
    let config = provider::builder()
        .include_reserved_scopes(false)
        .scope("read:a")
        .build()
        .unwrap();
    let error = start(&SignIn::new(), &config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a sign-in needs the scope `openid`; add it"
    );
    let (url, _) = start(&SignIn::new().scopes(["openid"]), &config).unwrap();
    assert_eq!(values(&url, "scope"), ["read:a openid"]);
    assert_eq!(values(&url, "nonce").len(), 1);
}

#[test]
fn c22_prompt_none_stands_alone_and_agrees_with_max_age() {
    let with_none = SignIn::new().prompt([Prompt::None, Prompt::Consent]);
    assert!(matches!(
        start(&with_none, &config()),
        Err(UsageError::InvalidParameter(_))
    ));
    let silent = SignIn::silent();
    assert!(
        start(
            &silent.clone().max_age(Duration::from_millis(999)),
            &config()
        )
        .is_err()
    );
    assert!(start(&silent.max_age(Duration::from_secs(1)), &config()).is_ok());

    let by_config = provider::builder()
        .prompts([Prompt::Login])
        .build()
        .unwrap();
    let (url, _) = start(&SignIn::new(), &by_config).unwrap();
    assert_eq!(values(&url, "prompt"), ["login"]);
    let (url, _) = start(&SignIn::silent(), &by_config).unwrap();
    assert_eq!(values(&url, "prompt"), ["none"]);
    let none = provider::builder().prompts([]).build().unwrap();
    let (url, _) = start(&SignIn::new(), &none).unwrap();
    assert!(values(&url, "prompt").is_empty());
}

#[test]
fn c16_the_redirect_uri_comes_from_the_program_only() {
    let other = Url::parse("https://shop.example.com/other?a=b").unwrap();
    let (url, pending) = start(&SignIn::new().redirect_uri(other.clone()), &config()).unwrap();
    assert_eq!(values(&url, "redirect_uri"), [other.as_str()]);
    assert_eq!(
        serde_json::to_value(&pending).unwrap()["redirect_uri"],
        json!(other)
    );

    let native = Url::parse("io.logto.shop://callback").unwrap();
    let (url, _) = start(&SignIn::new().redirect_uri(native), &config()).unwrap();
    assert_eq!(values(&url, "redirect_uri"), ["io.logto.shop://callback"]);

    let fragment = Url::parse("https://shop.example.com/callback#here").unwrap();
    assert_eq!(
        start(&SignIn::new().redirect_uri(fragment), &config()),
        Err(UsageError::InvalidParameter(
            "redirect_uri contains a fragment: remove it".to_owned()
        ))
    );

    let without_base = LogtoConfig::builder("https://tenant.logto.app", "app-id")
        .build()
        .unwrap();
    let error = start(&SignIn::new(), &without_base).unwrap_err();
    assert!(matches!(error, UsageError::Configuration(_)));
    assert!(error.to_string().contains("base_url"));
}

#[test]
fn an_endpoint_that_is_not_advertised_is_a_usage_error() {
    let mut document = provider::document();
    document.remove("userinfo_endpoint");
    let metadata = provider::metadata_from(document);
    assert_eq!(
        metadata.endpoint(Endpoint::UserInfo),
        Err(UsageError::EndpointNotAdvertised(Endpoint::UserInfo))
    );
}

/// What a real Logto was sent and understood, built by us.
#[test]
fn x24_the_recorded_requests_are_rebuilt() {
    let all_scopes = [
        "openid",
        "offline_access",
        "profile",
        "email",
        "roles",
        "urn:logto:scope:organizations",
        "urn:logto:scope:organization_roles",
    ];
    let openid = || SignIn::new().scopes(["openid"]);
    let table: [(u16, SignIn); 6] = [
        (
            61,
            SignIn::new()
                .scopes(all_scopes)
                .resources(["https://unknown.example.com/api"]),
        ),
        (62, SignIn::new().scopes(["openid", "nosuchscope"])),
        (65, openid().prompt([Prompt::None])),
        (69, openid().first_screen(FirstScreen::Register)),
        (70, openid().login_hint("alice").ui_locales(["fr"])),
        (
            71,
            openid().direct_sign_in(DirectSignIn::Social("github".into())),
        ),
    ];
    let config = provider::recorded_builder()
        .include_reserved_scopes(false)
        .build()
        .unwrap();
    for (number, sign_in) in table {
        let (built, _) = sign_in
            .start(&config, &provider::recorded_metadata(), &random(), NOW)
            .unwrap();
        let recorded = Recording::load(number).request.uri().to_string();
        let recorded = Url::parse(&recorded).unwrap();
        assert_eq!(built.path(), recorded.path());
        assert_eq!(comparable(&built), comparable(&recorded), "{number}");
    }
}

/// All parameters by name; of those that are drawn at random only that they are there. The organization
/// resource, which the recording does not name, is left out.
fn comparable(url: &Url) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs(url) {
        let drawn = ["state", "nonce", "code_challenge"].contains(&name.as_str());
        if value != "urn:logto:resource:organizations" {
            let value = if drawn { String::new() } else { value };
            parameters.entry(name).or_default().push(value);
        }
    }
    parameters
}

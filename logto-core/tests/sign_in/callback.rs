//! Callbacks, valid and invalid.

use std::time::Duration;

use logto_core::{
    Error, LogtoConfig, Machine, SignIn, Step, UnixTime,
    error::{Advice, CallbackError, OAuthErrorCode},
    jwt::AwsLcVerifier,
    metadata::ProviderMetadata,
    sign_in::{Callback, CompleteSignIn, PendingSignIn, ProviderKeys, ResumedSignIn},
};
use proptest::prelude::*;
use serde_json::json;
use url::Url;

use crate::support::provider::{self, ISSUER, NOW, config, metadata, random};

const STATE: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const ISS: &str = "https%3A%2F%2Ftenant.logto.app%2Foidc";

fn pending() -> PendingSignIn {
    let (_, pending) = SignIn::new()
        .start(&config(), &metadata(), &random(), NOW)
        .unwrap();
    assert_eq!(pending.state().expose(), STATE);
    pending
}

fn resume(query: &str) -> Result<ResumedSignIn, CallbackError> {
    pending().resume(Callback::from_query(query)?, &config(), &metadata(), NOW)
}

fn refusal(query: &str) -> CallbackError {
    resume(query).map(|_| query).unwrap_err()
}

/// The token request of an accepted callback.
fn token_request(resumed: ResumedSignIn, config: &LogtoConfig) -> http::Request<bytes::Bytes> {
    let keys = ProviderKeys::new(None, std::sync::Arc::new(AwsLcVerifier));
    match CompleteSignIn::new(config, &metadata(), resumed, keys).poll(NOW) {
        Step::Send { request, .. } => request,
        step => panic!("{step:?}"),
    }
}

#[test]
fn c5_the_state_has_256_bits_and_the_callback_needs_the_pending_sign_in_it_belongs_to() {
    assert_eq!(STATE.len(), 43);
    let good = format!("code=abc&state={STATE}&iss={ISS}");
    assert!(resume(&good).is_ok());
    // The attacker's own callback, opened in a browser with another pending sign-in.
    let (_, others) = SignIn::new()
        .start(&config(), &metadata(), &[9; 112], NOW)
        .unwrap();
    let callback = Callback::from_query(&good).unwrap();
    assert!(!others.matches(&callback));
    assert!(pending().matches(&callback));
    assert_eq!(
        others
            .resume(callback, &config(), &metadata(), NOW)
            .map(|_| ())
            .unwrap_err(),
        CallbackError::StateMismatch
    );
}

#[test]
fn c13_the_fitting_pending_sign_in_is_found_among_several_tabs() {
    let tabs: Vec<PendingSignIn> = (0..5_u8)
        .map(|tab| {
            SignIn::new()
                .start(&config(), &metadata(), &[tab; 112], NOW)
                .unwrap()
                .1
        })
        .collect();
    for (index, tab) in tabs.iter().enumerate() {
        let query = format!("code=c&iss={ISS}&state={}", tab.state().expose());
        let callback = Callback::from_query(&query).unwrap();
        assert_eq!(callback.state(), Some(tab.state().expose()));
        let found: Vec<usize> = (0..tabs.len())
            .filter(|other| tabs[*other].matches(&callback))
            .collect();
        assert_eq!(found, [index]);
    }
}

#[test]
fn c7_a_pending_sign_in_ends_after_an_hour_and_survives_storage() {
    assert_eq!(PendingSignIn::LIFETIME, Duration::from_secs(3600));
    let stored = serde_json::to_string(&pending()).unwrap();
    let query = format!("code=abc&state={STATE}&iss={ISS}");
    for (offset, expected) in [
        (-86_400, false),
        (-61, false),
        (-60, true),
        (0, true),
        (3599, true),
        (3600, false),
        (i64::MAX - NOW.as_secs(), false),
        (i64::MIN, false),
    ] {
        let now = UnixTime::from_secs(NOW.as_secs().saturating_add(offset));
        let pending: PendingSignIn = serde_json::from_str(&stored).unwrap();
        let callback = Callback::from_query(&query).unwrap();
        let result = pending.resume(callback, &config(), &metadata(), now);
        match result {
            Ok(_) => assert!(expected, "{offset}"),
            Err(error) => {
                assert!(!expected, "{offset}");
                assert_eq!(error, CallbackError::Expired);
                assert_eq!(Error::from(error).advice(), Advice::SignInAgain);
            }
        }
    }
}

#[test]
fn c9_c11_c12_c13_c14_every_callback_that_is_not_the_answer_is_refused() {
    use CallbackError as E;
    let table: Vec<(String, E)> = vec![
        // C14: nothing that answers a sign-in
        (String::new(), E::MissingState),
        ("foo=bar".into(), E::MissingState),
        ("code=abc".into(), E::MissingState),
        // state missing, empty, or another: before anything else, also before the provider's error
        (format!("code=abc&iss={ISS}"), E::MissingState),
        (format!("code=abc&state=&iss={ISS}"), E::MissingState),
        (format!("error=access_denied&iss={ISS}"), E::MissingState),
        (
            format!("code=abc&state={STATE}1&iss={ISS}"),
            E::StateMismatch,
        ),
        (
            format!("code=abc&state={}&iss={ISS}", &STATE[..42]),
            E::StateMismatch,
        ),
        (
            format!("code=abc&state={}&iss={ISS}", STATE.to_lowercase()),
            E::StateMismatch,
        ),
        (
            format!("code=abc&state=%20{STATE}&iss={ISS}"),
            E::StateMismatch,
        ),
        (
            format!("code=abc&state={STATE}%00&iss={ISS}"),
            E::StateMismatch,
        ),
        (format!("code=abc&state=%FF&iss={ISS}"), E::StateMismatch),
        (
            "error=access_denied&state=wrong&iss=wrong".into(),
            E::StateMismatch,
        ),
        ("state=wrong".into(), E::StateMismatch),
        // iss missing or another, also with an error
        (format!("code=abc&state={STATE}"), E::MissingIssuer),
        (format!("code=abc&state={STATE}&iss="), E::MissingIssuer),
        (
            format!("error=access_denied&state={STATE}"),
            E::MissingIssuer,
        ),
        (
            format!("code=abc&state={STATE}&iss={ISS}1"),
            E::IssuerMismatch,
        ),
        (
            format!("code=abc&state={STATE}&iss={ISS}%2F"),
            E::IssuerMismatch,
        ),
        (
            format!("code=abc&state={STATE}&iss=https%3A%2F%2FTENANT.logto.app%2Foidc"),
            E::IssuerMismatch,
        ),
        (
            format!("code=abc&state={STATE}&iss=https%3A%2F%2Ftenant.logto.app"),
            E::IssuerMismatch,
        ),
        (
            format!("error=access_denied&state={STATE}&iss=https%3A%2F%2Fevil.example"),
            E::IssuerMismatch,
        ),
        // neither code nor error
        (format!("state={STATE}&iss={ISS}"), E::MissingCode),
        (format!("code=&state={STATE}&iss={ISS}"), E::MissingCode),
        (format!("error=&state={STATE}&iss={ISS}"), E::MissingCode),
        (
            format!("error_description=x&state={STATE}&iss={ISS}"),
            E::MissingCode,
        ),
        (format!("Code=abc&state={STATE}&iss={ISS}"), E::MissingCode),
        // parameters given twice, whatever they say
        (
            format!("code=a&code=a&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("code"),
        ),
        (
            format!("code=a&c%6Fde=b&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("code"),
        ),
        (
            format!("code=a&state={STATE}&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("state"),
        ),
        (
            format!("code=a&state=&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("state"),
        ),
        (
            format!("code=a&state={STATE}&iss={ISS}&iss={ISS}"),
            E::DuplicateParameter("iss"),
        ),
        (
            format!("error=a&error=b&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("error"),
        ),
        (
            format!("error=a&error_description=b&error_description=c&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("error_description"),
        ),
        (
            format!("error=a&error_uri=b&error_uri=c&state={STATE}&iss={ISS}"),
            E::DuplicateParameter("error_uri"),
        ),
        // codes that cannot be codes
        (
            format!("code=%00&state={STATE}&iss={ISS}"),
            E::MalformedCode,
        ),
        (
            format!("code=a%0D%0Ab&state={STATE}&iss={ISS}"),
            E::MalformedCode,
        ),
        (
            format!("code=%FF&state={STATE}&iss={ISS}"),
            E::MalformedCode,
        ),
        (
            format!("code=%C3%A9&state={STATE}&iss={ISS}"),
            E::MalformedCode,
        ),
    ];
    for (query, expected) in table {
        assert_eq!(refusal(&query), expected, "{query}");
        let advice = Error::from(expected).advice();
        assert_eq!(advice, Advice::SignInAgain, "{query}");
    }
}

#[test]
fn v78_a_query_of_ten_megabytes_is_refused_unread() {
    let long = format!("state={STATE}&x={}", "a".repeat(10 << 20));
    assert_eq!(refusal(&long), CallbackError::TooLong);
    let fits = "a".repeat(Callback::MAX_LENGTH);
    assert!(Callback::from_query(&fits).is_ok());
    assert_eq!(
        Callback::from_form(format!("{fits}a").as_bytes()).map(|_| ()),
        Err(CallbackError::TooLong)
    );
    assert_eq!(
        CallbackError::TooLong.to_string(),
        "the callback is longer than 16384 bytes"
    );
}

#[test]
fn fapi_remove_authorization_response_iss() {
    let query = format!("code=abc&state={STATE}");
    assert_eq!(refusal(&query), CallbackError::MissingIssuer);
    // A provider that does not announce it may leave it out, but may not lie.
    for announced in [json!(false), json!(null)] {
        let mut document = provider::document();
        document.remove("authorization_response_iss_parameter_supported");
        if announced.is_boolean() {
            document.insert(
                "authorization_response_iss_parameter_supported".to_owned(),
                announced,
            );
        }
        let metadata = provider::metadata_from(document);
        assert!(!metadata.sends_issuer_in_callback());
        let resume = |query: &str| {
            pending().resume(
                Callback::from_query(query).unwrap(),
                &config(),
                &metadata,
                NOW,
            )
        };
        assert!(resume(&query).is_ok());
        assert!(resume(&format!("{query}&iss={ISS}")).is_ok());
        assert_eq!(
            resume(&format!("{query}&iss={ISS}1"))
                .map(|_| ())
                .unwrap_err(),
            CallbackError::IssuerMismatch
        );
    }
}

#[test]
fn fapi_invalid_authorization_response_iss() {
    let query = format!("code=abc&state={STATE}&iss={ISS}1");
    assert_eq!(refusal(&query), CallbackError::IssuerMismatch);
}

#[test]
fn fapi_ensure_authorization_response_with_invalid_state_fails() {
    let query = format!("code=abc&state={STATE}1&iss={ISS}");
    assert_eq!(refusal(&query), CallbackError::StateMismatch);
}

#[test]
fn fapi_ensure_authorization_response_with_invalid_missing_state_fails() {
    let query = format!("code=abc&iss={ISS}");
    assert_eq!(refusal(&query), CallbackError::MissingState);
}

fn other_provider() -> (LogtoConfig, ProviderMetadata) {
    let config = LogtoConfig::builder("https://other.logto.app", provider::APP_ID)
        .app_secret("other-secret")
        .base_url("https://shop.example.com")
        .build()
        .unwrap();
    let text = serde_json::to_string(&provider::document()).unwrap();
    let document = serde_json::from_str(&text.replace("tenant.", "other.")).unwrap();
    let metadata = ProviderMetadata::from_document(&config, document).unwrap();
    (config, metadata)
}

#[test]
fn c10_a_code_only_goes_to_the_provider_that_the_sign_in_was_started_with() {
    let (other_config, other_metadata) = other_provider();
    let other_app = LogtoConfig::builder("https://tenant.logto.app", "other-app")
        .base_url("https://shop.example.com")
        .build()
        .unwrap();
    let other_iss = "https%3A%2F%2Fother.logto.app%2Foidc";
    for iss in [ISS, other_iss] {
        for (config, metadata) in [
            (&other_config, &other_metadata),
            (&config(), &other_metadata),
            (&other_config, &metadata()),
            (&other_app, &metadata()),
        ] {
            let query = format!("code=abc&state={STATE}&iss={iss}");
            let callback = Callback::from_query(&query).unwrap();
            assert_eq!(
                pending()
                    .resume(callback, config, metadata, NOW)
                    .map(|_| ())
                    .unwrap_err(),
                CallbackError::IssuerMismatch
            );
        }
    }
}

#[test]
fn c16_the_token_request_repeats_the_redirect_uri_of_the_pending_sign_in() {
    let query = format!("code=a%2Bb+c%2F&state={STATE}&iss={ISS}");
    let url = Url::parse(&format!("https://shop.example.com/callback?{query}")).unwrap();
    let (_, pending) = SignIn::new()
        .redirect_uri(Url::parse("https://shop.example.com/callback?tab=1").unwrap())
        .start(&config(), &metadata(), &random(), NOW)
        .unwrap();
    let moved = provider::builder()
        .base_url("https://moved.example.com")
        .build()
        .unwrap();
    let callback = Callback::from_url(&url).unwrap();
    let resumed = pending.resume(callback, &moved, &metadata(), NOW).unwrap();
    let request = token_request(resumed, &moved);
    let form = provider::form(&request);
    assert_eq!(
        form["redirect_uri"],
        "https://shop.example.com/callback?tab=1"
    );
    assert_eq!(form["code"], "a+b c/");
    assert_eq!(
        form["code_verifier"],
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    );
}

#[test]
fn x19_the_callback_address_is_compared_exactly_but_for_the_query() {
    let query = format!("code=abc&state={STATE}&iss={ISS}");
    for (address, accepted) in [
        ("https://shop.example.com/callback", true),
        ("https://shop.example.com:443/callback", true),
        ("HTTPS://SHOP.example.com/callback", true),
        ("http://shop.example.com/callback", false),
        ("https://shop.example.com:8443/callback", false),
        ("https://shop.example.com/callback/", false),
        ("https://shop.example.com/callback-evil", false),
        ("https://shop.example.com/Callback", false),
        ("https://shop.example.com/x/callback", false),
        ("https://shop.example.com.evil.example/callback", false),
        ("https://evil.example/callback", false),
        ("https://user@shop.example.com/callback", false),
        ("https://user:pass@shop.example.com/callback", false),
        ("https://:pass@shop.example.com/callback", false),
    ] {
        let url = Url::parse(&format!("{address}?{query}#_=_")).unwrap();
        let callback = Callback::from_url(&url).unwrap();
        let result = pending().resume(callback, &config(), &metadata(), NOW);
        match result {
            Ok(_) => assert!(accepted, "{address}"),
            Err(error) => {
                assert!(!accepted, "{address}");
                assert_eq!(error, CallbackError::RedirectUriMismatch);
            }
        }
    }
}

#[test]
fn t37_a_form_post_is_read_like_a_query() {
    let form = format!("code=abc&state={STATE}&iss={ISS}&session_state=x");
    let callback = Callback::from_form(form.as_bytes()).unwrap();
    let resumed = pending()
        .resume(callback, &config(), &metadata(), NOW)
        .unwrap();
    assert_eq!(
        provider::form(&token_request(resumed, &config()))["code"],
        "abc"
    );

    let form = format!("error=access_denied&error_description=no&state={STATE}&iss={ISS}");
    let callback = Callback::from_form(form.as_bytes()).unwrap();
    assert_eq!(
        callback.error().unwrap().error,
        OAuthErrorCode::AccessDenied
    );
    assert!(
        pending()
            .resume(callback, &config(), &metadata(), NOW)
            .is_err()
    );

    for body in [
        &b"\xFF\xFE=\x00&%"[..],
        b"{\"code\":\"abc\"}",
        b"&&==&=&%zz",
    ] {
        let callback = Callback::from_form(body).unwrap();
        let refused = pending().resume(callback, &config(), &metadata(), NOW);
        assert_eq!(
            refused.map(|_| ()).unwrap_err(),
            CallbackError::MissingState
        );
    }
}

#[test]
fn c8_redeeming_is_bound_to_one_resumed_sign_in() {
    // `PendingSignIn::resume` and `Exchange::accept` consume what they are called on: see the
    // documentation test of `resume`. A machine that is done gives the code no second time.
    let query = format!("code=abc&state={STATE}&iss={ISS}");
    let keys = ProviderKeys::new(None, std::sync::Arc::new(AwsLcVerifier));
    let resumed = resume(&query).unwrap();
    let mut machine = CompleteSignIn::new(&config(), &metadata(), resumed, keys);
    let Step::Send { request: first, .. } = machine.poll(NOW) else {
        panic!("nothing to send");
    };
    assert_eq!(first.uri().path(), "/oidc/token");
    let body = json!({"error": "invalid_grant"});
    machine.handle(provider::json_response(400, &body), NOW);
    for expected in ["invalid_grant", "already_done", "already_done"] {
        let Step::Done(Err(incomplete)) = machine.poll(NOW) else {
            panic!("the code was sent again");
        };
        assert_eq!(incomplete.error.code(), expected);
        machine.handle(provider::json_response(200, &body), NOW);
    }
}

#[test]
fn a_callback_does_not_show_its_code() {
    let callback = Callback::from_query("code=s3cret-code&state=s3cret-state&iss=x").unwrap();
    let shown = format!("{callback:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn the_issuer_of_the_tests_is_the_encoded_one() {
    let decoded = provider::parameters(format!("iss={ISS}").as_bytes());
    assert_eq!(decoded["iss"], ISSUER);
}

proptest! {
    #[test]
    fn c14_v35_v78_no_query_panics_and_none_is_accepted_without_the_state(query in ".{0,200}") {
        if let Ok(callback) = Callback::from_query(&query) {
            let resumed = pending().resume(callback, &config(), &metadata(), NOW);
            prop_assert!(resumed.is_err());
        }
    }

    #[test]
    fn c14_v35_no_form_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(callback) = Callback::from_form(&body) {
            let resumed = pending().resume(callback, &config(), &metadata(), NOW);
            prop_assert!(resumed.is_err());
        }
    }

    #[test]
    fn c11_c12_a_callback_with_the_right_state_is_judged_without_panic(
        rest in prop::collection::vec(
            (
                prop::sample::select(vec!["code", "iss", "error", "error_description", "error_uri", "x"]),
                prop::sample::select(vec!["", "a", "%", "%00", "%C3", ISS, "server_error", "%3Cscript%3E"]),
            ),
            0..6,
        ),
        now in NOW.as_secs() - 100..NOW.as_secs() + 4000,
    ) {
        let mut query = format!("state={STATE}");
        for (name, value) in &rest {
            query.push_str(&format!("&{name}={value}"));
        }
        let given = |wanted: &str| {
            let of_name: Vec<&str> = rest
                .iter()
                .filter(|(name, _)| *name == wanted)
                .map(|(_, value)| *value)
                .collect();
            of_name
        };
        let accepted = Callback::from_query(&query).and_then(|callback| {
            pending().resume(callback, &config(), &metadata(), UnixTime::from_secs(now))
        });
        if let Ok(resumed) = accepted {
            prop_assert_eq!(given("iss"), [ISS]);
            prop_assert_eq!(given("code").len(), 1);
            prop_assert!(given("error").iter().all(|error| error.is_empty()));
            let request = token_request(resumed, &config());
            prop_assert_eq!(request.uri().path(), "/oidc/token");
        }
    }
}

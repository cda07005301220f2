//! Callbacks that carry an error from the provider.

use logto_core::{
    Error, SignIn,
    error::{Advice, CallbackError, OAuthErrorCode},
    sign_in::{Callback, PendingSignIn},
};
use logto_recordings::Recording;
use serde_json::json;
use url::Url;

use crate::support::provider::{self, NOW, config, metadata, random};

const STATE: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const ISS: &str = "https%3A%2F%2Ftenant.logto.app%2Foidc";

fn refusal(query: &str) -> CallbackError {
    let (_, pending) = SignIn::new()
        .start(&config(), &metadata(), &random(), NOW)
        .unwrap();
    Callback::from_query(query)
        .and_then(|callback| pending.resume(callback, &config(), &metadata(), NOW))
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn c12_an_error_wins_over_a_code_and_is_typed() {
    for (query, code, advice) in [
        ("error=access_denied", "access_denied", Advice::Refused),
        (
            "error=access_denied&code=abc",
            "access_denied",
            Advice::Refused,
        ),
        (
            "error=server_error",
            "server_error",
            Advice::Retry { after: None },
        ),
        ("error=invalid_target", "invalid_target", Advice::Refused),
        (
            "error=unauthorized_client",
            "unauthorized_client",
            Advice::FixConfiguration,
        ),
        ("error=something_new", "something_new", Advice::Refused),
    ] {
        let error = refusal(&format!(
            "{query}&error_description=why&error_uri=https%3A%2F%2Fwhy&state={STATE}&iss={ISS}"
        ));
        let error = Error::from(error);
        assert_eq!(error.code(), code);
        assert_eq!(error.advice(), advice, "{code}");
        let server = error.server().unwrap();
        assert_eq!(server.error, OAuthErrorCode::from(code));
        assert_eq!(server.status, None);
        assert_eq!(server.description.as_deref(), Some("why"));
        assert_eq!(server.uri.as_deref(), Some("https://why"));
        assert_eq!(
            error.to_string(),
            format!("callback refused: authorization endpoint answered {code}: why")
        );
    }
}

#[test]
fn c12_v36_text_from_the_browser_is_cut_and_cannot_write_to_a_terminal() {
    let long = "x".repeat(3000);
    let error = refusal(&format!(
        "error=a%1B%5B31m%22%5C%C3%A9{long}&error_description=%1B%5D0;pwn%07%0D%0Aforged%E2%80%AE{long}\
         &state={STATE}&iss={ISS}"
    ));
    let CallbackError::Server(server) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(server.error.as_str().chars().count(), 128);
    assert!(
        server
            .error
            .as_str()
            .starts_with("a\u{FFFD}[31m\u{FFFD}\u{FFFD}\u{FFFD}xx")
    );
    let description = server.description.as_deref().unwrap();
    assert_eq!(description.chars().count(), 2048);
    assert!(description.starts_with("\u{FFFD}]0;pwn\u{FFFD}\u{FFFD}\u{FFFD}forged\u{FFFD}xx"));
    assert!(!error.to_string().chars().any(char::is_control));
}

#[test]
fn c22_the_errors_of_a_silent_sign_in_ask_for_a_visible_one() {
    for code in [
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    ] {
        let error = Error::from(refusal(&format!("error={code}&state={STATE}&iss={ISS}")));
        assert_eq!(error.code(), code);
        assert_eq!(error.advice(), Advice::SignInAgain);
        assert!(error.server().is_some());
    }
    // Logto's own answer to `prompt=none`.
    let location = Url::parse(Recording::load(65).redirect()).unwrap();
    let callback = Callback::from_url(&location).unwrap();
    assert_eq!(callback.state(), Some("oTtVS0L8K7SelKb4IKdEVg"));
    assert_eq!(
        callback.error().unwrap().error,
        OAuthErrorCode::LoginRequired
    );
}

#[test]
fn c12_the_recorded_error_redirects_are_understood() {
    for (number, code, description) in [
        (
            61,
            "invalid_target",
            "resource indicator is missing, or unknown",
        ),
        (
            63,
            "invalid_request",
            "Authorization Server policy requires PKCE to be used for this request",
        ),
        (
            64,
            "invalid_request",
            "not supported value of code_challenge_method",
        ),
        (65, "login_required", "End-User authentication is required"),
        (66, "invalid_request", "unsupported prompt value requested"),
        (
            67,
            "invalid_request",
            "openid scope must be requested when using the nonce parameter",
        ),
    ] {
        let recording = Recording::load(number);
        let sent = recording.request.uri().query().unwrap().as_bytes();
        let state = provider::parameters(sent)["state"].clone();
        let stored = json!({
            "issuer": "http://localhost:3001/oidc",
            "client_id": "q5z3x46nt51n2jydi4jkh",
            "redirect_uri": "http://localhost:4000/callback",
            "state": state,
            "nonce": "n", "code_verifier": "v", "session_id": vec![0; 16],
            "scopes": [], "resources": [], "return_to": "/", "sign_in": {}, "created_at": NOW,
        });
        let pending: PendingSignIn = serde_json::from_value(stored).unwrap();
        let callback = Callback::from_url(&Url::parse(recording.redirect()).unwrap()).unwrap();
        let refused = pending.resume(
            callback,
            &provider::recorded_builder().build().unwrap(),
            &provider::recorded_metadata(),
            NOW,
        );
        let Err(CallbackError::Server(error)) = refused else {
            panic!("{number}: {refused:?}");
        };
        assert_eq!(error.error.as_str(), code, "{number}");
        assert_eq!(error.description.as_deref(), Some(description));
    }
    // An answer in the fragment never reaches a server; the rest of the URL is no answer.
    let location = Url::parse(Recording::load(68).redirect()).unwrap();
    let callback = Callback::from_url(&location).unwrap();
    assert!(callback.state().is_none() && callback.error().is_none());
}

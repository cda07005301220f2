//! The query or form with which the browser returns.

use logto_core::{
    error::CallbackError,
    sign_in::{Callback, PendingSignIn},
};
use url::{Url, form_urlencoded};

use crate::{
    Verdict,
    application::{ISSUER, NOW, config, good_callback, metadata, pending_sign_in},
    undisclosed::assert_undisclosed,
};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let form = Callback::from_form(data);
    let Ok(query) = std::str::from_utf8(data) else {
        return Verdict::Refused;
    };
    let callback = Callback::from_query(query);
    assert_eq!(shown(&callback), shown(&form), "query and form differ");
    let redirect_uri = config().redirect_uri().expect("it is configured");
    let url = Url::parse(&format!("{redirect_uri}?{query}"));
    if let Some(url) = url.ok().filter(|url| url.query() == Some(query)) {
        let of_url = Callback::from_url(&url);
        assert_eq!(of_url.is_ok(), callback.is_ok(), "query and URL differ");
    }
    let Ok(callback) = callback else {
        return Verdict::Refused;
    };

    let given = |name: &str| -> Vec<String> {
        let all = form_urlencoded::parse(data).filter(|(other, _)| other == name);
        all.map(|(_, value)| value.into_owned()).collect()
    };
    for code in given("code") {
        assert_undisclosed(&callback, &code, data);
    }
    let pending: PendingSignIn =
        serde_json::from_value(pending_sign_in()).expect("the pending sign-in is readable");
    assert_eq!(pending.matches(&callback), given("state") == ["the-state"]);
    match pending.resume(callback, config(), metadata(), NOW) {
        Ok(resumed) => {
            assert_eq!(given("state"), ["the-state"]);
            assert_eq!(given("iss"), [ISSUER]);
            let [code] = &*given("code") else {
                panic!("a callback without a code was accepted");
            };
            assert_undisclosed(&resumed, code, data);
            Verdict::Accepted
        }
        Err(error) => {
            // Who does not know the state learns nothing.
            let is_own = given("state") == ["the-state"];
            let says_nothing = matches!(
                error,
                CallbackError::MissingState | CallbackError::StateMismatch
            );
            assert_eq!(is_own, !says_nothing);
            Verdict::Refused
        }
    }
}

fn shown(callback: &Result<Callback, CallbackError>) -> String {
    format!("{callback:?}")
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let iss = "iss=https%3A%2F%2Ftenant.logto.app%2Foidc";
    let error = "error=access_denied&error_description=The%20user%20cancelled&error_uri=x";
    vec![
        good_callback().into(),
        format!("state=the-state&{iss}&{error}").into(),
        format!("state=other&{iss}&code=the-code-1").into(),
        format!("state=the-state&state=the-state&{iss}&code=1").into(),
        format!("state=the-state&{iss}&code=%00").into(),
        b"code=the-code-1&state=the-state".to_vec(),
    ]
}

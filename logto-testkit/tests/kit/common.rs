//! Shared by the tests of the test provider: the recorded tenant, and the comparison with recordings.

pub(crate) mod lab;
pub(crate) mod recording;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

pub(crate) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(response.body())))
}

/// A string member of a JSON body.
pub(crate) fn member(response: &Response<Bytes>, name: &str) -> String {
    let body = json(response);
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
        .to_owned()
}

/// Status and `error`, for tables of refusals.
pub(crate) fn refusal(response: &Response<Bytes>) -> (u16, String) {
    (response.status().as_u16(), member(response, "error"))
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

/// A parameter of a URL's query.
pub(crate) fn query(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

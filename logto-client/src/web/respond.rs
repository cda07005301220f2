//! Building responses.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::public_description::public_description;
use crate::error::Error;

/// A response for this browser only: never cached, never shared.
pub(super) fn private(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    keep_private(response.headers_mut());
    response
}

/// Forbids caches to store a response that depends on a session.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("Cookie"));
}

/// Redirects the browser with a GET, without a `Referer`: the URL may contain a code.
pub(super) fn see_other(location: &str) -> Response<Bytes> {
    let mut response = private(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    // Locations are serialized URLs or checked paths, which are ASCII.
    let location =
        HeaderValue::from_str(location).unwrap_or_else(|_| HeaderValue::from_static("/"));
    headers.insert(header::LOCATION, location);
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// The size of the headers of such a redirect with one cookie, in bytes.
pub(super) fn see_other_len(location: &str, set_cookie: &HeaderValue) -> usize {
    let empty = headers_len(see_other("").headers());
    let set_cookie = header_len(header::SET_COOKIE.as_str().len(), set_cookie.len());
    empty
        .saturating_add(location.len())
        .saturating_add(set_cookie)
}

/// The size of these headers in a response, in bytes.
pub(super) fn headers_len(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| header_len(name.as_str().len(), value.len()))
        .fold(0, usize::saturating_add)
}

pub(super) const fn header_len(name: usize, value: usize) -> usize {
    name.saturating_add(value).saturating_add(": \r\n".len())
}

/// A JSON response.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut response = private(status);
    *response.body_mut() = Bytes::from(value.to_string());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The response to a failed request. It contains no details of the error.
pub(super) fn refusal(error: &Error) -> Response<Bytes> {
    let body = json!({ "error": error.code(), "error_description": public_description(error) });
    let mut response = json(error.status(), &body);
    if let Some(wait) = error.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

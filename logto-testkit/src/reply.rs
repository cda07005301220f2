//! Responses in the shapes that Logto gives them.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
};

use crate::json::Members;

pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) fn json(status: StatusCode, body: &Members) -> Response<Bytes> {
    with_type(status, JSON, body.to_json())
}

pub(crate) fn html(body: String) -> Response<Bytes> {
    with_type(StatusCode::OK, HTML, body)
}

pub(crate) fn text(status: StatusCode, body: &'static str) -> Response<Bytes> {
    with_type(status, TEXT, body)
}

/// `303 See Other`; a location that is no header value, which no URL is, gives an empty one.
pub(crate) fn redirect(location: &str) -> Response<Bytes> {
    let body = format!("Redirecting to {}.", escape(location));
    let mut response = with_type(StatusCode::SEE_OTHER, HTML, body);
    let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static(""));
    response.headers_mut().insert(LOCATION, location);
    response
}

pub(crate) fn no_store(mut response: Response<Bytes>) -> Response<Bytes> {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Text for an HTML element or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

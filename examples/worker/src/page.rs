//! Responses, and in them the pages that all examples show.

use futures_util::{Stream, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use js_sys::Uint8Array;
use logto::core::claims::IdTokenClaims;
use logto::fetch::Body;
use serde_json::Value;
use wasm_streams::ReadableStream;

pub(crate) type Page = Response<Body>;

const HTML: &str = "text/html; charset=utf-8";

pub(crate) fn home(user: Option<&IdTokenClaims>) -> Page {
    html(logto_example_page::home("WebAssembly", user))
}

pub(crate) fn claims(user: &IdTokenClaims) -> Page {
    html(logto_example_page::claims(user))
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Page {
    response(status, "application/json", value.to_string().into())
}

pub(crate) fn streaming(parts: impl Stream<Item = String> + 'static) -> Page {
    let parts = parts.map(|part| Ok(Uint8Array::from(part.as_bytes()).into()));
    let body = ReadableStream::from_stream(parts).into_raw();
    response(StatusCode::OK, HTML, body.into())
}

pub(crate) fn redirect(to: &'static str) -> Page {
    let mut response = html(String::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::from_static(to);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn html(text: String) -> Page {
    response(StatusCode::OK, HTML, text.into())
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Page {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

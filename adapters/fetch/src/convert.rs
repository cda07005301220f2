//! Requests and responses of JavaScript as those of `http`.

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsError, JsValue};
use web_sys::{Headers, ResponseInit};

use crate::Body;

/// The statuses with which JavaScript allows no body, not even an empty one.
const WITHOUT_BODY: [StatusCode; 3] = [
    StatusCode::NO_CONTENT,
    StatusCode::RESET_CONTENT,
    StatusCode::NOT_MODIFIED,
];

pub(crate) fn request(request: web_sys::Request) -> Result<Request<web_sys::Request>, JsValue> {
    let mut converted = Request::builder()
        .method(request.method().as_str())
        .uri(request.url());
    for entry in js_sys::try_iter(&request.headers())?.into_iter().flatten() {
        let entry: Array = entry?.unchecked_into();
        if let Some((name, value)) = header(&entry) {
            converted = converted.header(name, value);
        }
    }
    let converted = converted.body(request);
    converted.map_err(|error| JsError::from(error).into())
}

/// A header, which in JavaScript is a string with a character for each byte.
fn header(entry: &Array) -> Option<(HeaderName, HeaderValue)> {
    let name = entry.get(0).as_string()?.parse().ok()?;
    let value = entry.get(1).as_string()?;
    let bytes = value.chars().map(|byte| u8::try_from(byte).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    Some((name, HeaderValue::from_bytes(&bytes).ok()?))
}

pub(crate) fn response(response: Response<Body>) -> Result<web_sys::Response, JsValue> {
    let (head, body) = response.into_parts();
    let headers = Headers::new()?;
    for (name, value) in &head.headers {
        let value: String = value.as_bytes().iter().copied().map(char::from).collect();
        headers.append(name.as_str(), &value)?;
    }
    let init = ResponseInit::new();
    init.set_status(head.status.as_u16());
    init.set_headers(&headers);
    match body {
        Body::Bytes(_) if WITHOUT_BODY.contains(&head.status) => {
            web_sys::Response::new_with_opt_js_u8_array_and_init(None, &init)
        }
        Body::Bytes(body) => {
            let body = Uint8Array::from(body.as_ref());
            web_sys::Response::new_with_opt_js_u8_array_and_init(Some(&body), &init)
        }
        Body::Stream(body) => {
            web_sys::Response::new_with_opt_readable_stream_and_init(Some(&body), &init)
        }
    }
}

//! [`HttpClient`] on the `fetch` of a JavaScript runtime.

use std::pin::pin;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use js_sys::{Array, Error, Function, Promise, Reflect, Uint8Array};
use logto_core::exchange::MAX_BODY;
use tokio::sync::oneshot;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit,
    RequestRedirect,
};

use super::{HttpClient, TransportError};
use crate::runtime::stay_in_request;

/// The error codes of Node.js for a request that was not sent. Other runtimes have no such codes, so a failed
/// request counts as sent.
const NOT_SENT: [&str; 4] = [
    "ECONNREFUSED",
    "EAI_AGAIN",
    "ENOTFOUND",
    "UND_ERR_CONNECT_TIMEOUT",
];

/// An [`HttpClient`] on the `fetch` of the JavaScript runtime: Node.js, Deno, Bun, or workers such as
/// Cloudflare's.
///
/// The runtime checks certificates, decompresses, and keeps connections:
/// [`FreshConnection`](super::FreshConnection) has no effect. Node.js closes idle connections after four
/// seconds, as the contract requires; Cloudflare does not document it.
#[derive(Clone, Copy, Debug, Default)]
pub struct FetchClient;

#[async_trait(?Send)]
impl HttpClient for FetchClient {
    /// Several requests of the application may wait for one response, and each continues the task that sends it.
    /// Only one of them may touch what `fetch` returns, so that is a task of its own.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (mut sender, receiver) = oneshot::channel();
        spawn_local(stay_in_request(async move {
            let exchange = pin!(exchange(request));
            let outcome = match select(exchange, pin!(sender.closed())).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => return,
            };
            // If no caller waits any more, the response is not needed.
            let _ = sender.send(outcome);
        }));
        let ended = |_| TransportError::Lost("the task that sends it has ended".to_owned());
        receiver.await.map_err(ended)?
    }
}

async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let unusual = |_| TransportError::NotSent("`fetch` cannot send the request".to_owned());
    let abort = AbortOnDrop(AbortController::new().map_err(unusual)?);
    let request = to_js(request, &abort.0.signal()).map_err(unusual)?;
    let response = fetch(&request).map_err(unusual)?;
    let response = JsFuture::from(response)
        .await
        .map_err(|error| failure(&error))?;
    receive(response.unchecked_into()).await
}

/// A request without a caller is aborted. Once it is complete, that does nothing.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn to_js(request: Request<Bytes>, signal: &AbortSignal) -> Result<web_sys::Request, JsValue> {
    let (parts, body) = request.into_parts();
    let headers = Headers::new()?;
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|_| JsValue::NULL)?;
        headers.append(name.as_str(), value)?;
    }
    let init = RequestInit::new();
    init.set_method(parts.method.as_str());
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(signal));
    // A request with GET must not even have an empty body.
    if !body.is_empty() {
        init.set_body(&Uint8Array::from(body.as_ref()));
    }
    web_sys::Request::new_with_str_and_init(&parts.uri.to_string(), &init)
}

fn fetch(request: &web_sys::Request) -> Result<Promise, JsValue> {
    let global = js_sys::global();
    let fetch: Function = Reflect::get(&global, &"fetch".into())?.dyn_into()?;
    fetch.call1(&global, request)?.dyn_into()
}

async fn receive(received: web_sys::Response) -> Result<Response<Bytes>, TransportError> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(received.status())
        .map_err(|_| TransportError::Unusable("it has no status".to_owned()))?;
    *response.headers_mut() = headers(&received.headers())
        .ok_or_else(|| TransportError::Unusable("its headers cannot be read".to_owned()))?;
    // The runtime has decoded the body.
    response.headers_mut().remove(header::CONTENT_ENCODING);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    let mut body = BytesMut::new();
    if let Some(stream) = received.body() {
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        while let Some(chunk) = read(&reader).await.map_err(|error| failure(&error))? {
            if body.len() + chunk.length() as usize > MAX_BODY {
                let problem = format!("longer than {MAX_BODY} bytes");
                return Err(TransportError::Unusable(problem));
            }
            body.extend_from_slice(&chunk.to_vec());
        }
    }
    *response.body_mut() = body.freeze();
    Ok(response)
}

fn headers(received: &Headers) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for entry in js_sys::try_iter(received).ok()?? {
        let entry: Array = entry.ok()?.dyn_into().ok()?;
        let name: HeaderName = entry.get(0).as_string()?.parse().ok()?;
        // What the protocol reads is ASCII; another header may be anything.
        if let Ok(value) = HeaderValue::from_str(&entry.get(1).as_string()?) {
            headers.append(name, value);
        }
    }
    Some(headers)
}

async fn read(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    match Reflect::get(&result, &"done".into())?.is_truthy() {
        true => Ok(None),
        false => Ok(Some(Reflect::get(&result, &"value".into())?.dyn_into()?)),
    }
}

/// The messages of an error and its causes. They name hosts and addresses, no URL.
fn failure(error: &JsValue) -> TransportError {
    let mut texts = Vec::new();
    let mut code = None;
    let mut cause = error.clone();
    while let Some(error) = cause.dyn_ref::<Error>() {
        texts.push(String::from(error.message()));
        code = Reflect::get(error, &"code".into())
            .ok()
            .and_then(|code| code.as_string());
        cause = Reflect::get(error, &"cause".into()).unwrap_or_default();
    }
    let text = match texts.is_empty() {
        true => "no cause given".to_owned(),
        false => texts.join(": "),
    };
    match code {
        Some(code) if NOT_SENT.contains(&code.as_str()) => TransportError::NotSent(text),
        _ => TransportError::Lost(text),
    }
}

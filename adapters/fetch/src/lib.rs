//! Logto in WebAssembly, for every JavaScript runtime with `Request` and `Response`. The crate is empty on any
//! target other than `wasm32-unknown-unknown`.
//!
#![cfg(all(target_family = "wasm", target_os = "unknown"))]
// Nowhere else, as its program compiles there only: it is an example of `examples/worker`, which compiles it.
#![cfg_attr(all(target_family = "wasm", target_os = "unknown"), doc = include_str!("../README.md"))]

mod body;
mod convert;
mod failure;

use bytes::Bytes;
use http::{Request, Response};
use js_sys::{Function, Promise};
use logto_client::{
    runtime::{JsRuntime, stay_in_request},
    web::{LogtoApp, RequestSession},
};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

pub use body::Body;
pub use failure::{Error, Result};
pub use logto_adapter_common::{read_only, session, user};

/// Answers a request: the routes of `app` itself, any other with what `handler` returns.
///
/// # Errors
/// If JavaScript refuses the response, because of a header of the handler.
pub async fn serve<H, B>(
    app: &LogtoApp,
    request: web_sys::Request,
    handler: H,
) -> Result<web_sys::Response, JsValue>
where
    H: AsyncFnOnce(Request<web_sys::Request>, RequestSession) -> Result<Response<B>>,
    B: Into<Body>,
{
    stay_in_request(answer(app, request, handler)).await
}

async fn answer<H, B>(
    app: &LogtoApp,
    request: web_sys::Request,
    handler: H,
) -> Result<web_sys::Response, JsValue>
where
    H: AsyncFnOnce(Request<web_sys::Request>, RequestSession) -> Result<Response<B>>,
    B: Into<Body>,
{
    let request = convert::request(request)?;
    if let Some(route) = app.route(request.uri().path()) {
        let (parts, body) = request.into_parts();
        // A body that is too long or incomplete counts as empty.
        let body = body::read(&body, LogtoApp::MAX_BODY_LENGTH).await;
        let body = body.unwrap_or_default();
        return convert::response(app.answer(route, &parts, &body).await.map(Body::from));
    }
    let visit = app.begin(request.method(), request.uri(), request.headers());
    let response = match handler(request, visit.clone()).await {
        Ok(response) => response.map(Into::into),
        Err(error) => error.into_response(),
    };
    let (mut head, body) = response.into_parts();
    let body = visit.finish(&mut head).map_or(body, Bytes::into);
    convert::response(Response::from_parts(head, body))
}

/// A runtime that passes every task to a JavaScript function, such as `waitUntil` of a worker, so that a
/// refresh does not end with the request that started it.
///
/// The function takes a promise. It is called while a request is handled, and has to find that request: the
/// `waitUntil` of `cloudflare:workers` does, while that of a request's context ends with its request.
pub fn wait_until(function: Function) -> JsRuntime {
    JsRuntime::with_spawner(move |task| {
        let task: Promise = future_to_promise(async move {
            task.await;
            Ok(JsValue::UNDEFINED)
        });
        // If the runtime refuses it, the task continues for as long as the runtime allows.
        let _ = function.call1(&JsValue::UNDEFINED, &task);
    })
}

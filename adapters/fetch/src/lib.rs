//! Logto in WebAssembly, wherever JavaScript gives a `Request` and takes a `Response`. The crate is empty on any other
//! target than `wasm32-unknown-unknown`.
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
/// When JavaScript refuses the response: a header of the handler that it does not take.
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
        // A body that is too long or breaks off is answered as one that lacks everything.
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

/// A runtime that tells JavaScript of every task, with a function such as `waitUntil` of a worker, so that a
/// refresh is not ended with the request that began it.
///
/// The function takes a promise. It is called while a request is handled, and has to know which one: the
/// `waitUntil` of `cloudflare:workers` does, while that of a request's context ends with its request.
pub fn wait_until(function: Function) -> JsRuntime {
    JsRuntime::with_spawner(move |task| {
        let task: Promise = future_to_promise(async move {
            task.await;
            Ok(JsValue::UNDEFINED)
        });
        // If the runtime refuses it, the task goes on as long as it may.
        let _ = function.call1(&JsValue::UNDEFINED, &task);
    })
}

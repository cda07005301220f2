//! Requests that ask for no session.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use logto::{LogtoApp, test::DemoTenant};
use logto_storage::{
    MemoryStorage,
    faulty::{FaultyStorage, Operation},
};
use logto_tower::LogtoLayer;
use tower_layer::Layer;
use tower_service::Service;

/// One for the session of the request, one for the place that the framework keeps it in.
const MAX_ALLOCATIONS: u64 = 2;
const MAX_BYTES: u64 = 1_024;

type Storage = Arc<FaultyStorage<MemoryStorage>>;

/// An application as in production: its base URL is not this machine.
fn application() -> (LogtoApp, Storage) {
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let demo = DemoTenant::new().unwrap();
    let builder = demo
        .builder()
        .config(|config| {
            config
                .base_url("https://shop.example.com")
                .other_hosts(["*.example.de"])
        })
        .storage(Arc::clone(&storage));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    (runtime.unwrap().block_on(builder.build()).unwrap(), storage)
}

/// A request with a session, of a browser. As with hyper, its head is shared, and something is in its extensions.
fn request() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from_static("/products?page=2");
    *request.headers_mut() = HeaderMap::from_iter(
        [
            ("host", "shop.example.com"),
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            (
                "cookie",
                "theme=dark; __Host-logto_demo-web-app=qWqhw7nDNXcx3VTU0dY6YYSgtvLmmU9X1uVFzl-tKvo",
            ),
        ]
        .map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        }),
    );
    request.extensions_mut().insert(());
    request
}

fn costs_next_to_nothing(cost: AllocationInfo, storage: &Storage) {
    assert!(cost.count_total <= MAX_ALLOCATIONS, "{cost:?}");
    assert!(cost.bytes_total <= MAX_BYTES, "{cost:?}");
    assert_eq!(storage.calls(Operation::Load), 0);
}

#[test]
fn a_request_that_asks_for_no_session_costs_the_application_next_to_nothing() {
    let (app, storage) = application();
    let (mut request, _) = request().into_parts();
    for host in ["shop.example.com", "shop.example.de"] {
        let host = HeaderValue::from_static(host);
        request.headers.insert(header::HOST, host);
        let (mut response, ()) = Response::new(()).into_parts();
        let cost = measure(|| {
            assert_eq!(app.route(request.uri.path()), None);
            let session = app.begin(&request.method, &request.uri, &request.headers);
            assert_eq!(session.finish(&mut response), None);
        });
        costs_next_to_nothing(cost, &storage);
        assert!(response.headers.is_empty(), "{response:?}");
    }
}

#[test]
fn a_request_that_asks_for_no_session_costs_the_layer_next_to_nothing() {
    let (app, storage) = application();
    let mut service = LogtoLayer::new(app).layer(Plain);
    let request = request();
    let mut answer = None;
    let cost = measure(|| answer = service.call(request).now_or_never());
    let response = answer.expect("nothing waits").unwrap();
    assert!(response.headers().is_empty(), "{response:?}");
    costs_next_to_nothing(cost, &storage);
}

/// A service that costs nothing itself.
struct Plain;

impl Service<Request<Full<Bytes>>> for Plain {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        // The request ends with the handler, as ever.
        drop(request);
        ready(Ok(Response::new(Full::default())))
    }
}

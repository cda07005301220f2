//! A service as something that answers requests in this process.

use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use logto_client::http::{HttpClient, TransportError, http_fn};
use tower_service::Service;

/// A service, such as a router of axum, as an [`HttpClient`]: what the browser of `logto::test` walks, without a
/// port. Requests arrive as from a server: a path, and a `Host` header.
pub fn in_process<S, R>(service: S) -> impl HttpClient
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: std::fmt::Display,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: std::fmt::Display,
{
    http_fn(move |request: Request<Bytes>| {
        let mut service = service.clone();
        async move {
            let lost = |problem: &dyn std::fmt::Display| TransportError::Lost(problem.to_string());
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(|error| lost(&error))?;
            let response = service.call(received(request)).await;
            let (head, body) = response.map_err(|error| lost(&error))?.into_parts();
            let body = body.collect().await.map_err(|error| lost(&error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        }
    })
}

fn received(request: Request<Bytes>) -> Request<Full<Bytes>> {
    let mut request = request.map(Full::new);
    let authority = request.uri().authority();
    let host = authority.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    request
}

//! A service as an HTTP client of this process.

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use logto_client::http::{HttpClient, TransportError, http_fn};
use tower::ServiceExt;
use tower_service::Service;

/// A service, such as a router of axum, as an [`HttpClient`] for the browser of `logto::test`, without a port.
/// Requests arrive as from a server: a path, and a `Host` header.
pub fn in_process<S, R>(service: S) -> impl HttpClient
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error: Display, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Body<Data = Bytes, Error: Display> + Send + 'static,
{
    http_fn(move |request: Request<Bytes>| {
        let response = service.clone().oneshot(received(request));
        async move {
            let (head, body) = response.await.map_err(lost)?.into_parts();
            let body = body.collect().await.map_err(lost)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        }
    })
}

fn lost(error: impl Display) -> TransportError {
    TransportError::Lost(error.to_string())
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

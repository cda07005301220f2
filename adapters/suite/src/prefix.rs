//! What a proxy does that serves an application below a prefix.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use logto::client::http::{HttpClient, TransportError};

/// Removes a prefix from the path of each request.
#[derive(Debug)]
pub(crate) struct WithoutPrefix<C> {
    http: C,
    prefix: String,
}

impl<C> WithoutPrefix<C> {
    pub(crate) fn new(http: C, prefix: String) -> Self {
        Self { http, prefix }
    }
}

#[async_trait]
impl<C: HttpClient> HttpClient for WithoutPrefix<C> {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut parts = request.uri().clone().into_parts();
        if let Some(path) = &parts.path_and_query {
            let rest = path.as_str().strip_prefix(&self.prefix);
            let rest = rest.unwrap_or_else(|| path.as_str());
            let rest = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                format!("/{rest}")
            };
            let malformed =
                |error: &dyn std::error::Error| TransportError::NotSent(error.to_string());
            let rest = rest.parse::<http::uri::PathAndQuery>();
            parts.path_and_query = Some(rest.map_err(|error| malformed(&error))?);
            let uri = http::Uri::from_parts(parts);
            *request.uri_mut() = uri.map_err(|error| malformed(&error))?;
        }
        self.http.send(request).await
    }
}

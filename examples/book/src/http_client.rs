//! An HTTP client of the application's own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use logto::LogtoBuilder;
use logto::client::http::{HttpClient, TransportError};
use tokio::time::Instant;

// ANCHOR: wrapped
/// Measures how long Logto takes. The query of a URL may hold a code, so only the path is shown.
#[derive(Debug)]
pub struct Measured<C> {
    inner: C,
    report: fn(path: &str, milliseconds: u128),
}

#[async_trait]
impl<C: HttpClient> HttpClient for Measured<C> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        let begin = Instant::now();
        let response = self.inner.send(request).await;
        (self.report)(&path, begin.elapsed().as_millis());
        response
    }
}

/// The client sends everything through it.
pub fn measured(
    logto: LogtoBuilder,
    inner: impl HttpClient + 'static,
    report: fn(&str, u128),
) -> LogtoBuilder {
    logto.context(Arc::new(Measured { inner, report }))
}
// ANCHOR_END: wrapped

//! The adapter for reqwest 0.13.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use logto_core::exchange::MAX_BODY;

use super::{HttpClient, TransportError};

/// An [`HttpClient`] on reqwest 0.13 with rustls.
#[derive(Clone, Debug)]
pub struct ReqwestClient(reqwest::Client);

impl ReqwestClient {
    /// Connections that are not established within this time count as refused.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// A client that keeps the contract: no redirects, a connect timeout, the system's roots of trust.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] when TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, TransportError> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Self::CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .retry(reqwest::retry::never())
            .build()
            .map(Self)
            .map_err(|error| TransportError::NotSent(describe(&error)))
    }
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|error| TransportError::NotSent(describe(&error)))?;
        let mut answer = self
            .0
            .execute(request)
            .await
            .map_err(|error| failure(&error))?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(TransportError::Unusable(format!(
                    "longer than {MAX_BODY} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

fn failure(error: &reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(describe(error))
    } else {
        TransportError::Lost(describe(error))
    }
}

/// The chain of causes without the URL, which may carry a query.
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() {
        text.push_str("no cause given");
    }
    text
}

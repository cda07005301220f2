//! [`HttpClient`] on reqwest 0.13.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use logto_core::exchange::MAX_BODY;

use super::{HttpClient, TransportError};

/// A connection that is not established within this time counts as refused.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the idle timeouts of usual load balancers. A connection that the peer has just closed
/// would lose the request that is sent on it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// An [`HttpClient`] on reqwest 0.13 with rustls.
#[derive(Clone, Debug)]
pub struct ReqwestClient(reqwest::Client);

impl ReqwestClient {
    /// A client that keeps the contract of [`HttpClient`]: no redirects, no retries, a timeout for
    /// connecting, the system's trusted root certificates.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] when TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, TransportError> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
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
        let mut received = self
            .0
            .execute(request)
            .await
            .map_err(|error| failure(&error))?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = received.status();
        *response.headers_mut() = std::mem::take(received.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = received.chunk().await.map_err(|error| failure(&error))? {
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

/// The chain of causes, without the URL: its query may hold a code.
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

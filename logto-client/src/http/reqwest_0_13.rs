//! [`HttpClient`] on reqwest 0.13.

use std::{io::Read, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use logto_core::exchange::MAX_BODY;

use super::{FreshConnection, HttpClient, TransportError};

/// A connection that is not established within this time counts as refused.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the five seconds of Node.js, which Logto runs on. A connection that the peer has just closed
/// would lose the request that is sent on it.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// A time that can be added to the present.
const MAX_IDLE_TIMEOUT: Duration = Duration::from_secs(3_600);
/// More response headers than a chain of proxies adds. The default of hyper is 100, and a response with
/// more would be lost, with the refresh token that it may hold.
const MAX_HEADERS: usize = 1024;

/// An [`HttpClient`] on reqwest 0.13 with rustls.
#[derive(Clone, Debug)]
pub struct ReqwestClient {
    pooled: reqwest::Client,
    /// Keeps no connections.
    fresh: reqwest::Client,
}

impl ReqwestClient {
    /// A client that keeps the contract of [`HttpClient`]: no redirects, no retries, a timeout for
    /// connecting, the system's trusted root certificates.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] when TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, TransportError> {
        Self::with_idle_timeout(DEFAULT_IDLE_TIMEOUT)
    }

    /// As [`new`](Self::new), with another time after which an idle connection is closed. Default: 4
    /// seconds, at most an hour. It has to be shorter than that of Logto, or of the proxy in front of it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_idle_timeout(timeout: Duration) -> Result<Self, TransportError> {
        let build = |builder: reqwest::ClientBuilder| {
            let built = builder.build();
            built.map_err(|error| TransportError::NotSent(describe(&error)))
        };
        Ok(Self {
            pooled: build(builder().pool_idle_timeout(timeout.min(MAX_IDLE_TIMEOUT)))?,
            fresh: build(builder().pool_max_idle_per_host(0))?,
        })
    }
}

fn builder() -> reqwest::ClientBuilder {
    let accept_gzip = (header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .http1_max_headers(MAX_HEADERS)
        .retry(reqwest::retry::never())
        // Decoded here, because reqwest does not know all of its names.
        .no_gzip()
        .default_headers(HeaderMap::from_iter([accept_gzip]))
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let client = match request.extensions().get::<FreshConnection>() {
            Some(_) => &self.fresh,
            None => &self.pooled,
        };
        let request = reqwest::Request::try_from(request)
            .map_err(|error| TransportError::NotSent(describe(&error)))?;
        let mut received = client
            .execute(request)
            .await
            .map_err(|error| failure(&error))?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = received.status();
        *response.headers_mut() = std::mem::take(received.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = received.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        decode(response)
    }
}

/// Undoes a content encoding. The names are case-insensitive, and `x-gzip` is another name of `gzip`
/// ([RFC 9110 section 8.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1)).
fn decode(mut response: Response<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let is_gzip = match response.headers().get(header::CONTENT_ENCODING) {
        None => false,
        // Such as the response to HEAD, or 304.
        Some(_) if response.body().is_empty() => false,
        Some(encoding) => {
            let is = |name: &str| encoding.as_bytes().eq_ignore_ascii_case(name.as_bytes());
            if !["gzip", "x-gzip", "identity", ""].into_iter().any(is) {
                let problem = "it has a content encoding other than gzip";
                return Err(TransportError::Unusable(problem.to_owned()));
            }
            is("gzip") || is("x-gzip")
        }
    };
    if is_gzip {
        let mut decoded = Vec::new();
        GzDecoder::new(response.body().as_ref())
            .take(MAX_BODY as u64 + 1)
            .read_to_end(&mut decoded)
            .map_err(|error| TransportError::Unusable(error.to_string()))?;
        if decoded.len() > MAX_BODY {
            return Err(too_long());
        }
        *response.body_mut() = decoded.into();
        response.headers_mut().remove(header::CONTENT_ENCODING);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    Ok(response)
}

fn too_long() -> TransportError {
    TransportError::Unusable(format!("longer than {MAX_BODY} bytes"))
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

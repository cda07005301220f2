//! Sending HTTP requests: one method, and the contract that every implementation keeps.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use logto_core::error::NoResponse;

use crate::runtime::{MaybeSend, MaybeSync};

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod fetch;
#[cfg(feature = "reqwest-0-13")]
mod reqwest_0_13;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use fetch::FetchClient;
#[cfg(feature = "reqwest-0-13")]
pub use reqwest_0_13::ReqwestClient;

/// Sends requests.
///
/// The contract of an implementation:
///
/// - **No redirects.** A 3xx is a response like any other; following it would send a client secret or a
///   code to another host.
/// - **Every status is `Ok`.** An error means that there is no complete response.
/// - **Bodies are limited** to [`MAX_BODY`](logto_core::exchange::MAX_BODY) bytes, counted after decompression;
///   a longer one is [`TransportError::Unusable`].
/// - **Certificates are checked.**
/// - **Nothing is retried.** The caller decides whether a request may be sent twice, and has to know
///   whether it was [not sent](TransportError::NotSent) or [lost](TransportError::Lost).
/// - **Headers and bodies are not logged**: they hold secrets.
/// - **Idle connections are closed after about four seconds.** Logto runs on Node.js, which closes them after
///   five; a request that is sent at that moment is lost.
/// - **A request with [`FreshConnection`]** among its extensions goes over a connection that was not idle: it
///   is never sent twice, so that a lost response loses what it spent. An implementation without that choice
///   opens a new connection for each of them, or keeps to the four seconds.
///
/// The client ends a request after a timeout of its own, by dropping the future; that has to abort the request.
/// One `HttpClient` is used for the lifetime of a program, so that connections are reused.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait HttpClient: fmt::Debug + MaybeSend + MaybeSync {
    /// Sends `request` and reads the whole response.
    ///
    /// # Errors
    /// When there is no complete response.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<T: HttpClient + ?Sized> HttpClient for Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}

/// An extension of requests that are never sent twice, such as the one that redeems a code: they go over a
/// connection that was not idle. Refreshes do not have it, because a refresh may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshConnection;

/// Why there is no response.
///
/// The texts are for operators; they hold no part of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The request was not sent: the name does not resolve, the connection was refused, TLS failed. It can be
    /// sent again.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// The request may have been processed, and the response was lost: a reset or a timeout.
    #[error("the response was lost: {0}")]
    Lost(String),
    /// The response cannot be read: it is too long or garbled.
    #[error("the response cannot be read: {0}")]
    Unusable(String),
}

impl TransportError {
    pub(crate) fn late(after: Duration) -> Self {
        Self::Lost(format!("no answer within {} seconds", after.as_secs_f32()))
    }
}

impl From<&TransportError> for NoResponse {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::NotSent(_) => Self::NotSent,
            TransportError::Lost(_) | TransportError::Unusable(_) => Self::Lost,
        }
    }
}

/// An [`HttpClient`] made of a function, for HTTP libraries without an adapter here and for tests.
///
/// ```
/// use logto_client::http::{TransportError, http_fn};
///
/// let client = http_fn(|request: http::Request<bytes::Bytes>| async move {
///     println!("{} {}", request.method(), request.uri().path());
///     Err(TransportError::NotSent("there is no network in this example".to_owned()))
/// });
/// ```
pub fn http_fn<F, Fut>(send: F) -> impl HttpClient
where
    F: Fn(Request<Bytes>) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output = Result<Response<Bytes>, TransportError>> + MaybeSend + 'static,
{
    HttpFn(send)
}

struct HttpFn<F>(F);

impl<F> fmt::Debug for HttpFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFn")
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<F, Fut> HttpClient for HttpFn<F>
where
    F: Fn(Request<Bytes>) -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output = Result<Response<Bytes>, TransportError>> + MaybeSend,
{
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (self.0)(request).await
    }
}

//! HTTP, as the client needs it: one method, and a contract that every adapter keeps.

use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

#[cfg(feature = "reqwest-0-13")]
mod reqwest_0_13;

#[cfg(feature = "reqwest-0-13")]
pub use reqwest_0_13::ReqwestClient;

/// Sends requests.
///
/// The contract of an implementation:
///
/// - **No redirects.** A 3xx is an answer like any other; following it would carry a client secret or
///   a code to another place.
/// - **Every status is `Ok`.** An error means that there is no complete answer.
/// - **Bodies are capped** at [`MAX_BODY`](logto_core::exchange::MAX_BODY) bytes, counted after
///   decompression; what is longer is [`TransportError::Unusable`].
/// - **Certificates are checked.**
/// - **Nothing is retried.** Whether a request may be sent twice is decided by the caller, who needs
///   to know which of the two failures of [`TransportError`] it was.
/// - **Nothing is logged** of headers and bodies: they hold secrets.
///
/// The client ends a request after a timeout of its own, by dropping the future; that has to abandon the
/// request. One `HttpClient` serves for the life of a program, so that connections are
/// reused.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// When there is no complete answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

#[async_trait]
impl<T: HttpClient + ?Sized> HttpClient for Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}

/// Why there is no answer.
///
/// The texts are for people who operate the program; they hold no part of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The request did not leave: the name does not resolve, the connection was refused, TLS failed.
    /// Sending it again repeats nothing.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// The request may have been processed, and the answer was lost: a reset or a timeout.
    #[error("the answer was lost: {0}")]
    Lost(String),
    /// An answer came and cannot be read: too long, or garbled.
    #[error("the answer cannot be read: {0}")]
    Unusable(String),
}

/// An [`HttpClient`] made of a function, for libraries that have no adapter here and for tests.
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
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
{
    HttpFn(send)
}

struct HttpFn<F>(F);

impl<F> fmt::Debug for HttpFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFn")
    }
}

#[async_trait]
impl<F, Fut> HttpClient for HttpFn<F>
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Response<Bytes>, TransportError>> + Send,
{
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (self.0)(request).await
    }
}

//! A service from an async function, and functions for the session of its request.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use logto_client::{
    ReadOnlySession, WritableSession,
    core::claims::IdTokenClaims,
    storage::StorageError,
    web::{Failure, RequestSession},
};
use tower::service_fn;
use tower_service::Service;

logto_adapter_common::error_type!();

impl Error {
    /// The response for an error, for a handler that is not a [`handler_fn`]. The
    /// [`LogtoLayer`](crate::LogtoLayer), which knows the request, completes it.
    pub fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.0.status();
        response.extensions_mut().insert(Failure(self.0));
        response
    }
}

/// The session of a request before it is opened: for pages that stream, and for visitors who need not be signed
/// in.
///
/// # Errors
/// If the request did not pass the [`LogtoLayer`](crate::LogtoLayer).
pub fn request_session<B>(request: &Request<B>) -> Result<RequestSession> {
    let session = crate::session_of(request.extensions()).cloned();
    session.ok_or_else(|| {
        let problem = "the request did not come through `LogtoLayer`";
        StorageError::Misconfigured(problem.to_owned()).into()
    })
}

/// The claims of the signed-in user. If no user is signed in, a page is redirected to the sign-in, which leads
/// back, and a script receives 401, whatever the handler responds.
///
/// # Errors
/// As [`request_session`], and as [`RequestSession::claims`].
/// [`UsageError::NotSignedIn`](logto_client::core::error::UsageError::NotSignedIn) if no user is signed in.
pub fn user<B>(
    request: &Request<B>,
) -> impl Future<Output = Result<Arc<IdTokenClaims>>> + Send + use<B> {
    let request = request_session(request);
    async { Ok(logto_adapter_common::user(&request?).await?) }
}

/// The session of the signed-in user, to refresh and store.
///
/// # Errors
/// As [`user`], and as [`RequestSession::session`].
pub fn session<B>(
    request: &Request<B>,
) -> impl Future<Output = Result<WritableSession>> + Send + use<B> {
    let request = request_session(request);
    async { Ok(logto_adapter_common::session(&request?).await?) }
}

/// The session of the signed-in user, read-only.
///
/// # Errors
/// As [`user`], and as [`RequestSession::read_only`].
pub fn read_only<B>(
    request: &Request<B>,
) -> impl Future<Output = Result<ReadOnlySession>> + Send + use<B> {
    let request = request_session(request);
    async { Ok(logto_adapter_common::read_only(&request?).await?) }
}

/// A service from an async function that returns a response or an [`Error`].
pub fn handler_fn<H, Q, F, R>(
    mut handler: H,
) -> impl Service<Request<Q>, Response = Response<R>, Error = Infallible, Future: Send> + Clone
where
    H: FnMut(Request<Q>) -> F + Clone,
    F: Future<Output = Result<Response<R>>> + Send,
    R: Default,
{
    service_fn(move |request| {
        let response = handler(request);
        async { Ok(response.await.unwrap_or_else(Error::into_response)) }
    })
}

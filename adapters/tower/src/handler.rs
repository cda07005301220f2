//! A service made of an async function, and what such a function asks its request for.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use logto_client::{
    ReadOnlySession, WritableSession,
    core::{claims::IdTokenClaims, error::UsageError},
    storage::StorageError,
    web::{Failure, RequestSession},
};
use tower_service::Service;

/// What a handler returns that uses the session.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SDK. Its response is a page for a browser and JSON for a script, with a fixed sentence for
/// each code; the details go to the observer.
#[derive(Clone, Debug)]
pub struct Error(pub logto_client::Error);

impl<E: Into<logto_client::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Error {
    /// The response, for a handler that is no [`handler_fn`]. The [`LogtoLayer`](crate::LogtoLayer), which knows
    /// the request, fills it in.
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
/// When the request did not come through the [`LogtoLayer`](crate::LogtoLayer).
pub fn request_session<B>(request: &Request<B>) -> Result<RequestSession> {
    let session = crate::session_of(request.extensions()).cloned();
    session.ok_or_else(|| {
        let problem = "the request did not come through `LogtoLayer`";
        StorageError::Misconfigured(problem.to_owned()).into()
    })
}

/// Declares a function that requires a user.
macro_rules! required {
    ($(#[$doc:meta])* $name:ident, $open:ident, $output:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`UsageError::NotSignedIn`] if nobody is signed in: a page is redirected to the sign-in and comes
        /// back, a script gets 401, whatever the handler responds. And as
        #[doc = concat!("[`RequestSession::", stringify!($open), "`].")]
        pub fn $name<B>(
            request: &Request<B>,
        ) -> impl Future<Output = Result<$output>> + Send + use<B> {
            let request = request_session(request);
            async move {
                let request = request?;
                let found = request.$open().await?;
                if found.is_none() {
                    request.answer_with(RequestSession::ask_to_sign_in);
                }
                Ok(found.ok_or(UsageError::NotSignedIn)?)
            }
        }
    };
}

required! {
    /// The claims of the signed-in user.
    user, claims, Arc<IdTokenClaims>
}

required! {
    /// The session of the signed-in user, to refresh and store.
    session, session, WritableSession
}

required! {
    /// The session of the signed-in user, to look at.
    read_only, read_only, ReadOnlySession
}

/// A service made of an async function that returns a response or an [`Error`].
pub fn handler_fn<H>(handler: H) -> HandlerFn<H> {
    HandlerFn(handler)
}

/// The service that [`handler_fn`] makes.
#[derive(Clone, Copy, Debug)]
pub struct HandlerFn<H>(H);

impl<H, Q, F, R> Service<Request<Q>> for HandlerFn<H>
where
    H: FnMut(Request<Q>) -> F,
    F: Future<Output = Result<Response<R>>> + Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let response = (self.0)(request);
        Box::pin(async { Ok(response.await.unwrap_or_else(Error::into_response)) })
    }
}

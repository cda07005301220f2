#![doc = include_str!("../README.md")]
//!
//! # Layer and guards
//!
//! [`LogtoLayer`] answers the requests for the routes of a [`LogtoApp`]: sign-in, callback, sign-out and so on.
//! Every other request is passed to the application with a [`RequestSession`] in its extensions. The layer
//! finishes its response: it sets, renews and deletes cookies, whatever the handler does.
//!
//! Put the layer before a [`handler_fn`], or before your own service, which gets the session with
//! [`request_session`], [`user`], [`session`] and [`read_only`]. [`Guard`] limits a group of routes to users or
//! to access tokens.

mod guard;
mod handler;
mod in_process;

use std::task::{Context, Poll, ready};
use std::{io, pin::Pin};

use bytes::Bytes;
use http::{Extensions, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Collected, Either, Full, Limited};
use logto_client::web::{LogtoApp, RequestSession, Route};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

pub use guard::{Guard, Guarded};
pub use handler::{Error, Result, handler_fn, read_only, request_session, session, user};
pub use in_process::in_process;

/// The session of a request that passed the [`LogtoLayer`]. `None` if it did not.
pub fn session_of(extensions: &Extensions) -> Option<&RequestSession> {
    extensions.get()
}

/// A layer with the routes and the sessions of an application.
#[derive(Clone, Debug)]
pub struct LogtoLayer {
    app: LogtoApp,
    original_uri: fn(&Extensions) -> Option<&Uri>,
}

impl LogtoLayer {
    /// A layer for this application.
    pub fn new(app: LogtoApp) -> Self {
        Self {
            app,
            original_uri: |_| None,
        }
    }

    /// Sets where the original URI of a request is, before a router removed a prefix: a visitor returns there
    /// after the sign-in. Default: the URI of the request.
    #[must_use]
    pub fn original_uri(mut self, find: fn(&Extensions) -> Option<&Uri>) -> Self {
        self.original_uri = find;
        self
    }
}

impl<S> Layer<S> for LogtoLayer {
    type Service = LogtoService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        LogtoService { layer, inner }
    }
}

/// A service with a [`LogtoLayer`] before it.
#[derive(Clone, Debug)]
pub struct LogtoService<S> {
    layer: LogtoLayer,
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for LogtoService<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
    Q: Body<Data: Send> + Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let LogtoLayer { app, original_uri } = &self.layer;
        if let Some(route) = app.route(request.uri().path()) {
            let answer = Box::pin(answer(app.clone(), route, request));
            return ResponseFuture::Answering { answer };
        }
        let uri = original_uri(request.extensions()).unwrap_or_else(|| request.uri());
        let session = app.begin(request.method(), uri, request.headers());
        request.extensions_mut().insert(session.clone());
        let handler = self.inner.call(request);
        ResponseFuture::Handling { handler, session }
    }
}

pin_project! {
    /// The response of a [`LogtoService`].
    #[project = Projected]
    #[must_use = "futures do nothing unless they are polled"]
    pub enum ResponseFuture<F> {
        /// A route of Logto.
        #[doc(hidden)]
        Answering { answer: Pin<Box<dyn Future<Output = Response<Bytes>> + Send>> },
        /// The application.
        #[doc(hidden)]
        Handling { #[pin] handler: F, session: RequestSession },
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Either<Full<Bytes>, R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Answering { answer } => {
                let response = ready!(answer.as_mut().poll(cx));
                Poll::Ready(Ok(response.map(|body| Either::Left(Full::new(body)))))
            }
            Projected::Handling { handler, session } => {
                let (mut head, body) = ready!(handler.poll(cx))?.into_parts();
                let replacement = session.finish(&mut head).map(Full::new);
                let body = replacement.map_or(Either::Right(body), Either::Left);
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
        }
    }
}

async fn answer(app: LogtoApp, route: Route, request: Request<impl Body>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let body = body.map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    let body = Limited::new(Box::pin(body), LogtoApp::MAX_BODY_LENGTH).collect();
    // A body that is too long or incomplete counts as empty.
    let body = body
        .await
        .map_or_else(|_| Bytes::new(), Collected::to_bytes);
    app.answer(route, &parts, &body).await
}

impl<F> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

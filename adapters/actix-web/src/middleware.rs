//! The middleware.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error, HttpMessage,
    body::{BodyStream, EitherBody, MessageBody, to_bytes_limited},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
};
use bytes::Bytes;
use logto_adapter_common::Pending;
use logto_client::web::{LogtoApp, Route};
use pin_project_lite::pin_project;

use crate::convert;

/// Answers the requests for the routes of a [`LogtoApp`], adds a session to every other request, and finishes
/// its response.
#[derive(Clone, Debug)]
pub struct LogtoMiddleware {
    app: LogtoApp,
}

impl LogtoMiddleware {
    /// A middleware for this application.
    pub fn new(app: LogtoApp) -> Self {
        Self { app }
    }
}

impl<S, B> Transform<S, ServiceRequest> for LogtoMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = LogtoService<S>;
    type InitError = ();
    type Future = Ready<Result<LogtoService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let app = self.app.clone();
        ready(Ok(LogtoService { app, inner }))
    }
}

/// A service behind a [`LogtoMiddleware`].
#[derive(Debug)]
pub struct LogtoService<S> {
    app: LogtoApp,
    inner: S,
}

impl<S, B> Service<ServiceRequest> for LogtoService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(route) = self.app.route(request.path()) {
            let answer = Box::pin(answer(self.app.clone(), route, request));
            return ResponseFuture::Answering { answer };
        }
        let pending = Rc::new(Pending::new(self.app.clone()));
        request.extensions_mut().insert(Rc::clone(&pending));
        ResponseFuture::Handling {
            handler: self.inner.call(request),
            pending,
        }
    }
}

pin_project! {
    /// The response of a [`LogtoService`].
    #[project = Projected]
    #[must_use = "futures do nothing unless they are polled"]
    pub enum ResponseFuture<F> {
        /// A route of Logto.
        #[doc(hidden)]
        Answering { answer: Pin<Box<dyn Future<Output = ServiceResponse>>> },
        /// The application.
        #[doc(hidden)]
        Handling { #[pin] handler: F, pending: Rc<Pending> },
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            Projected::Answering { answer } => {
                Ok(ready!(answer.as_mut().poll(cx)).map_into_right_body())
            }
            Projected::Handling { handler, pending } => match ready!(handler.poll(cx)) {
                Ok(response) => {
                    let (request, response) = response.into_parts();
                    let response = convert::finish(pending, Some(&request), response);
                    Ok(ServiceResponse::new(request, response))
                }
                Err(error) if pending.has_begun() => {
                    let response = convert::finish(pending, None, error.error_response());
                    let response = response.map_into_boxed_body();
                    Err(InternalError::from_response(error, response).into())
                }
                Err(error) => Err(error),
            },
        })
    }
}

async fn answer(app: LogtoApp, route: Route, mut request: ServiceRequest) -> ServiceResponse {
    let head = convert::head(request.request());
    let body = BodyStream::new(request.take_payload());
    // A body that is too long or incomplete counts as empty.
    let body = match to_bytes_limited(body, LogtoApp::MAX_BODY_LENGTH).await {
        Ok(Ok(body)) => body,
        _ => Bytes::new(),
    };
    let response = convert::response(app.answer(route, &head, &body).await);
    request.into_response(response)
}

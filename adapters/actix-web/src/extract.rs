//! Typed ways to ask for the session of a request.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
};

use crate::{convert, failure::Error};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::ErrorInternalServerError,
    middleware::Next,
};
use logto_adapter_common::Pending;
use logto_client::web::{RequestSession, Requirement};

logto_adapter_common::session_types!();

/// Lets only users of this kind pass to a scope:
/// `.wrap(from_fn(|request, next| require(Requirement::user(), request, next)))`.
///
/// # Errors
/// As the extractor [`Session`], 403 for other users, and what the scope itself fails with.
pub async fn require<B: MessageBody>(
    requirement: Requirement,
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let (session, pending) = begin(request.request())?;
    let opened = session.session_as(&requirement).await;
    pending.require(opened).map_err(Error)?;
    next.call(request).await
}

fn begin(request: &HttpRequest) -> actix_web::Result<(RequestSession, Rc<Pending>)> {
    let pending: Option<Rc<Pending>> = request.extensions().get().cloned();
    let pending = pending
        .ok_or_else(|| ErrorInternalServerError("`LogtoMiddleware` does not wrap this route"))?;
    Ok((convert::begin(&pending, request).clone(), pending))
}

impl FromRequest for Request {
    type Error = actix_web::Error;
    type Future = Ready<actix_web::Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(begin(request).map(|(session, _)| Self(session)))
    }
}

macro_rules! extractors {
    ($($name:ident: $open:ident,)*) => { $(
        impl FromRequest for $name {
            type Error = actix_web::Error;
            type Future = Pin<Box<dyn Future<Output = actix_web::Result<Self>>>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let begun = begin(request);
                Box::pin(async move {
                    let (session, pending) = begun?;
                    let opened = session.$open().await;
                    Ok(Self(pending.require(opened).map_err(Error)?))
                })
            }
        }
    )* };
}

extractors! {
    User: claims,
    Session: session,
    ReadOnly: read_only,
}

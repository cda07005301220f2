//! Guards for groups of routes.

use std::task::{Context, Poll};
use std::{mem, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use logto_client::{
    core::api_token::AccessTokenVerification, resource_server::ResourceServer, web::Requirement,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::session_of;

/// Passes requests to the routes behind it, or answers them.
///
/// - [`Guard::user`], below a [`LogtoLayer`](crate::LogtoLayer): a visitor who is not signed in is redirected
///   to the sign-in, which leads back; a script receives 401; and a user who does not meet the requirement
///   receives 403.
/// - [`Guard::token`], for an API: 401 or 403 with `WWW-Authenticate` for an invalid access token. The claims
///   of a valid one are, as `Arc<`[`ApiTokenClaims`](logto_client::core::api_token::ApiTokenClaims)`>`, in the
///   extensions of the request.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    User(Requirement),
    Token(ResourceServer, AccessTokenVerification),
}

impl Guard {
    /// A guard for pages.
    pub fn user(requirement: Requirement) -> Self {
        Self(Arc::new(Kind::User(requirement)))
    }

    /// A guard for an API.
    pub fn token(server: ResourceServer, demands: AccessTokenVerification) -> Self {
        Self(Arc::new(Kind::Token(server, demands)))
    }

    async fn check<Q>(&self, request: &mut Request<Q>) -> Result<(), Box<Response<Bytes>>> {
        match &*self.0 {
            Kind::User(requirement) => match session_of(request.extensions()).cloned() {
                Some(session) => session.require_as(requirement).await.map(drop),
                None => {
                    // Only a router without the layer leads here, never a request.
                    let problem = b"A guard for users needs the LogtoLayer around it.";
                    let mut response = Response::new(Bytes::from_static(problem));
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    Err(Box::new(response))
                }
            },
            Kind::Token(server, demands) => {
                let claims = server.authorize(request.headers(), demands).await;
                let claims = claims.map_err(|refusal| refusal.response())?;
                request.extensions_mut().insert(claims);
                Ok(())
            }
        }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let guard = self.clone();
        Guarded { guard, inner }
    }
}

/// A service behind a [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for Guarded<S>
where
    S: Service<Request<Q>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    Q: Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        // The service that is ready must be the one that is called.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            match guard.check(&mut request).await {
                Ok(()) => Ok(inner.call(request).await?.map(Either::Right)),
                Err(response) => Ok(response.map(|body| Either::Left(Full::new(body)))),
            }
        })
    }
}

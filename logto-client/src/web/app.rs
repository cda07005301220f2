//! The web layer of an application as one value: its routes, the session of each request, and its error pages.
//!
//! A framework adapter does three things with it: it passes the requests for which [`LogtoApp::route`] finds a
//! route to [`LogtoApp::answer`], it [begins](LogtoApp::begin) every other request with a [`RequestSession`]
//! for the handlers, and it [finishes](RequestSession::finish) their responses.

mod builder;
mod error_page;
mod request_session;
mod requirement;
mod route;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, header, request::Parts};
use logto_core::{Secret, SignIn, sign_out::SignOut, vocabulary::FirstScreen};
use url::form_urlencoded;

pub use self::{
    builder::LogtoAppBuilder,
    error_page::{ErrorContext, ErrorPage},
    request_session::{Failure, RequestSession},
    requirement::Requirement,
    route::{LinkParameter, Route},
};
use super::{
    callback::{CallbackAnswer, CallbackOutcome, SignInHook},
    initiator, location, respond,
    routes::LogtoWeb,
    sign_out::SignOutAnswer,
};
use crate::{
    client::LogtoClient,
    error::{Error, RequestError},
};

/// An application that signs users in: all routes, and a session for each request.
///
/// Create one with [`LogtoApp::builder`], or with `logto::from_env`, and pass it to the adapter of the web
/// framework. Clones are cheap and share everything.
#[derive(Clone)]
pub struct LogtoApp {
    inner: Arc<AppState>,
}

struct AppState {
    web: LogtoWeb,
    paths: Vec<(Route, String)>,
    sign_in: SignIn,
    sign_out: SignOut,
    link_parameters: Vec<LinkParameter>,
    allows_sign_out_links: bool,
    allows_cross_site_forms: bool,
    webhook_signing_key: Option<Secret>,
    sign_in_hook: Option<Arc<dyn SignInHook>>,
    error_page: Option<Arc<dyn ErrorPage>>,
}

impl LogtoApp {
    /// The longest body that a route reads, in bytes. Adapters pass an empty body instead of a longer one.
    pub const MAX_BODY_LENGTH: usize = 65_536;

    /// Starts building an application on `web`, with every route that needs no setting, at the paths that
    /// [`Route`] lists.
    pub fn builder(web: LogtoWeb) -> LogtoAppBuilder {
        LogtoAppBuilder::new(web)
    }

    /// The routes as single methods.
    pub fn web(&self) -> &LogtoWeb {
        &self.inner.web
    }

    /// The client of the application.
    pub fn client(&self) -> &LogtoClient {
        self.inner.web.client()
    }

    /// The paths of the routes, each prefixed with the path of the base URL.
    pub fn paths(&self) -> impl Iterator<Item = (Route, &str)> {
        let paths = self.inner.paths.iter();
        paths.map(|(route, path)| (*route, path.as_str()))
    }

    /// The path of a route, prefixed with the path of the base URL. `None` if the route is switched off.
    pub fn path(&self, route: Route) -> Option<&str> {
        let mut paths = self.paths();
        paths.find_map(|(other, path)| (other == route).then_some(path))
    }

    /// The route at this path, given with or without the path of the base URL: a router below a prefix receives
    /// its requests without it.
    pub fn route(&self, path: &str) -> Option<Route> {
        let below = location::below(self.client().config().base_url(), path);
        self.paths()
            .find_map(|(route, known)| (known == below).then_some(route))
    }

    /// Begins a request. The session is opened when a handler first asks for it.
    pub fn begin(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> RequestSession {
        RequestSession::new(self.clone(), method, uri, headers)
    }

    /// Answers a request for a route.
    pub async fn answer(&self, route: Route, parts: &Parts, body: &Bytes) -> Response<Bytes> {
        let request = self.begin(&parts.method, &parts.uri, &parts.headers);
        let mut response = self.answer_route(&request, route, parts, body).await;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let web = &self.inner.web;
            web.delete_ended_session(request.cookies(), response.headers_mut())
                .await;
        }
        response
    }

    async fn answer_route(
        &self,
        request: &RequestSession,
        route: Route,
        parts: &Parts,
        body: &Bytes,
    ) -> Response<Bytes> {
        let methods = route.methods(self.inner.allows_sign_out_links);
        if !methods.contains(&parts.method) {
            let mut response = request.refusal(&RequestError::MethodNotAllowed.into());
            let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
            if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            return response;
        }
        let inner = &*self.inner;
        let web = &inner.web;
        match route {
            Route::SignIn => self.start(request, parts, inner.sign_in.clone()).await,
            Route::SignUp => {
                let sign_up = inner.sign_in.clone().first_screen(FirstScreen::Register);
                self.start(request, parts, sign_up).await
            }
            Route::Callback => {
                let hook = inner.sign_in_hook.as_deref();
                let callback = web.callback_with(parts, request.cookies(), body, hook);
                arrive(request, callback.await)
            }
            Route::SignOut => {
                if parts.method == Method::GET && !initiator::is_sign_out_link(&parts.headers) {
                    return request.refusal(&RequestError::CrossSite.into());
                }
                let sign_out = web.sign_out_with(parts, request.cookies(), &inner.sign_out);
                leave(request, sign_out.await)
            }
            Route::SignOutLocally => {
                let sign_out = web.sign_out_locally_with(parts, request.cookies());
                leave(request, sign_out.await)
            }
            Route::User => match web.user_of(request.cookies()).await {
                Ok(response) => response,
                Err(error) => request.refusal(&error),
            },
            Route::BackChannelLogout => web.back_channel_logout(parts, body).await,
            Route::Webhook => match &inner.webhook_signing_key {
                Some(key) => web.webhook(key, &parts.headers, body).await,
                // A webhook needs both a key and a path; this application has set only a path.
                None => respond::private(http::StatusCode::NOT_FOUND),
            },
        }
    }

    /// Starts a sign-in with the parameters that a link may set.
    async fn start(
        &self,
        request: &RequestSession,
        parts: &Parts,
        mut sign_in: SignIn,
    ) -> Response<Bytes> {
        if let Some(response) = request.at_base_url(parts) {
            return response;
        }
        let query = parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            sign_in = match name.as_ref() {
                // Anything but a path of this application becomes the base URL.
                "return_to" => sign_in.return_to(value),
                "first_screen" => match value.parse() {
                    Ok(first_screen) => sign_in.first_screen(first_screen),
                    Err(_) => sign_in,
                },
                name => {
                    let mut named = self.inner.link_parameters.iter();
                    match named.find(|parameter| parameter.as_str() == name) {
                        Some(parameter) => parameter.apply(sign_in, &value),
                        None => sign_in,
                    }
                }
            };
        }
        let web = &self.inner.web;
        let answer = web.sign_in_with(parts, request.cookies(), &sign_in).await;
        answer.unwrap_or_else(|error| request.refusal(&error))
    }
}

/// The response to a sign-out, with an error page if a request of another site was refused. The observer
/// already has the event.
fn leave(request: &RequestSession, answer: SignOutAnswer) -> Response<Bytes> {
    let page = match &answer.outcome {
        Err(error @ Error::Request(_)) => request.page(error),
        _ => None,
    };
    page.unwrap_or_else(|| answer.into_response())
}

/// The response to a callback, with an error page if a user reads it.
fn arrive(request: &RequestSession, answer: CallbackAnswer) -> Response<Bytes> {
    let page = match &answer.outcome {
        Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) => request.page(error),
        Ok(_) => None,
    };
    match page {
        Some(mut page) => {
            page.headers_mut().extend(answer.headers);
            page
        }
        None => answer.into_response(),
    }
}

impl fmt::Debug for LogtoApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogtoApp")
            .field("web", &self.inner.web)
            .field("paths", &self.inner.paths)
            .finish_non_exhaustive()
    }
}

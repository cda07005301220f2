//! The fairing.

use std::{future::poll_fn, pin::Pin, task::Poll};

use bytes::Bytes;
use logto_adapter_common::Pending;
use logto_client::web::{self, LogtoApp};
use rocket::{
    Build, Data, Request, Response, Rocket, Route,
    data::ToByteUnit,
    fairing::{self, Fairing, Info, Kind},
    http::{Method, uri::Origin},
    route::{Handler, Outcome},
};

use crate::{convert, guard::Managed};

/// Adds the routes of a [`LogtoApp`] and a session for every request, and finishes its response.
///
/// Rocket does not start if it does not accept one of the paths, or if the application already has a route
/// there. Move or switch off a route of `logto` with [`LogtoAppBuilder`](logto_client::web::LogtoAppBuilder).
#[derive(Clone, Debug)]
pub struct LogtoFairing {
    app: LogtoApp,
}

impl LogtoFairing {
    /// A fairing for this application.
    pub fn new(app: LogtoApp) -> Self {
        Self { app }
    }

    /// A route for every method at every path, also without the path of the base URL: a proxy may remove it.
    fn routes(&self) -> Option<Vec<Route>> {
        use Method::{Delete, Get, Head, Options, Patch, Post, Put};

        let base = self.app.client().config().base_url();
        let base = base.map_or("", |url| url.path().trim_end_matches('/'));
        let mut routes = Vec::new();
        for (route, path) in self.app.paths() {
            let nested = path.strip_prefix(base).filter(|_| !base.is_empty());
            for path in [Some(path), nested].into_iter().flatten() {
                // `Route::new` panics where this fails.
                Origin::parse(path).ok()?;
                let app = self.app.clone();
                let answer = Answer { app, route };
                let route = |method| Route::new(method, path, answer.clone());
                routes.extend([Get, Head, Post, Put, Patch, Delete, Options].map(route));
            }
        }
        Some(routes)
    }
}

#[rocket::async_trait]
impl Fairing for LogtoFairing {
    fn info(&self) -> Info {
        Info {
            name: "Logto",
            kind: Kind::Ignite | Kind::Response | Kind::Singleton,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        match self.routes() {
            Some(routes) => Ok(rocket.manage(Managed(self.app.clone())).mount("/", routes)),
            None => Err(rocket),
        }
    }

    // Written without `async`: it never waits, and an empty future costs no allocation.
    fn on_response<'r, 'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        request: &'r Request<'life1>,
        response: &'life2 mut Response<'r>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'async_trait>>
    where
        'r: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        let pending = request.local_cache(|| Pending::new(self.app.clone()));
        convert::finish(pending, response);
        Box::pin(poll_fn(|_| Poll::Ready(())))
    }
}

/// Answers the requests for a route.
#[derive(Clone)]
struct Answer {
    app: LogtoApp,
    route: web::Route,
}

#[rocket::async_trait]
impl Handler for Answer {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let body = data.open(LogtoApp::MAX_BODY_LENGTH.bytes()).into_bytes();
        // A body that is too long or incomplete counts as empty.
        let body = match body.await {
            Ok(body) if body.is_complete() => body.into_inner().into(),
            _ => Bytes::new(),
        };
        let head = convert::head(request);
        let answer = self.app.answer(self.route, &head, &body).await;
        Outcome::Success(convert::response(answer))
    }
}

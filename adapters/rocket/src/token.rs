//! The access tokens of requests to an API.

use std::sync::OnceLock;

use logto_client::{
    core::api_token::AccessTokenVerification,
    resource_server::{Refusal, ResourceServer},
};
use rocket::{
    Build, Request, Response, Rocket,
    fairing::{self, Fairing, Info, Kind},
    http::Status,
    request::Outcome,
};

use crate::{convert, guard::Token};

/// An API that accepts access tokens: what [`authorize`] needs. No [`LogtoFairing`](crate::LogtoFairing) is needed.
#[derive(Clone, Debug)]
pub struct ApiFairing {
    server: ResourceServer,
}

impl ApiFairing {
    /// A fairing for this API.
    pub fn new(server: ResourceServer) -> Self {
        Self { server }
    }
}

/// The claims of the access token of a request, for request guards of the application. `demands` creates the
/// requirements of the routes behind the guard for the issuer. The response to a request without a valid token
/// is 400, 401 or 403 with `WWW-Authenticate`, or 503 if no key can be fetched to verify it.
pub async fn authorize(
    request: &Request<'_>,
    demands: impl FnOnce(&str) -> AccessTokenVerification,
) -> Outcome<Token, ()> {
    let Some(server) = request.rocket().state::<ResourceServer>() else {
        rocket::error!("the guards of access tokens need an `ApiFairing`");
        return Outcome::Error((Status::InternalServerError, ()));
    };
    let demands = demands(server.issuer());
    let head = convert::head(request);
    match server.authorize(&head.headers, &demands).await {
        Ok(claims) => Outcome::Success(Token(claims)),
        Err(refusal) => {
            let status = Status::new(refusal.response().status().as_u16());
            // Rocket discards the errors of guards. The first one counts.
            refused(request).get_or_init(|| refusal);
            Outcome::Error((status, ()))
        }
    }
}

fn refused<'r>(request: &'r Request<'_>) -> &'r OnceLock<Refusal> {
    request.local_cache(OnceLock::new)
}

#[rocket::async_trait]
impl Fairing for ApiFairing {
    fn info(&self) -> Info {
        Info {
            name: "Logto access tokens",
            kind: Kind::Ignite | Kind::Response | Kind::Singleton,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.server.clone()))
    }

    /// The body is that of the application's catcher.
    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(refusal) = refused(request).get().map(Refusal::response) else {
            return;
        };
        // Otherwise the guard was optional.
        if response.status().code == refusal.status().as_u16() {
            for name in refusal.headers().keys() {
                response.remove_header(name.as_str());
            }
            convert::append(response, refusal.headers());
        }
    }
}

#![doc = include_str!("../README.md")]
//!
//! # What a handler asks for
//!
//! | extractor | value | if no user is signed in |
//! |---|---|---|
//! | [`User`] | the claims of the ID token | a page is redirected to the sign-in and comes back, a script gets 401 |
//! | [`Session`] | the session, to get tokens with | the same |
//! | [`ReadOnly`] | the session, read-only | the same |
//! | `Option` of one of them | `None` | the handler runs |
//! | [`Request`] | the session of the request, before it is opened | |
//! | [`Token`] | the claims of the access token, in an API behind [`Guard::token`] | |
//!
//! [`RouterExt::with_logto`] adds the routes.
//!
//! # The test of a sign-in
//!
//! With the feature `test` of the crate `logto`:
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use logto::LogtoApp;
//! # use logto::axum::{RouterExt, User};
//! # fn router(logto: LogtoApp) -> Router {
//! #     let private = async |user: User| user.user.name.clone().into_value().unwrap_or_default();
//! #     Router::new().route("/private", get(private)).with_logto(logto)
//! # }
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let demo = logto::test::DemoTenant::new()?;
//! let router = router(demo.builder().await?);
//! let browser = demo.browser(logto::axum::in_process(router));
//! let page = browser.sign_in("/private", "alice", "password").await?;
//! assert_eq!(page.status(), 200);
//! assert_eq!(page.text(), "Alice Lab");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod extract;
mod failure;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::OriginalUri,
    http::{Extensions, StatusCode, Uri},
    response::Response,
    routing::any,
};
use http_body_util::{Either, Full};
use logto_client::web::LogtoApp;
use logto_tower::LogtoLayer;
pub use logto_tower::in_process;
use tower::util::MapResponseLayer;

pub use extract::{ReadOnly, Refused, Request, Session, Token, User};
pub use failure::{Error, Result};
/// For groups of routes: `Router::route_layer(Guard::user(Requirement::user().role("staff")))`.
pub use logto_tower::Guard;

/// Adds Logto to a router.
pub trait RouterExt: Sized {
    /// Adds the routes of `logto`, and a session to the requests for all routes of this router. Call it after
    /// the routes are added, as [`Router::layer`] requires.
    ///
    /// # Panics
    /// As [`Router::route`], if the router already has a route at a path of `logto`. Move that route of
    /// `logto`, or switch it off, with [`LogtoAppBuilder`](logto_client::web::LogtoAppBuilder).
    #[must_use]
    fn with_logto(self, logto: LogtoApp) -> Self;
}

impl<S: Clone + Send + Sync + 'static> RouterExt for Router<S> {
    fn with_logto(mut self, logto: LogtoApp) -> Self {
        let base = logto.client().config().base_url();
        let base = base.map_or("", |url| url.path().trim_end_matches('/'));
        for (_, path) in logto.paths() {
            // The layer answers. Without a route, a nested router would not call it.
            self = self.route(path, any(StatusCode::NOT_FOUND));
            match path.strip_prefix(base) {
                Some(nested) if !base.is_empty() => {
                    self = self.route(nested, any(StatusCode::NOT_FOUND));
                }
                _ => {}
            }
        }
        let layer = LogtoLayer::new(logto).original_uri(original_uri);
        self.layer((MapResponseLayer::new(with_one_body), layer))
    }
}

/// A response of the router keeps its body, for which [`Body::new`] would make a box around its box.
fn with_one_body(response: Response<Either<Full<Bytes>, Body>>) -> Response {
    response.map(|body| match body {
        Either::Left(full) => Body::new(full),
        Either::Right(body) => body,
    })
}

fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    let original = extensions.get::<OriginalUri>();
    original.map(|OriginalUri(uri)| uri)
}

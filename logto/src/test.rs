//! For the tests of an application: a Logto that fits in a test, and a browser that signs in.
//!
//! [`DemoTenant`] is a Logto in the process, with users, organizations and an API. Its
//! [`builder`](DemoTenant::builder) builds an application for it, and a [`Browser`] visits both: it keeps
//! cookies, follows redirects, and fills in forms. No port is opened, and time passes only when the test moves
//! the clock.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use logto::LogtoApp;
//! use logto::test::{DemoTenant, app_fn};
//!
//! // The application, which its framework usually provides:
//! async fn answer(logto: LogtoApp, request: Request<Bytes>) -> Response<Bytes> {
//!     let (parts, body) = request.into_parts();
//!     if let Some(route) = logto.route(parts.uri.path()) {
//!         return logto.answer(route, &parts, &body).await;
//!     }
//!     match logto.begin(&parts.method, &parts.uri, &parts.headers).require().await {
//!         Ok(session) => Response::new(format!("Hello, {}", session.claims().sub).into()),
//!         Err(redirect) => *redirect,
//!     }
//! }
//!
//! // The test of a sign-in:
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let demo = DemoTenant::new()?;
//! let logto = demo.builder().await?;
//! let browser = demo.browser(app_fn(move |request| answer(logto.clone(), request)));
//!
//! let page = browser.open("/private").await?;
//! assert!(page.text().contains("Sign in as"), "Logto's page");
//! let page = browser.sign_in("/private", "alice", "password").await?;
//! assert_eq!(page.status(), StatusCode::OK);
//! assert!(page.text().starts_with("Hello, "));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An application that is a `tower` service, such as a router of axum, needs no such function: see
//! `logto::axum::in_process`. For one that listens on a port, pass a [`ReqwestClient`](crate::ReqwestClient) to
//! [`Browser::new`].
//!
//! [`demo_or_env`] starts examples and development builds: with the Logto of the environment, or with an
//! embedded one.

mod browser;
mod clock;
mod cookies;
mod demo;
mod html;
mod page;
mod site;

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use logto_client::http::{HttpClient, TransportError, http_fn};
pub use logto_testkit as testkit;
use logto_testkit::Logto;

pub use browser::{Browser, WalkError};
pub use clock::{FileClock, KitClock};
pub use demo::{DemoTenant, demo_or_env};
pub use page::{Form, Page};

/// An HTTP client for a Logto in this process. It acts as a network: scripted faults of a test delay and lose
/// responses.
pub fn http_client(logto: &Logto) -> impl HttpClient + use<> {
    let logto = logto.clone();
    http_fn(move |request| {
        let reply = logto.exchange(request);
        async move {
            tokio::time::sleep(reply.delay).await;
            let lost = |_| TransportError::Lost("the connection broke".to_owned());
            reply.result.map_err(lost)
        }
    })
}

/// Makes an application from a function, for a [`Browser`].
pub fn app_fn<F, Fut>(answer: F) -> impl HttpClient
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<Bytes>> + Send + 'static,
{
    http_fn(move |request| {
        let answer = answer(request);
        async move { Ok(answer.await) }
    })
}

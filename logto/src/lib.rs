#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! What most applications need is at the root of this crate. Everything else is one module deep:
//!
//! | to | look at |
//! |---|---|
//! | start an application | [`from_env`], [`builder`], [`LogtoBuilder`] |
//! | change routes, cookies, the error page | [`LogtoBuilder::routes`], [`LogtoBuilder::cookies`], [`web`] |
//! | use a session | [`WritableSession`], [`ReadOnlySession`] |
//! | choose where sessions live | [`storage`] |
//! | protect an API | [`client::resource_server`] |
//! | act for the application itself | [`client::m2m`] |
//! | know what an error means | [`Error`], [`core::error`] |
//! | use the protocol without I/O | [`core`] |
//!
//! This crate re-exports others: [`core`] is `logto-core`, the protocol as plain values; [`client`] and [`web`] are
//! `logto-client`, which sends the requests and coordinates the refreshes; [`storage`] is `logto-storage`.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `aws-lc` | yes | signature verification with aws-lc-rs |
//! | `reqwest-0-13` | yes | `ReqwestClient`, an HTTP client on reqwest 0.13; enables `tokio` |
//! | `rust-crypto` | no | signature verification in pure Rust, for builds without a C compiler |
//! | `tokio` | no | timers and background tasks on Tokio, for an HTTP client of your own |
//! | `redis` | no | sessions in Redis or Valkey |
//! | `postgres` | no | sessions in PostgreSQL |
//! | `sqlite` | no | sessions in SQLite |
//! | `tls` | no | TLS to Redis and PostgreSQL |
//! | `actix-web-4` | no | `logto::actix_web`: middleware and extractors for actix-web 4 |
//! | `axum-0-8` | no | `logto::axum`: routes and extractors for axum 0.8 |
//! | `rocket-0-5` | no | `logto::rocket`: a fairing and request guards for Rocket 0.5 |
//! | `tower-0-3` | no | `logto::tower`: a layer for hyper and anything else that takes a `tower` service |
//! | `fetch` | no | on WebAssembly, `logto::fetch`: for Cloudflare Workers, Node.js and anything else with `Request` and `Response` |
//! | `test` | no | `logto::test`: an in-process Logto and a browser that signs in, for tests and development only |
//! | `tracing` | no | events go to `tracing`, under the target `logto` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
#[cfg(feature = "test")]
pub mod test;

use std::ffi::OsString;

pub use builder::{LogtoBuilder, StartError};
#[cfg(feature = "actix-web-4")]
pub use logto_actix_web as actix_web;
#[cfg(feature = "axum-0-8")]
pub use logto_axum as axum;
pub use logto_client as client;
pub use logto_client::web;
pub use logto_core as core;
#[cfg(all(feature = "fetch", target_family = "wasm", target_os = "unknown"))]
pub use logto_fetch as fetch;
#[cfg(feature = "rocket-0-5")]
pub use logto_rocket as rocket;
pub use logto_storage as storage;
#[cfg(feature = "tower-0-3")]
pub use logto_tower as tower;

#[cfg(feature = "reqwest-0-13")]
pub use logto_client::http::ReqwestClient;
pub use logto_client::web::LogtoApp;
pub use logto_client::{
    Cached, CompletedSignIn, Coordinator, Error, LogtoClient, LogtoClientBuilder, LogtoReader,
    ReadOnlySession, WritableSession,
};
pub use logto_core::{
    AccessToken, LogtoConfig, Secret, Session, SignIn, TokenTarget, UnixTime, sign_out::SignOut,
};

/// Builds an application from environment variables. Set more with the methods of the builder, then await it.
///
/// | variable | setting |
/// |---|---|
/// | `LOGTO_ENDPOINT`, `LOGTO_APP_ID`, `LOGTO_APP_SECRET` | the application, as the Console shows it |
/// | `LOGTO_BASE_URL` | where browsers find the application, such as `http://localhost:3000` |
/// | `LOGTO_OTHER_HOSTS` | other hosts where they find it, such as `*.preview.example.com` |
/// | `LOGTO_RESOURCES`, `LOGTO_SCOPES` | what to ask for, separated by spaces or commas |
/// | `LOGTO_COOKIE_KEY` | the key for cookies and stored sessions; without a session URL, sessions live in cookies |
/// | `LOGTO_SESSION_URL` | the store in which sessions live: `redis://`, `postgres://`, `sqlite:` |
pub fn from_env() -> LogtoBuilder {
    from_lookup(std::env::var_os)
}

/// As [`from_env`], with variables from `lookup`: a secret manager, a file, the table of a test.
pub fn from_lookup<V: Into<OsString>>(lookup: impl Fn(&'static str) -> Option<V>) -> LogtoBuilder {
    LogtoBuilder::from_lookup(lookup)
}

/// Builds an application without environment variables. Set more with the methods of the builder, then await it.
pub fn builder(endpoint: impl AsRef<str>, app_id: impl Into<String>) -> LogtoBuilder {
    LogtoBuilder::new(Ok(LogtoConfig::builder(endpoint, app_id)))
}

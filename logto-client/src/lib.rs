//! Runs the sans-IO core of the Logto SDK for Rust: HTTP, storage, clock and randomness.
//!
//! Create one [`LogtoClient`] per application. [`LogtoClient::sign_in`] and [`LogtoClient::complete_sign_in`]
//! sign a user in; [`LogtoClient::session`] opens a session that can be refreshed and stored,
//! [`LogtoClient::read_only_session`] one that can only be read. [`web`] wraps all of it for servers that
//! speak `http`.
//!
//! [`M2mClient`](m2m::M2mClient) acts for the application itself,
//! [`ResourceServer`](resource_server::ResourceServer) protects an API.
//!
//! # The SDK signs no user out
//!
//! A refresh token that Logto replaces exists in exactly one response. All refreshing therefore goes
//! through one refresher:
//!
//! - one refresh at a time for each session; callers for the same token share it, callers for another token
//!   queue behind it and use the newest refresh token;
//! - a ledger updates a request that still carries the session from before a refresh, so that it does not
//!   replay a spent token;
//! - a refresh outlives the request that started it, and stores its new refresh token before it checks the
//!   rest of the response;
//! - `invalid_grant` ends a session only after it was read again and no newer token was found;
//! - timeouts, 429, 5xx and HTML from a proxy end no session.
//!
//! # Seams
//!
//! [`HttpClient`](http::HttpClient), [`SessionStorage`](storage::SessionStorage) and its reading half
//! [`SessionReader`](storage::SessionReader), [`Clock`](clock::Clock), [`Entropy`](entropy::Entropy),
//! [`Runtime`](runtime::Runtime), [`Observer`](event::Observer) and
//! [`JwsVerifier`](logto_core::jwt::JwsVerifier) are traits that you can implement.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `aws-lc` | yes | signature verification with aws-lc-rs |
//! | `rust-crypto` | no | signature verification in pure Rust |
//! | `reqwest-0-13` | no | [`HttpClient`](http::HttpClient) on reqwest 0.13; switches `tokio` on |
//! | `tokio` | no | [`Runtime`](runtime::Runtime) on Tokio |
//! | `tracing` | no | events go to `tracing` |
//!
//! # WebAssembly
//!
//! On `wasm32-unknown-unknown` requests, timers, clocks and randomness are those of the JavaScript runtime, and
//! need no feature: `http::FetchClient` and `runtime::JsRuntime`. There, futures and the values behind the traits
//! need no `Send`. Switch the default features off and `rust-crypto` on.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod clock;
pub mod entropy;
pub mod error;
pub mod event;
pub mod http;
pub mod key_value;
pub mod ledger;
pub mod m2m;
pub mod resource_server;

pub mod runtime;
pub mod seal;
pub mod session;
pub mod storage;
pub mod web;

mod cache;
mod client;
mod context;
mod cooldown;
mod credentials;
mod keyed_mutex;
mod provider;
mod refresh;
mod single_flight;
mod ttl_map;

pub use logto_core as core;
pub use logto_core::{AccessToken, LogtoConfig, Secret, Session, SignIn, TokenTarget, UnixTime};

pub use self::{
    client::{
        CompletedSignIn, Coordinator, IncompleteSignIn, LogtoClient, LogtoClientBuilder,
        LogtoReader, NextStep, RefresherStats, SignedOut,
    },
    context::{BuildError, Context},
    error::Error,
    session::{Cached, ReadOnlySession, WritableSession},
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! The Logto SDK for Rust, running: HTTP, storage, clock and randomness around the sans-IO core.
//!
//! [`LogtoClient`] is made once. [`LogtoClient::sign_in`] and [`LogtoClient::complete_sign_in`] sign a
//! user in; [`LogtoClient::session`] opens a session that may refresh and store,
//! [`LogtoClient::read_only_session`] one that can only be looked at. [`web`] wraps all of it for
//! servers that speak `http`.
//!
//! [`M2mClient`](m2m::M2mClient) acts for the application itself,
//! [`ResourceServer`](resource_server::ResourceServer) protects an API.
//!
//! # Nobody is signed out by the SDK
//!
//! A refresh token that Logto replaces exists in exactly one response. All refreshing therefore goes
//! through one refresher:
//!
//! - one refresh at a time for each session; whoever wants the same token shares it, whoever wants
//!   another queues behind it and uses the newest refresh token;
//! - a request that still carries the session from before a refresh is brought up to date by a ledger,
//!   instead of replaying a dead token;
//! - a refresh outlives the request that wanted it, and its new refresh token is kept before the rest
//!   of the answer is judged;
//! - `invalid_grant` is believed only after the session was read again and nobody has a newer token;
//! - timeouts, 429, 5xx and HTML from a proxy change nothing about who is signed in.
//!
//! # Seams
//!
//! [`HttpClient`](http::HttpClient), [`SessionStorage`](storage::SessionStorage) and its reading half
//! [`SessionReader`](storage::SessionReader), [`Clock`](clock::Clock), [`Entropy`](entropy::Entropy),
//! [`Runtime`](runtime::Runtime), [`Observer`](event::Observer) and
//! [`JwsVerifier`](logto_core::jwt::JwsVerifier) are traits; the builder takes yours.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `aws-lc` | yes | signature verification with aws-lc-rs |
//! | `rust-crypto` | no | signature verification in pure Rust |
//! | `reqwest-0-13` | no | [`HttpClient`](http::HttpClient) on reqwest 0.13; switches `tokio` on |
//! | `tokio` | no | [`Runtime`](runtime::Runtime) on Tokio |
//! | `tracing` | no | events go to `tracing` |

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
        CompletedSignIn, Coordinator, LogtoClient, LogtoClientBuilder, LogtoReader, RefresherStats,
        SignedOut,
    },
    context::{BuildError, Context},
    error::Error,
    session::{Cached, ReadOnlySession, WritableSession},
};

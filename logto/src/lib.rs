//! The Logto SDK for Rust: sign users in with [Logto](https://logto.io), keep them signed in, and get
//! access tokens for APIs and organizations.
//!
//! This crate only gathers the others under one name:
//!
//! | module | crate | knows |
//! |---|---|---|
//! | [`core`] | `logto-core` | the protocol as values: no network, no clock, no async |
//! | [`client`] | `logto-client` | HTTP, time, randomness, and who refreshes when |
//! | [`web`] | `logto-client` | routes and cookies for servers that speak `http` |
//! | [`storage`] | `logto-storage` | where sessions live |
//!
//! ```
//! # #[cfg(feature = "reqwest-0-13")] {
//! use logto::{LogtoClient, LogtoConfig, ReqwestClient, storage::MemoryStorage};
//!
//! fn client() -> Result<LogtoClient, Box<dyn std::error::Error>> {
//!     let config = LogtoConfig::builder("https://your-tenant.logto.app", "your-app-id")
//!         .app_secret("your-app-secret")
//!         .base_url("https://shop.example.com")
//!         .build()?;
//!     Ok(LogtoClient::builder(config, ReqwestClient::new()?, MemoryStorage::new()).build()?)
//! }
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `aws-lc` | yes | signature verification with aws-lc-rs |
//! | `reqwest-0-13` | yes | `ReqwestClient`; switches `tokio` on |
//! | `rust-crypto` | no | signature verification in pure Rust, for builds without a C compiler |
//! | `tokio` | no | Tokio as timer and spawner, beside an HTTP client of your own |
//! | `redis`, `postgres`, `sqlite` | no | sessions in a store that several processes share |
//! | `tls` | no | TLS to Redis and PostgreSQL |
//! | `tracing` | no | events go to `tracing` |

pub use logto_client as client;
pub use logto_client::web;
pub use logto_core as core;
pub use logto_storage as storage;

#[cfg(feature = "reqwest-0-13")]
pub use logto_client::http::ReqwestClient;
pub use logto_client::{
    Cached, CompletedSignIn, Coordinator, Error, LogtoClient, LogtoClientBuilder, LogtoReader,
    ReadOnlySession, WritableSession,
};
pub use logto_core::{
    AccessToken, LogtoConfig, Secret, Session, SignIn, TokenTarget, UnixTime, sign_out::SignOut,
};

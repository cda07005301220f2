//! Storages for the sessions of the Logto SDK.
//!
//! | storage | the browser carries | sessions end | back-channel logout | for |
//! |---|---|---|---|---|
//! | [`CookieStorage`] | the sealed session | when they expire | no | applications without a store |
//! | [`MemoryStorage`] | a random id | also when the process does | yes | development, tests, a single process |
//! | [`ExternalStorage`] | a random id | when they expire | yes | several processes on Redis, a database, or your own store |
//!
//! All of them keep the contract of [`SessionStorage`](logto_client::storage::SessionStorage), which the suite
//! in `conformance` (feature `conformance`) checks. You can run it on your own storage too.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "conformance")]
pub mod conformance;
mod cookie;
mod external;
#[cfg(feature = "conformance")]
pub mod faulty;
mod lifetimes;
mod memory;
mod record;
mod seen;

#[cfg(feature = "postgres")]
pub use self::external::postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "redis")]
pub use self::external::redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use self::external::sqlite::SqliteStore;
pub use self::{
    cookie::{CookieStorage, Overflow},
    external::ExternalStorage,
    lifetimes::Lifetimes,
    memory::MemoryStorage,
};
pub use logto_client::key_value::{Entry, Found, KeyValueStore};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

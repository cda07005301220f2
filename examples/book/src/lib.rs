//! The code of the book in `docs`.
//!
//! Pages include it by the names between `ANCHOR` comments, so that no page holds a copy. `tests` runs what can run,
//! against a Logto in the process. The code of the quick starts is in the examples of the frameworks.

pub mod apis;
pub mod audit;
pub mod configuration;
pub mod deployment;
pub mod devices;
pub mod framework;
pub mod http_client;
pub mod machines;
pub mod organizations;
pub mod pages;
pub mod protection;
pub mod sign_in;
pub mod storage;
pub mod users;

/// Compiles the Rust code that stands in a page itself.
#[cfg(doctest)]
mod inline {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/architecture.md")]
    mod architecture {}
    #[doc = include_str!("../../../docs/sessions.md")]
    mod sessions {}
}

//! What the tests of the workspace share: the real OpenID engine, a browser for it, and the exchanges
//! recorded from a running Logto. A helper that cannot do its job fails the test that called it.

#![allow(clippy::expect_used, clippy::panic)]

pub mod browser;
#[cfg(feature = "chromium")]
pub mod chromium;
pub mod engine;
pub mod provider;
pub mod raw;
pub mod recordings;
pub mod shared;
#[cfg(feature = "chromium")]
pub mod site;
pub mod stage;
pub mod visitor;
pub mod worker;
pub mod world;

//! What the tests of the workspace share: the real OpenID engine, a browser for it, and a world for the client to
//! run in. A helper that cannot do its job fails the test that called it.

#![allow(clippy::expect_used, clippy::panic)]

pub mod browser;
#[cfg(feature = "chromium")]
pub mod chromium;
pub mod engine;
pub mod provider;
pub mod raw;
pub mod shared;
#[cfg(feature = "chromium")]
pub mod site;
pub mod stage;
pub mod visitor;
pub mod worker;
pub mod world;

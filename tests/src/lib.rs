//! Shared by the tests of the workspace: the real OpenID engine, browsers, a simulated network and clock, and
//! worker processes. A helper that fails makes its test fail.

#![allow(clippy::expect_used, clippy::panic)]

pub mod browser;
#[cfg(feature = "chromium")]
pub mod chromium;
pub mod engine;
pub mod mortal;
pub mod provider;
pub mod raw;
pub mod shared;
#[cfg(feature = "chromium")]
pub mod site;
pub mod stage;
pub mod visitor;
pub mod worker;
pub mod world;

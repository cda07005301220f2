//! What the tests of the workspace share: the real OpenID engine, a browser for it, and the exchanges
//! recorded from a running Logto. A helper that cannot do its job fails the test that called it.

#![allow(clippy::expect_used, clippy::panic)]

pub mod browser;
pub mod engine;
pub mod provider;
pub mod raw;
pub mod recordings;
pub mod shared;
pub mod stage;
pub mod visitor;
pub mod worker;
pub mod world;

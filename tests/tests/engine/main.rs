//! The real OpenID engine, and scenarios that run against it and against the test provider with equal results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agree;
mod agree_authentication;
mod agree_clients;
mod agree_more;
mod fleet;
mod lost_sessions;
mod smoke;
mod tokens;

//! The OpenID engine inside Logto, run for real, and the test kit: both behave alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agree;
mod agree_authentication;
mod agree_clients;
mod agree_more;
mod smoke;
mod tokens;

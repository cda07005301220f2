//! Protecting an API with `ResourceServer`, against tokens and keys of the test kit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod flood;
mod issuers;
mod keys;
mod models;
mod opaque;
mod outage;
mod requests;
mod tokens;

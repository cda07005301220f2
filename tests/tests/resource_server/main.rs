//! `ResourceServer`, with tokens and keys of the test provider.

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

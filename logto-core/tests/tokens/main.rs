//! Signed tokens: how they are written, who signed them, what they say, and where each kind is accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod api_token;
mod bearer;
mod claims;
mod claims_any_json;
mod id_token;
mod jwt;
mod keys;
mod kinds;
mod logout_token;
mod recorded;
mod wycheproof;

//! Signed tokens: parsing, signatures, claims, and the token kinds.
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

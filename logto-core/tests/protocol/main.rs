//! Exchanges with Logto's endpoints: requests, and the interpretation of every response.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod client_authentication;
mod client_credentials;
mod discovery;
mod introspection;
mod key_fetching;
mod logto_apis;
mod revocation;
mod secrets;
mod token_exchange;
mod token_refusals;
mod token_requests;
mod token_responses;
mod user_info;
mod webhook;

//! The test provider, compared with recordings and observations of a real Logto, and with its documentation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod client_auth;
mod consent;
mod faults;
mod keys;
#[cfg(feature = "listen")]
mod listen;
mod one_time_tokens;
mod pages;
#[cfg(feature = "listen")]
mod program;
mod replays_refresh;
mod replays_sign_in;
mod replays_tokens;
mod rotation;
mod sessions;
mod tenants;
mod webhooks;

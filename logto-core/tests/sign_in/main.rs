//! Sign-in, from the authorization request to the claims of the user, and sign-out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod authorization_request;
mod callback;
mod callback_errors;
mod complete_sign_in;
mod device;
mod exploration;
mod pending_sign_in;
mod pushed_authorization;
mod return_to;
mod sign_out;
mod third_party_login;

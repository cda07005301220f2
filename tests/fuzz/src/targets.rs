//! The targets, each a module with `run` for one input and `seeds` to begin with.

pub mod access_token;
pub mod bearer;
pub mod callback;
pub mod cookies;
pub mod discovery;
pub mod id_token;
pub mod introspection;
pub mod jwks;
pub mod jwt;
pub mod logout_token;
pub mod pending_sign_in;
pub mod record;
pub mod return_to;
pub mod sealed;
pub mod session;
pub mod state;
pub mod third_party_login;
pub mod token_response;
pub mod user_info;
pub mod web;
pub mod webhook;

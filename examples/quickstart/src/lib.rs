//! A small web application that signs its users in with Logto.
//!
//! `cargo run -p quickstart` starts it together with a Logto of its own; with `LOGTO_ENDPOINT` and
//! `LOGTO_APP_ID` it signs in at a real one. `cargo run -p quickstart -- --check` proves without a
//! browser that everything works, and at a real Logto that it is set up for this application.
//!
//! Read [`app`] first: it puts the application together. `routes` has one function for each address, and
//! [`tenant`] says where the settings come from.

pub mod app;
pub mod args;
#[path = "../check/check.rs"]
pub mod check;
pub mod claims;
pub mod span;
pub mod tenant;

mod device;
mod page;
mod routes;
mod storage;

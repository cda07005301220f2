//! Calling APIs without a user: the application for itself, and the APIs of Logto.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod logto_apis;
mod machine_to_machine;

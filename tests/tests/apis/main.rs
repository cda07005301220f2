//! Calling APIs: machine-to-machine tokens, and Logto's own APIs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod logto_apis;
mod machine_to_machine;
mod users_calls;

//! The session value: what it holds, how it is stored, and how it gets its tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod recorded_refresh;
mod refresh;
mod stored;
mod value;

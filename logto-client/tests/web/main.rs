//! What the browser carries: cookies, and what is sealed in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cookies;
mod seal;

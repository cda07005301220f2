//! Cookies, and the encryption of their contents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cookies;
mod seal;

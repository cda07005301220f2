//! Configuration, and Logto's vocabulary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod builder;
mod env;
mod hosts;
mod urls;
mod vocabulary;

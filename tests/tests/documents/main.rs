//! The tables in `docs` match the code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod book;
mod errors;
mod layers;
mod markdown;
mod packages;
mod protocol;
mod public_api;
mod repository;
mod requirements;
mod ways;

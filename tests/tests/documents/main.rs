//! Documents that say something about the code say the truth.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod errors;
mod protocol;
mod repository;
mod requirements;

//! The session value: contents, storage and access tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod confirm;
mod data;
mod ending;
mod forgetting;
mod recorded_refresh;
mod refresh;
mod refresh_races;
mod renewal;
mod stored;
mod value;

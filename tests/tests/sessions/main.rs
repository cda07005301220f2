//! Sessions over time: rotation, parallel requests, old cookies, cancelled callers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod cancellation;
mod forgotten_ends;
mod lease;
mod lifecycle;
mod model;
mod model_cookies;
mod newest;
mod read_only;
mod reader;
mod rotation;
mod round_trips;
mod soak;
mod stampede;
mod store;

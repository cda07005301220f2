//! The quickstart, the examples and the real engine in a real browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cookies;
mod examples;
mod fixture;
mod form_post;
mod frames;
mod history;
mod organizations;
mod sign_in;
mod sites;
mod tabs;

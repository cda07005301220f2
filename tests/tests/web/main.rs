//! The web layer: sign-in, callbacks, sign-out, logout from Logto, devices and webhooks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app;
mod app_settings;
mod back_channel_logout;
mod callbacks;
mod daily_visitor;
mod debug;
mod device;
mod error_responses;
mod hosts;
mod interrupted;
mod one_time_token;
mod proxy;
mod pushed;
mod routes;
mod session_data;
mod several_sessions;
mod sign_out;
mod silent;
mod tabs;
mod third_party;
mod webhooks;

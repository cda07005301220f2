//! Faults of network, provider, storage and clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cooldowns;
mod entropy;
mod flow;
mod hanging;
mod http_contract;
mod idle_connections;
mod late;
mod replay;
mod sign_in;
mod storage;
mod time;
mod token;

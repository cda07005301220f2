//! Faults of the network, the provider, the storage and the clock: what passes, what refuses one request, what ends a session.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod flow;
mod http_contract;
mod storage;
mod time;
mod token;

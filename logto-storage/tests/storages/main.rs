//! Every storage: what it keeps, what it refuses, and that it passes the conformance suite.
//!
//! Those of the features `redis` and `postgres` need `LOGTO_TEST_REDIS_URL`, `LOGTO_TEST_REDIS_CLUSTER_URL` and
//! `LOGTO_TEST_POSTGRES_URL`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod conformance;
mod cookie_storage;
mod external;
mod faulty;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod turns;

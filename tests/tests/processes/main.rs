//! Sessions in several processes, on real stores and over real sockets: each process is
//! a `session_worker`, the provider is the kit in this one.
//!
//! Those on SQLite and in cookies run everywhere; those of the features `redis` and `postgres` need
//! `LOGTO_TEST_REDIS_URL` and `LOGTO_TEST_POSTGRES_URL`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cookies;
mod crash;
mod load;
mod race;
mod tenant;

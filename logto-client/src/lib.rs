//! Placeholder.

pub mod clock;
pub mod entropy;
pub mod seal;
pub mod storage;
pub mod web;

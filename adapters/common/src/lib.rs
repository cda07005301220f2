#![doc = include_str!("../README.md")]

mod parts;
mod pending;
mod types;

pub use parts::request;
pub use pending::{Finished, Pending};

#[doc(hidden)]
pub use logto_client;

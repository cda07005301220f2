#![doc = include_str!("../README.md")]

mod parts;
mod pending;
mod require;
mod types;

pub use parts::request;
pub use pending::{Finished, Pending};
pub use require::{read_only, session, user};

#[doc(hidden)]
pub use logto_client;

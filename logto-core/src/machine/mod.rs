//! The refresh of one token, as a job of several round trips.

mod obtain_token;

pub use obtain_token::{ObtainToken, Obtained};

//! What the [Logto](https://logto.io) adapters for actix-web and Rocket have in common: their frameworks do not
//! use `http` 1.
//!
//! actix-web uses `http` 0.2, Rocket has types of its own. Both have methods, URIs, names and values as text or
//! bytes, and that is what is taken and given here. Applications use `logto-actix-web` or `logto-rocket`.

mod parts;
mod pending;
mod types;

pub use parts::request;
pub use pending::{Finished, Pending};

#[doc(hidden)]
pub use logto_client;

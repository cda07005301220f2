//! Signing in: from the URL that the browser is sent to, to the callback that it comes back with.
//!
//! [`SignIn::start`] gives the URL and a [`PendingSignIn`], which has to survive, sealed and bound to
//! this browser, until the callback. [`PendingSignIn::resume`] consumes it together with the
//! [`Callback`]; what it gives can be redeemed by [`CompleteSignIn`](crate::machine::CompleteSignIn).

mod callback;
mod pending;
mod return_to;
mod start;

pub use crate::error::CallbackError;
pub use callback::Callback;
pub use pending::{PendingSignIn, ResumedSignIn};
pub use return_to::ReturnTo;
pub use start::{SIGN_IN_RANDOM_BYTES, SignIn};

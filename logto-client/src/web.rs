//! The web layer: from the parts of a request to a response, for any framework that uses `http`.
//!
//! [`LogtoWeb`] has one method for each route. A framework adapter takes the request apart, calls the method,
//! and returns its response:
//!
//! | route | method |
//! |---|---|
//! | `GET /sign-in` | [`LogtoWeb::sign_in`] |
//! | `GET /callback`, `POST /callback` | [`LogtoWeb::callback`] |
//! | `POST /sign-out` | [`LogtoWeb::sign_out`] |
//! | `POST /sign-out/local` | [`LogtoWeb::sign_out_locally`] |
//! | `GET /user` | [`LogtoWeb::user`] |
//! | `POST /back-channel-logout` | [`LogtoWeb::back_channel_logout`] |
//! | pages and APIs, while cookies can be set | [`LogtoWeb::session`], then [`LogtoWeb::finish`] |
//! | pages and APIs, once the response has begun | [`LogtoWeb::read_only_session`] |
//! | pages and APIs for signed-in users only | [`LogtoWeb::require`] |
//! | your own routes that change something | [`LogtoWeb::check_own_request`] first |

pub mod cookies;

mod browser;
mod initiator;
mod location;
mod public_description;
mod respond;
mod routes;
mod sign_in;
mod sign_out;
mod start;

pub use public_description::public_description;
pub use routes::{Guarded, LogtoWeb};
pub use sign_in::{CallbackAnswer, CallbackOutcome};
pub use sign_out::SignOutAnswer;

//! The web edge: from the parts of a request to a response, for any framework that speaks `http`.
//!
//! [`LogtoWeb`] has one method for each route. A framework adapter takes the request apart, calls the
//! method, and hands back what it gives:
//!
//! | route | method |
//! |---|---|
//! | `GET /sign-in` | [`LogtoWeb::sign_in`] |
//! | `GET /callback`, `POST /callback` | [`LogtoWeb::callback`] |
//! | `POST /sign-out` | [`LogtoWeb::sign_out`] |
//! | `GET /user` | [`LogtoWeb::user`] |
//! | `POST /back-channel-logout` | [`LogtoWeb::back_channel_logout`] |
//! | pages and APIs, while cookies can be set | [`LogtoWeb::session`], then [`LogtoWeb::finish`] |
//! | pages and APIs, once the response has begun | [`LogtoWeb::read_only_session`] |
//! | pages and APIs for signed-in users only | [`LogtoWeb::require`] |

pub mod cookies;

mod location;
mod pending;
mod respond;
mod routes;

pub use respond::{error_response, is_cross_site};
pub use routes::{CallbackAnswer, Guarded, LogtoWeb};

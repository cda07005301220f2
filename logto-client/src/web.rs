//! The web layer: from the parts of a request to a response, for any framework that uses `http`.
//!
//! [`LogtoApp`] is the base of an adapter for a web framework. It has all routes and makes a [`RequestSession`]
//! for each request, which opens the session when it is needed, and finishes the response whatever the handler
//! does.
//!
//! [`LogtoWeb`], below it, has one method for each route, to be called by hand:
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

mod app;
mod browser;
mod callback;
mod host;
mod initiator;
mod location;
mod public_description;
mod respond;
mod routes;
mod sign_in;
mod sign_out;
mod start;

pub use app::{
    ErrorContext, ErrorPage, Failure, LinkParameter, LogtoApp, LogtoAppBuilder, RequestSession,
    Requirement, Route,
};
pub use callback::{CallbackAnswer, CallbackOutcome, SignInHook};
pub use public_description::public_description;
pub use routes::{Guarded, LogtoWeb};
pub use sign_out::SignOutAnswer;

#![doc = include_str!("../README.md")]
//!
//! # What a handler asks for
//!
//! | extractor | value | if no user is signed in |
//! |---|---|---|
//! | [`User`] | the claims of the ID token | a page is redirected to the sign-in and comes back, a script gets 401 |
//! | [`Session`] | the session, to get tokens with | the same |
//! | [`ReadOnly`] | the session, read-only | the same |
//! | `Option` of one of them | `None` | the handler runs |
//! | [`Request`] | the session of the request, before it is opened | |
//! | [`Token`] | the claims of the access token, in an API behind [`require_token`] | |
//!
//! [`LogtoMiddleware`] adds the routes. [`require`] guards a scope.

mod convert;
mod extract;
mod failure;
mod middleware;

pub use extract::{ReadOnly, Request, Session, Token, User, authorize, require, require_token};
pub use failure::{Error, Result};
pub use middleware::{LogtoMiddleware, LogtoService, ResponseFuture};

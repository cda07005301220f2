#![doc = include_str!("../README.md")]
//!
//! # What a handler asks for
//!
//! | request guard | value | if no user is signed in |
//! |---|---|---|
//! | [`User`] | the claims of the ID token | forwards; without another route a page is redirected to the sign-in and comes back, and a script gets 401 |
//! | [`Session`] | the session, to get tokens with | the same |
//! | [`ReadOnly`] | the session, read-only | the same |
//! | `Option` of one of them | `None` | the handler runs |
//! | [`Request`] | the session of the request, before it is opened | |
//!
//! [`LogtoFairing`] adds the routes. [`require`] makes guards for roles and memberships.
//!
//! An API attaches an [`ApiFairing`] instead, and makes guards of access tokens with [`authorize`].

mod convert;
mod fairing;
mod guard;
mod token;

pub use fairing::LogtoFairing;
pub use guard::{Error, ReadOnly, Request, Result, Session, Token, User, require};
pub use token::{ApiFairing, authorize};

//! What the fuzzer runs: one function for everything that a stranger can send to an application, and what has to be
//! true of whatever is accepted.
//!
//! `fuzz/` is the workspace of cargo-fuzz; each of its targets calls a function of [`TARGETS`]. Here, in the main
//! workspace, the test `corpus` replays what the fuzzer has found, and the [seeds](Target::seeds) made from the
//! recordings of a real Logto.
//!
//! A signature, a seal or a `state` that no fuzzer can guess is made by the target itself, with fixed keys, from a
//! text that the fuzzer chooses. What is behind it is reached that way.

// Everything here is a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod application;
mod input;
mod requested;
mod undisclosed;

pub mod targets;

pub use self::application::{public_jwk, signed_text};

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it was accepted: the success path was reached.
    Accepted,
    /// Some check refused it.
    Refused,
}

impl Verdict {
    fn accepted_if(accepted: bool) -> Self {
        match accepted {
            true => Self::Accepted,
            false => Self::Refused,
        }
    }
}

/// One thing to send.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the fuzz target and of the folder of its corpus.
    pub name: &'static str,
    /// Handles one input, and panics if something is not as it has to be.
    pub run: fn(&[u8]) -> Verdict,
    /// What the fuzzer begins with; one of them at least is accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[
            $(Target {
                name: stringify!($name),
                run: targets::$name::run,
                seeds: targets::$name::seeds,
            }),*
        ];
    };
}

targets![
    access_token,
    bearer,
    callback,
    cookies,
    discovery,
    id_token,
    introspection,
    jwks,
    jwt,
    logout_token,
    pending_sign_in,
    record,
    return_to,
    sealed,
    session,
    state,
    third_party_login,
    token_response,
    user_info,
    web,
    webhook,
];

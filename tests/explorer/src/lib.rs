//! Every interleaving of refreshes in several processes, against a model of Logto's refresh tokens.
//!
//! The machines are those of `logto_core::refresh`, the driver is a model of the client's: one job on a
//! session at a time in a process, callers for the same token share one, a ledger in each process. Around them
//! stand a model of Logto (`provider`), a store and a ledger that the processes share (`shared`), and a
//! browser with the cookie of a session and the record of a callback (`browser`). Nothing is awaited and
//! nothing is sampled: `step` finds everything that can happen next, and `search` visits every state, breadth
//! first, until there is none left. What leads to the same state in every order happens first: a response
//! without a cookie, and a call that nobody else notices.
//!
//! Time is a number. What takes no time is done before time passes; a fault makes a message take as long as
//! it likes, or a process stand still. A setup states how many requests the browser sends, how often time
//! passes and how often something goes wrong; within that, the exploration is complete.
//!
//! A process may forget which sessions have ended (`ends`). It then has to ask Logto before it opens one, and
//! must neither trust one that has ended nor end one that goes on.
//!
//! Whenever nothing is under way, `outlook` says what later requests will be told. A session that is lost
//! must match a row of the table "What can still be lost" in `docs/sessions.md`, which `losses` holds as
//! code.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod call;
mod diagram;
mod driver;
mod effect;
mod ends;
mod explore;
mod faults;
mod fixtures;
mod label;
mod losses;
mod opening;
mod outlook;
mod part;
mod process;
mod provider;
mod search;
mod setup;
mod setups;
mod shared;
mod step;
mod time;
mod world;

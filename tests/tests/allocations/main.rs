//! How often a request asks for memory. That does not depend on the machine, as time does. A binary of its own, because
//! it counts with an allocator of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod idle;
mod session;
mod tokens;

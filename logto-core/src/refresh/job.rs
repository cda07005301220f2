//! What a refresh is asked for.

use std::time::Duration;

use crate::{config::LogtoConfig, tokens::TokenTarget};

/// A refresh as it is asked for: one value that the machine keeps from beginning to end.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// The configuration that the session was started with.
    pub config: LogtoConfig,
    /// What the access token is for.
    pub target: TokenTarget,
    /// How good it has to be.
    pub demand: Demand,
    /// Where the refreshed session goes.
    pub persist: Persist,
    /// Whether nobody else can have spent the session's refresh token unnoticed: there is only one
    /// process, or the storage always has the newest session. Otherwise the provider is asked first.
    pub is_exclusive: bool,
}

/// How good a token has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// It is usable now. Through an outage of the provider a token will do that has not expired.
    Usable,
    /// It lives at least this long.
    MinRemaining(Duration),
    /// It is fetched now.
    New,
}

/// Where a refreshed session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persist {
    /// Into the storage, and into the ledgers.
    Storage,
    /// Only into the ledgers. A process that ends before the session is next written loses it if the
    /// refresh token was replaced.
    LedgerOnly,
}

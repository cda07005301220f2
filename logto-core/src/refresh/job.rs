//! The parameters of a refresh.

use std::time::Duration;

use crate::{
    UnixTime,
    config::LogtoConfig,
    session::Session,
    tokens::{AccessToken, TokenTarget},
};

/// The parameters of a refresh, which the machine keeps from beginning to end.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// The configuration that the session was started with.
    pub config: LogtoConfig,
    /// What the refresh is for.
    pub wanted: Wanted,
    /// Whether no other process can have spent the session's refresh token unnoticed: there is only one
    /// process, or the storage always has the newest session. Otherwise the provider is asked first.
    pub is_exclusive: bool,
}

/// What a refresh is for. Two refreshes of one session that want the same can be one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The target of the access token.
    pub target: TokenTarget,
    /// The requirement on its lifetime.
    pub demand: Demand,
    /// Where the refreshed session goes.
    pub persist: Persist,
}

impl Wanted {
    /// The token that is as good as a new one while the provider fails: one that has not expired, where that is enough.
    #[must_use]
    pub fn not_yet_expired<'s>(
        &self,
        session: &'s Session,
        now: UnixTime,
    ) -> Option<&'s AccessToken> {
        let token = session.access_tokens().get(&self.target)?;
        (self.demand == Demand::Usable && token.is_usable(now, Duration::ZERO)).then_some(token)
    }
}

/// The requirement on the lifetime of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// It is usable now. During an outage of the provider, any token that has not expired is accepted.
    Usable,
    /// It lives at least this long.
    MinRemaining(Duration),
    /// It is fetched now.
    New,
    /// It is not needed: the refresh token is spent because [it would expire](super::is_renewal_due). Any
    /// usable token is accepted. If the provider refuses the refresh token, the session remains readable.
    Renewal,
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

//! What refreshers of one application share within a process.

use logto_core::{UnixTime, session::SessionId};

use super::{Flown, Revocation, Route, newest::Standing};
use crate::{
    error::Error,
    expiring::Expiring,
    flight::Flights,
    ledger::{Ledger, LedgerLimits},
    pause::Pause,
    retry_budget::RetryBudget,
    storage::Whose,
    turns::Turns,
};

/// How many ended sessions are remembered.
const MOST_OVER: usize = 100_000;
/// Of how many refresh tokens it is remembered whether they are the newest.
const MOST_STANDINGS: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) flights: Flights<Route, Flown>,
    pub(crate) turns: Turns<SessionId>,
    pub(crate) ledger: Ledger,
    pub(super) pause: Pause,
    pub(super) retries: RetryBudget,
    /// What is known about refresh tokens that other processes may spend, by their hash.
    pub(super) standings: Expiring<[u8; 32], Standing>,
    pub(crate) endings: Flights<(SessionId, Revocation), Result<(), Error>>,
    /// Sessions that ended here: no refresh under way brings one back, and no copy of its cookie is
    /// worth anything in this process.
    pub(super) over: Expiring<SessionId, ()>,
    /// Whose sessions the provider has ended by back-channel logout, and when: a session that began
    /// before that is over, wherever it is kept.
    pub(super) logged_out: Expiring<Whose, UnixTime>,
}

impl Shared {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            flights: Flights::default(),
            turns: Turns::new(),
            ledger: Ledger::new(limits),
            pause: Pause::default(),
            retries: RetryBudget::default(),
            standings: Expiring::new(MOST_STANDINGS),
            endings: Flights::default(),
            over: Expiring::new(MOST_OVER),
            logged_out: Expiring::new(MOST_OVER),
        }
    }
}

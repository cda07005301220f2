//! What refreshers of one application share within a process.

use logto_core::{UnixTime, session::SessionId};

use super::{Flown, Revocation, Route, newest::Standing};
use crate::{
    cooldown::Cooldown,
    error::Error,
    keyed_mutex::KeyedMutex,
    ledger::{Ledger, LedgerLimits},
    retry_budget::RetryBudget,
    single_flight::SingleFlight,
    storage::{Handle, SessionOwner},
    ttl_map::TtlMap,
};

/// How many ended sessions are remembered.
const MAX_ENDED: usize = 100_000;
/// Of how many refresh tokens it is remembered whether they are the newest.
const MAX_TOKEN_STATUSES: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) flights: SingleFlight<Route, Flown>,
    pub(crate) turns: KeyedMutex<SessionId>,
    pub(crate) ledger: Ledger,
    pub(super) cooldown: Cooldown,
    pub(super) retries: RetryBudget,
    /// What is known about refresh tokens that other processes may spend, by their hash.
    pub(super) standings: TtlMap<[u8; 32], Standing>,
    pub(crate) endings: SingleFlight<(SessionId, Revocation), Result<(), Error>>,
    /// Sessions that ended here: no refresh under way brings one back, and no copy of its cookie is
    /// worth anything in this process.
    pub(super) over: TtlMap<SessionId, ()>,
    /// Handles that were signed out while the storage did not say which session they find.
    pub(super) ended_handles: TtlMap<Handle, ()>,
    /// SessionOwner sessions the provider has ended by back-channel logout, and when: a session that began
    /// before that is over, wherever it is kept.
    pub(super) logged_out: TtlMap<SessionOwner, UnixTime>,
}

impl Shared {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            flights: SingleFlight::default(),
            turns: KeyedMutex::new(),
            ledger: Ledger::new(limits),
            cooldown: Cooldown::default(),
            retries: RetryBudget::default(),
            standings: TtlMap::new(MAX_TOKEN_STATUSES),
            endings: SingleFlight::default(),
            over: TtlMap::new(MAX_ENDED),
            ended_handles: TtlMap::new(MAX_ENDED),
            logged_out: TtlMap::new(MAX_ENDED),
        }
    }
}

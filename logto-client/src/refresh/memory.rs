//! What this process remembers about sessions between requests.

mod ends;

use std::sync::OnceLock;

use logto_core::{
    TokenTarget,
    refresh::{Confirmation, LeaseRun, Moment, SessionEnd, TokenStatus},
    session::SessionId,
};

use self::ends::Ends;
use super::{EndingKey, RefreshKey, Refreshed, SessionKey};
use crate::{
    cooldown::SharedCooldown,
    error::Error,
    keyed_mutex::KeyedMutex,
    ledger::{Fingerprint, Ledger, LedgerLimits},
    single_flight::SingleFlight,
    storage::{Handle, Lease},
    ttl_map::TtlMap,
};

/// Of how many refresh tokens it is remembered whether they are the newest.
const MAX_TOKEN_STATUSES: usize = 100_000;
/// How many leases are kept. One that is forgotten runs out.
const MAX_KEPT_LEASES: usize = 10_000;
/// Of how many sessions it is remembered how their lease was taken last.
const MAX_LEASE_RUNS: usize = 10_000;
/// How many refusals are remembered.
const MAX_REFUSALS: usize = 10_000;
/// How many sessions are known to be alive as other processes tell, and how many handles to be over.
const MAX_ASKED: usize = 100_000;

/// What refreshes of one application share within a process.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Since when this process remembers.
    started: OnceLock<Moment>,
    /// Refreshes under way.
    pub(crate) refreshes: SingleFlight<RefreshKey, Refreshed>,
    /// Sign-outs under way.
    pub(crate) endings: SingleFlight<EndingKey, Result<(), Error>>,
    /// One refresh at a time for each session.
    pub(crate) sessions: KeyedMutex<SessionId>,
    pub(crate) ledger: Ledger,
    /// Of the token endpoint.
    pub(super) cooldown: SharedCooldown,
    /// Of the introspection endpoint.
    pub(super) introspection_cooldown: SharedCooldown,
    /// What is known about refresh tokens that other processes may spend.
    pub(super) statuses: TtlMap<Fingerprint, TokenStatus>,
    /// What the provider refused lately.
    pub(super) refusals: TtlMap<(SessionId, Option<TokenTarget>), logto_core::Error>,
    /// Leases of the storage that were left to run out, because it does not have the newest refresh token.
    /// They are this process's for as long as they last.
    pub(super) kept_leases: TtlMap<SessionId, (Handle, Lease)>,
    /// Shared leases that were given back just now.
    pub(super) lease_runs: TtlMap<SessionId, LeaseRun>,
    pub(crate) ends: Ends,
    /// Questions to the provider whether a session has ended, for each of its refresh tokens.
    pub(super) confirmations: SingleFlight<SessionKey, Confirmation<Error>>,
    /// Sessions whose refresh token was spent, or was to be spent, before it expires.
    pub(super) renewals: TtlMap<SessionId, ()>,
    /// About which sessions other processes were asked just now.
    pub(super) asked: TtlMap<SessionId, ()>,
    /// Handles, without their parts, that just now were found to be over, and why.
    pub(super) over: TtlMap<Handle, SessionEnd>,
}

impl Memory {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            started: OnceLock::new(),
            refreshes: SingleFlight::default(),
            endings: SingleFlight::default(),
            sessions: KeyedMutex::new(),
            ledger: Ledger::new(limits),
            cooldown: SharedCooldown::default(),
            introspection_cooldown: SharedCooldown::default(),
            statuses: TtlMap::new(MAX_TOKEN_STATUSES),
            refusals: TtlMap::new(MAX_REFUSALS),
            kept_leases: TtlMap::new(MAX_KEPT_LEASES),
            lease_runs: TtlMap::new(MAX_LEASE_RUNS),
            ends: Ends::new(limits.max_ends),
            confirmations: SingleFlight::default(),
            renewals: TtlMap::new(MAX_ASKED),
            asked: TtlMap::new(MAX_ASKED),
            over: TtlMap::new(MAX_ASKED),
        }
    }

    /// Since when this process remembers: since `now`, if it has just begun.
    pub(super) fn started(&self, now: Moment) -> Moment {
        *self.started.get_or_init(|| now)
    }
}

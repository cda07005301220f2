//! What refreshers of one application share within a process.

use logto_core::{Session, UnixTime, session::SessionId};

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

    /// Whether a session, or the handle that found it, has ended in this process. A handle ends without its
    /// session when it was signed out while the storage could not be read.
    pub(crate) fn has_ended(&self, handle: &Handle, session: &Session, now: UnixTime) -> bool {
        self.ended_handles.get(handle, now).is_some() || self.is_over(session, now)
    }

    /// Whether a session has ended in this process.
    pub(super) fn is_over(&self, session: &Session, now: UnixTime) -> bool {
        self.over.get(session.id(), now).is_some() || self.is_logged_out(session, now)
    }

    /// Whether the provider has told this process that the user signed out elsewhere.
    pub(super) fn is_logged_out(&self, session: &Session, now: UnixTime) -> bool {
        let claims = session.claims();
        let logged_out_at = |whose| self.logged_out.get(&whose, now);
        // A user signs in again, a session at the provider that has ended is over for good.
        logged_out_at(SessionOwner::Subject(claims.sub.clone()))
            .is_some_and(|at| session.created_at() <= at)
            || claims
                .sid
                .clone()
                .is_some_and(|sid| logged_out_at(SessionOwner::ProviderSession(sid)).is_some())
    }
}

//! What this process remembers about sessions between requests.

use std::{
    sync::{Mutex, OnceLock},
    time::Duration,
};

use logto_core::{
    Session, TokenTarget, UnixTime,
    refresh::{Moment, RetryBudget, SessionEnd, TokenStatus},
    session::SessionId,
};

use super::{EndingKey, RefreshKey, Refreshed};
use crate::{
    cooldown::SharedCooldown,
    error::Error,
    keyed_mutex::KeyedMutex,
    ledger::{Ended, Fingerprint, Ledger, LedgerLimits},
    single_flight::SingleFlight,
    storage::{DEFAULT_MAX_LIFETIME, Handle, Lease, Logout},
    ttl_map::TtlMap,
};

/// How many ended sessions are remembered.
const MAX_ENDED: usize = 100_000;
/// Of how many refresh tokens it is remembered whether they are the newest.
const MAX_TOKEN_STATUSES: usize = 100_000;
/// How many leases are kept. One that is forgotten runs out.
const MAX_KEPT_LEASES: usize = 10_000;
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
    pub(super) retries: Mutex<RetryBudget>,
    /// What is known about refresh tokens that other processes may spend.
    pub(super) statuses: TtlMap<Fingerprint, TokenStatus>,
    /// What the provider refused lately.
    pub(super) refusals: TtlMap<(SessionId, Option<TokenTarget>), logto_core::Error>,
    /// Leases of the storage that were left to run out, because it does not have the newest refresh token.
    /// They are this process's for as long as they last.
    pub(super) kept_leases: TtlMap<SessionId, (Handle, Lease)>,
    /// Sessions that ended here: no refresh in flight restores one, and this process refuses every copy of
    /// its cookie.
    ended: TtlMap<SessionId, End>,
    /// Handles that were signed out while the storage did not say which session they find.
    ended_handles: TtlMap<Handle, ()>,
    /// The owners whose sessions the provider has ended, and when by its clock: a session that began until
    /// then has ended, wherever it is stored.
    logged_out: TtlMap<Ended, Option<UnixTime>>,
    /// How long ends are remembered: as long as a cookie may live.
    ends_kept: OnceLock<Duration>,
    /// About which sessions other processes were asked just now.
    asked: TtlMap<SessionId, ()>,
    /// Handles that just now were found to be over, and why.
    over: TtlMap<Handle, SessionEnd>,
}

/// How a session ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is refused from now on. A refresh in flight completes, and the ending of the session takes its
    /// result.
    AfterRefresh,
    /// No caller waits for a refresh in flight. It must discard its result.
    Overtaking,
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
            retries: Mutex::default(),
            statuses: TtlMap::new(MAX_TOKEN_STATUSES),
            refusals: TtlMap::new(MAX_REFUSALS),
            kept_leases: TtlMap::new(MAX_KEPT_LEASES),
            ended: TtlMap::new(MAX_ENDED),
            ended_handles: TtlMap::new(MAX_ENDED),
            logged_out: TtlMap::new(MAX_ENDED),
            ends_kept: OnceLock::new(),
            asked: TtlMap::new(MAX_ASKED),
            over: TtlMap::new(MAX_ASKED),
        }
    }

    /// Since when this process remembers: since `now`, if it has just begun.
    pub(super) fn started(&self, now: Moment) -> Moment {
        *self.started.get_or_init(|| now)
    }

    /// Whether a session, or the handle that found it, has ended, as far as this process knows. A handle
    /// ends without its session when it was signed out while the storage could not be read.
    pub(crate) fn has_ended(&self, handle: &Handle, session: &Session, now: UnixTime) -> bool {
        self.ended_handles
            .get(&handle.without_parts(), now)
            .is_some()
            || self.session_has_ended(session, now)
    }

    /// Whether a session has ended, as far as this process knows.
    pub(crate) fn session_has_ended(&self, session: &Session, now: UnixTime) -> bool {
        self.ended.get(session.id(), now).is_some() || self.is_logged_out(session, now)
    }

    /// Whether a session has ended in such a way that a refresh in flight must discard its result. A storage
    /// in cookies would not notice.
    pub(super) fn overtakes(&self, session: &Session, now: UnixTime) -> bool {
        self.ended.get(session.id(), now) == Some(End::Overtaking)
            || self.is_logged_out(session, now)
    }

    fn is_logged_out(&self, session: &Session, now: UnixTime) -> bool {
        Ended::of(session).iter().any(|ended| {
            let at = self.logged_out.get(ended, now).flatten();
            at.is_some_and(|at| ended.includes(session, at))
        })
    }

    /// Remembers ends for this long.
    pub(super) fn remember_ends_for(&self, duration: Duration) {
        // The first client of an application decides, as all have the same storage.
        let _ = self.ends_kept.set(duration);
    }

    fn end_of_memory(&self, now: UnixTime) -> UnixTime {
        let kept = self.ends_kept.get().copied();
        now.plus(kept.unwrap_or(DEFAULT_MAX_LIFETIME))
    }

    /// Whether it is time to ask other processes about a session, and notes that this is done.
    pub(super) fn asks_about(&self, session: &SessionId, until: UnixTime, now: UnixTime) -> bool {
        self.asked.get(session, now).is_none() && self.asked.insert(session.clone(), (), until, now)
    }

    pub(super) fn note_over(
        &self,
        handle: &Handle,
        end: SessionEnd,
        until: UnixTime,
        now: UnixTime,
    ) {
        self.over.insert(handle.without_parts(), end, until, now);
    }

    pub(super) fn end_of(&self, handle: &Handle, now: UnixTime) -> Option<SessionEnd> {
        self.over.get(&handle.without_parts(), now)
    }

    /// Refuses a session from now on, and says whether that is news.
    pub(super) fn mark_ended(&self, session: &SessionId, now: UnixTime) -> bool {
        self.ended.insert(
            session.clone(),
            End::AfterRefresh,
            self.end_of_memory(now),
            now,
        )
    }

    /// Stops waiting for a refresh of a session that has ended.
    pub(super) fn overtake(&self, session: &SessionId, now: UnixTime) {
        let until = self.end_of_memory(now);
        self.ended
            .insert(session.clone(), End::Overtaking, until, now);
    }

    /// Refuses a handle from now on, and says whether that is news.
    pub(super) fn mark_handle_ended(&self, handle: &Handle, now: UnixTime) -> bool {
        self.ended_handles
            .insert(handle.without_parts(), (), self.end_of_memory(now), now)
    }

    /// Refuses all sessions that `logout` ends. Of two for one user the later stands, whichever comes first.
    pub(super) fn log_out(&self, logout: &Logout, now: UnixTime) {
        let until = self.end_of_memory(now);
        for ended in Ended::by(logout) {
            self.logged_out.update(ended, until, now, |at| {
                *at = (*at).max(Some(logout.at));
            });
        }
    }
}

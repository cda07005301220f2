//! What this process remembers about sessions between requests.

use std::{
    sync::{Mutex, OnceLock},
    time::Duration,
};

use logto_core::{
    Session, TokenTarget, UnixTime,
    refresh::{Moment, RetryBudget, TokenStatus},
    session::SessionId,
};

use super::{EndingKey, RefreshKey, Refreshed};
use crate::{
    cooldown::SharedCooldown,
    error::Error,
    keyed_mutex::KeyedMutex,
    ledger::{Fingerprint, Ledger, LedgerLimits},
    single_flight::SingleFlight,
    storage::{Handle, Lease, Logout},
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
/// How long a session that ended is refused by name. Its cookie may have been copied; an application that
/// needs more than that keeps sessions in a store on the server.
const ENDED_FOR: Duration = Duration::from_secs(24 * 3600);

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
    pub(super) cooldown: SharedCooldown,
    pub(super) retries: Mutex<RetryBudget>,
    /// What is known about refresh tokens that other processes may spend.
    pub(super) statuses: TtlMap<Fingerprint, TokenStatus>,
    /// What the provider refused lately.
    pub(super) refusals: TtlMap<(SessionId, Option<TokenTarget>), logto_core::Error>,
    /// Leases of the storage that were left to run out, because it does not have the newest refresh token.
    /// They are this process's for as long as they last.
    pub(super) kept_leases: TtlMap<SessionId, (Handle, Lease)>,
    /// Sessions that ended here: no refresh under way brings one back, and no copy of its cookie is worth
    /// anything in this process.
    ended: TtlMap<SessionId, Ended>,
    /// Handles that were signed out while the storage did not say which session they find.
    ended_handles: TtlMap<Handle, ()>,
    /// Whose sessions the provider has ended, and when by its clock: a session that began until then is over,
    /// wherever it is kept.
    logged_out: TtlMap<LoggedOut, Option<UnixTime>>,
}

/// Whose sessions a logout has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LoggedOut {
    /// Those of this session at the provider, which is over for good.
    ProviderSession(String),
    /// All of this user.
    User(String),
    /// Those of this user that do not say to which session at the provider they belong.
    UserWithoutProviderSession(String),
}

/// How a session ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It is refused from now on. A refresh under way brings its end, and whoever ended the session takes
    /// what it brought.
    AfterRefresh,
    /// Nobody waits for a refresh under way any more. It has to give up what it brings.
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
            retries: Mutex::default(),
            statuses: TtlMap::new(MAX_TOKEN_STATUSES),
            refusals: TtlMap::new(MAX_REFUSALS),
            kept_leases: TtlMap::new(MAX_KEPT_LEASES),
            ended: TtlMap::new(MAX_ENDED),
            ended_handles: TtlMap::new(MAX_ENDED),
            logged_out: TtlMap::new(MAX_ENDED),
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

    /// Whether a session has ended so that a refresh which was under way has to give up what it brought.
    /// A storage in cookies would not notice.
    pub(super) fn overtakes(&self, session: &Session, now: UnixTime) -> bool {
        self.ended.get(session.id(), now) == Some(Ended::Overtaking)
            || self.is_logged_out(session, now)
    }

    fn is_logged_out(&self, session: &Session, now: UnixTime) -> bool {
        let claims = session.claims();
        let logged_out_at = |whose| self.logged_out.get(&whose, now).flatten();
        let of_provider_session = match claims.sid.clone() {
            Some(sid) => LoggedOut::ProviderSession(sid),
            None => LoggedOut::UserWithoutProviderSession(claims.sub.clone()),
        };
        let has_sid = claims.sid.is_some();
        logged_out_at(LoggedOut::User(claims.sub.clone()))
            .is_some_and(|at| session.began_at() <= at)
            || logged_out_at(of_provider_session)
                .is_some_and(|at| has_sid || session.began_at() <= at)
    }

    /// Refuses a session from now on, and says whether that is news.
    pub(super) fn mark_ended(&self, session: &SessionId, now: UnixTime) -> bool {
        self.ended.insert(
            session.clone(),
            Ended::AfterRefresh,
            now.plus(ENDED_FOR),
            now,
        )
    }

    /// Stops waiting for a refresh of a session that has ended.
    pub(super) fn overtake(&self, session: &SessionId, now: UnixTime) {
        let until = now.plus(ENDED_FOR);
        self.ended
            .insert(session.clone(), Ended::Overtaking, until, now);
    }

    /// Refuses a handle from now on, and says whether that is news.
    pub(super) fn mark_handle_ended(&self, handle: &Handle, now: UnixTime) -> bool {
        self.ended_handles
            .insert(handle.without_parts(), (), now.plus(ENDED_FOR), now)
    }

    /// Refuses all sessions that `logout` ends. Of two for one user the later stands, whichever comes first.
    pub(super) fn log_out(&self, logout: &Logout, now: UnixTime) {
        let provider_session = logout.sid.clone().map(LoggedOut::ProviderSession);
        let user = logout.sub.clone().map(match logout.sid {
            Some(_) => LoggedOut::UserWithoutProviderSession,
            None => LoggedOut::User,
        });
        let until = now.plus(ENDED_FOR);
        for whose in provider_session.into_iter().chain(user) {
            self.logged_out.update(whose, until, now, |at| {
                *at = (*at).max(Some(logout.at));
            });
        }
    }
}

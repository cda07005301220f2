//! Which sessions have ended, as far as this process remembers, and how far back it may have forgotten.

use std::{
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use logto_core::{Session, UnixTime, refresh::Horizon, session::SessionId};

use crate::{
    single_flight::lock,
    storage::{DEFAULT_MAX_LIFETIME, Ended, Handle, Logout},
    ttl_map::TtlMap,
};

/// How many sessions are remembered as active although an end of theirs may have been forgotten.
const MAX_CONFIRMED: usize = 100_000;

/// The ends that this process knows of.
///
/// Each end is a mark. Marks are numbered in the order in which they are made, so that a response of the
/// provider is known to be newer than a mark, whatever the clocks show.
#[derive(Debug)]
pub(crate) struct Ends {
    /// Sessions that ended here: no refresh in flight restores one, and this process refuses every copy of
    /// its cookie.
    sessions: TtlMap<SessionId, (End, Mark)>,
    /// Handles that were signed out while the storage could not be read.
    handles: TtlMap<Handle, Mark>,
    /// The owners whose sessions the provider has ended: a session that began until then has ended, wherever
    /// it is stored.
    owners: TtlMap<Ended, Option<Mark>>,
    /// How long ends are remembered: as long as a cookie may live.
    kept: OnceLock<Duration>,
    last_mark: AtomicU64,
    horizon: Mutex<Horizon>,
    /// Sessions that may be opened although the horizon reaches them, and the last mark before the question
    /// that was answered so.
    confirmed: TtlMap<SessionId, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    number: u64,
    /// No session that it ends began later. By the provider's clock, except for handles.
    at: UnixTime,
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

impl Ends {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            sessions: TtlMap::new(capacity),
            handles: TtlMap::new(capacity),
            owners: TtlMap::new(capacity),
            kept: OnceLock::new(),
            last_mark: AtomicU64::new(0),
            horizon: Mutex::default(),
            confirmed: TtlMap::new(MAX_CONFIRMED),
        }
    }

    /// Remembers ends for this long.
    pub(in crate::refresh) fn remember_for(&self, duration: Duration) {
        // The first client of an application decides, as all have the same storage.
        let _ = self.kept.set(duration);
    }

    /// Whether a session, or the handle that found it, has ended, as far as this process knows. A handle
    /// ends without its session when it was signed out while the storage could not be read.
    pub(crate) fn include(&self, handle: &Handle, session: &Session, now: UnixTime) -> bool {
        self.refuse(handle, now) || self.include_session(session, now)
    }

    fn refuse(&self, handle: &Handle, now: UnixTime) -> bool {
        !self.handles.is_empty() && self.handles.get(&handle.without_parts(), now).is_some()
    }

    /// Whether a session has ended, as far as this process knows.
    pub(crate) fn include_session(&self, session: &Session, now: UnixTime) -> bool {
        self.sessions.get(session.id(), now).is_some() || self.is_logged_out(session, now)
    }

    /// Whether a session has ended in such a way that a refresh in flight must discard its result. A storage
    /// in cookies would not notice.
    pub(in crate::refresh) fn overtake_refresh_of(&self, session: &Session, now: UnixTime) -> bool {
        let mark = self.sessions.get(session.id(), now);
        mark.is_some_and(|(end, _)| end == End::Overtaking) || self.is_logged_out(session, now)
    }

    fn is_logged_out(&self, session: &Session, now: UnixTime) -> bool {
        if self.owners.is_empty() {
            return false;
        }
        Ended::of(session).iter().any(|ended| {
            let mark = self.owners.get(ended, now).flatten();
            mark.is_some_and(|mark| ended.includes(session, mark.at))
        })
    }

    /// Refuses a session from now on, and returns whether that is new.
    pub(in crate::refresh) fn mark(&self, session: &Session, now: UnixTime) -> bool {
        self.mark_session(session, End::AfterRefresh, now)
    }

    /// Remembers that a session has reached its longest lifetime, and returns whether that is new. No storage
    /// opens it any more, so forgetting this mark makes no session doubtful.
    pub(in crate::refresh) fn mark_too_old(&self, session: &SessionId, now: UnixTime) -> bool {
        let mark = self.next_mark(UnixTime::from_secs(i64::MIN));
        self.insert(session, End::AfterRefresh, mark, now)
    }

    /// Stops waiting for a refresh of a session that has ended.
    pub(in crate::refresh) fn overtake(&self, session: &Session, now: UnixTime) {
        self.mark_session(session, End::Overtaking, now);
    }

    fn mark_session(&self, session: &Session, end: End, now: UnixTime) -> bool {
        let mark = self.next_mark(session.began_at());
        self.insert(session.id(), end, mark, now)
    }

    fn insert(&self, session: &SessionId, end: End, mark: Mark, now: UnixTime) -> bool {
        let (id, until) = (session.clone(), self.end_of_memory(now));
        self.sessions
            .insert_evicting(id, (end, mark), until, now, |(_, mark)| self.forgot(mark))
    }

    /// Refuses a handle from now on, and returns whether that is new.
    pub(in crate::refresh) fn mark_handle(&self, handle: &Handle, now: UnixTime) -> bool {
        let (handle, mark) = (handle.without_parts(), self.next_mark(now));
        let until = self.end_of_memory(now);
        self.handles
            .insert_evicting(handle, mark, until, now, |mark| self.forgot(mark))
    }

    /// Refuses all sessions that `logout` ends. Of two logouts of one user, the later one counts, in whatever
    /// order they arrive.
    pub(in crate::refresh) fn mark_owners(&self, logout: &Logout, now: UnixTime) {
        let until = self.end_of_memory(now);
        for ended in Ended::by(logout) {
            let mut mark = self.next_mark(logout.at);
            let change = |known: &mut Option<Mark>| {
                mark.at = known.map_or(mark.at, |known| known.at.max(mark.at));
                *known = Some(mark);
            };
            let evicted = |mark: Option<Mark>| mark.into_iter().for_each(|mark| self.forgot(mark));
            self.owners
                .update_evicting(ended, until, now, change, evicted);
        }
    }

    fn next_mark(&self, at: UnixTime) -> Mark {
        let number = self.last_mark.fetch_add(1, Ordering::Relaxed) + 1;
        Mark { number, at }
    }

    fn end_of_memory(&self, now: UnixTime) -> UnixTime {
        let kept = self.kept.get().copied();
        now.plus(kept.unwrap_or(DEFAULT_MAX_LIFETIME))
    }

    fn forgot(&self, mark: Mark) {
        lock(&self.horizon).raise(mark.number, mark.at);
    }

    /// The last mark so far. A response to a request that is sent now takes this end into account.
    pub(in crate::refresh) fn last_mark(&self) -> u64 {
        self.last_mark.load(Ordering::Relaxed)
    }

    /// Whether an end of this session may have been forgotten, and it was not confirmed since that the session
    /// is active. `monotonic` is the time of [`confirm`](Self::confirm).
    pub(in crate::refresh) fn may_have_forgotten(
        &self,
        session: &Session,
        monotonic: UnixTime,
    ) -> bool {
        let confirmed = self.confirmed.get(session.id(), monotonic);
        lock(&self.horizon).reaches(session.began_at(), confirmed)
    }

    /// Records that a session is active, by a request after `last_mark`. That counts until `until`, by the
    /// monotonic clock.
    pub(in crate::refresh) fn confirm(
        &self,
        session: &SessionId,
        last_mark: u64,
        until: UnixTime,
        monotonic: UnixTime,
    ) {
        self.confirmed
            .insert(session.clone(), last_mark, until, monotonic);
    }
}

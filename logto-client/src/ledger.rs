//! The successor ledger: what became of refresh tokens that were spent here.
//!
//! A rotated refresh token exists in exactly one response. A request that still carries the session
//! from before that response (an old cookie, a replica that lags, a store whose write failed) would
//! replay a dead token, and three seconds later Logto answers that by ending the grant. The ledger
//! brings such a session up to date instead: from the spent token to what replaced it, and to the
//! access tokens that were fetched with it.

mod shared;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use logto_core::{Secret, Session, TokenTarget, UnixTime, session::SessionDelta};
use sha2::{Digest, Sha256};

pub(crate) use self::shared::SharedLedger;
use crate::single_flight::lock;

/// How many spent refresh tokens are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLimits {
    /// Entries; each takes a few kilobytes. The oldest go first. Default 10,000.
    pub capacity: usize,
    /// How long an entry is kept after it last changed. Default one day.
    pub lifetime: Duration,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// What a refresh token is known by: its hash.
pub(crate) type Fingerprint = [u8; 32];

#[derive(Debug)]
pub(crate) struct Ledger {
    limits: LedgerLimits,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_token: HashMap<Fingerprint, Entry>,
    /// Every change of an entry, oldest first; stale ones are skipped.
    changes: VecDeque<(UnixTime, Fingerprint)>,
}

#[derive(Debug)]
struct Entry {
    deltas: Vec<SessionDelta>,
    changed_at: UnixTime,
}

impl Ledger {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            limits,
            entries: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> LedgerLimits {
        self.limits
    }

    /// Remembers what spending `refresh_token` gave.
    pub(crate) fn record(&self, refresh_token: &Secret, delta: &SessionDelta, now: UnixTime) {
        if delta.is_empty() {
            return;
        }
        let spent = fingerprint(refresh_token);
        let mut entries = lock(&self.entries);
        let entry = entries.by_token.entry(spent).or_insert_with(|| Entry {
            deltas: Vec::new(),
            changed_at: now,
        });
        entry.changed_at = now;
        entry.absorb(delta);
        entries.changes.push_back((now, spent));
        entries.evict(self.limits, now);
    }

    /// What spending `refresh_token` gave, oldest first.
    pub(crate) fn successors(&self, refresh_token: &Secret, now: UnixTime) -> Vec<SessionDelta> {
        let entries = lock(&self.entries);
        let entry = entries.by_token.get(&fingerprint(refresh_token));
        entry
            .filter(|entry| now.since(entry.changed_at) <= self.limits.lifetime)
            .map_or_else(Vec::new, |entry| entry.deltas.clone())
    }

    /// Brings a session up to date, through any number of rotations, and says whether that changed it.
    pub(crate) fn catch_up(&self, session: &mut Arc<Session>, now: UnixTime) -> bool {
        let mut has_news = false;
        while let Some(refresh_token) = session.refresh_token().cloned() {
            for delta in self.successors(&refresh_token, now) {
                if let Some(news) = session.news_in(&delta) {
                    Arc::make_mut(session).apply(&news);
                    has_news = true;
                }
            }
            // No token replaces itself, so this ends at the newest one.
            if session.refresh_token() == Some(&refresh_token) {
                break;
            }
        }
        has_news
    }

    /// Forgets a session's tokens: it has been signed out.
    pub(crate) fn forget(&self, refresh_token: &Secret) {
        lock(&self.entries)
            .by_token
            .remove(&fingerprint(refresh_token));
    }

    /// Forgets one access token.
    pub(crate) fn forget_token(&self, refresh_token: &Secret, target: &TokenTarget) {
        if let Some(entry) = lock(&self.entries)
            .by_token
            .get_mut(&fingerprint(refresh_token))
        {
            for delta in &mut entry.deltas {
                delta.access_token.take_if(|(held, _)| held == target);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).by_token.len()
    }
}

impl Entries {
    fn evict(&mut self, limits: LedgerLimits, now: UnixTime) {
        while let Some((changed_at, spent)) = self.changes.front().copied() {
            let full =
                self.by_token.len() > limits.capacity || self.changes.len() > 4 * limits.capacity;
            if !full && now.since(changed_at) <= limits.lifetime {
                break;
            }
            self.changes.pop_front();
            if self
                .by_token
                .get(&spent)
                .is_some_and(|entry| entry.changed_at == changed_at)
            {
                self.by_token.remove(&spent);
            }
        }
    }
}

impl Entry {
    /// Keeps one delta for each target, so that an entry does not grow with time.
    fn absorb(&mut self, delta: &SessionDelta) {
        let target = delta.access_token.as_ref().map(|(target, _)| target);
        self.deltas.retain(|old| {
            let supersedes = old.access_token.as_ref().map(|(target, _)| target) == target;
            !supersedes || (old.refresh_token.is_some() && delta.refresh_token.is_none())
        });
        self.deltas.push(delta.clone());
    }
}

/// What a refresh token is known by, wherever something is remembered about it.
pub(crate) fn fingerprint(refresh_token: &Secret) -> Fingerprint {
    Sha256::digest(refresh_token.expose()).into()
}

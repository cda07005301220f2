//! The successor ledger: the tokens that replaced the refresh tokens spent by this process.
//!
//! A replaced refresh token exists in exactly one response. A request that still carries the session from
//! before that response (an old cookie, a replica that lags, a store whose write failed) would replay a spent
//! token, and Logto reacts by ending the grant. The ledger updates such a session instead: from the spent token
//! to its successor, and to the access tokens that were fetched with it.

mod ends;
mod shared;

use std::{sync::Arc, time::Duration};

use logto_core::{
    Secret, Session, TokenTarget, UnixTime, refresh::catch_up, session::SessionDelta,
};
use sha2::{Digest, Sha256};

pub(crate) use self::shared::SharedLedger;
use crate::ttl_map::TtlMap;

const DEFAULT_CAPACITY: usize = 10_000;
const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_MAX_ENDS: usize = 100_000;

/// How many spent refresh tokens and ends of sessions are remembered, and for how long. Any values work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLimits {
    /// The most entries in memory; each takes a few kilobytes. The oldest ones are dropped first. Default:
    /// 10,000.
    pub capacity: usize,
    /// How long an entry is kept after its last change. Default: one day.
    pub lifetime: Duration,
    /// The most ends of sessions in memory: one for each session that was signed out here, and one for each
    /// user or session at Logto that a back-channel logout or a webhook reported. Each takes some 200 bytes,
    /// for as long as a cookie can live. Default: 100,000.
    ///
    /// Beyond that, the oldest are forgotten. Sessions in cookies that began before a forgotten end may have
    /// ended, so each process introspects the refresh token of each of them once, before it opens the session;
    /// see [`Event::SessionNotConfirmed`](crate::event::Event::SessionNotConfirmed).
    pub max_ends: usize,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            capacity: DEFAULT_CAPACITY,
            lifetime: DEFAULT_LIFETIME,
            max_ends: DEFAULT_MAX_ENDS,
        }
    }
}

/// The hash of a refresh token, which identifies it.
pub(crate) type Fingerprint = [u8; 32];

/// The ledger of one process.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: LedgerLimits,
    /// The results of spending a refresh token, oldest first.
    deltas: TtlMap<Fingerprint, Vec<SessionDelta>>,
}

impl Ledger {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            limits,
            deltas: TtlMap::new(limits.capacity),
        }
    }

    pub(crate) fn limits(&self) -> LedgerLimits {
        self.limits
    }

    /// Records the result of spending `refresh_token`.
    pub(crate) fn record(&self, refresh_token: &Secret, delta: &SessionDelta, now: UnixTime) {
        if delta.is_empty() {
            return;
        }
        let until = now.plus(self.limits.lifetime);
        self.deltas
            .update(fingerprint(refresh_token), until, now, |deltas| {
                absorb(deltas, delta);
            });
    }

    /// The results of spending `refresh_token`, oldest first.
    pub(crate) fn successors(&self, refresh_token: &Secret, now: UnixTime) -> Vec<SessionDelta> {
        let deltas = self.deltas.get(&fingerprint(refresh_token), now);
        deltas.unwrap_or_default()
    }

    /// Updates a session, through any number of rotations, and returns whether it changed.
    pub(crate) fn catch_up(&self, session: &mut Arc<Session>, now: UnixTime) -> bool {
        let mut has_news = false;
        while let Some(refresh_token) = session.refresh_token().filter(|_| !self.is_empty()) {
            let deltas = self.successors(refresh_token, now);
            let caught_up = catch_up(session, &deltas);
            has_news |= caught_up.has_news;
            if !caught_up.is_rotated {
                break;
            }
        }
        has_news
    }

    /// Forgets the results of spending `refresh_token`.
    pub(crate) fn forget(&self, refresh_token: &Secret) {
        self.deltas.remove(&fingerprint(refresh_token));
    }

    /// Forgets one access token.
    pub(crate) fn forget_token(&self, refresh_token: &Secret, target: &TokenTarget) {
        self.deltas.change(&fingerprint(refresh_token), |deltas| {
            for delta in deltas {
                delta.access_token.take_if(|(held, _)| held == target);
            }
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.deltas.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Adds a delta and drops those that it replaces. One for each target stays, so that an entry does not grow
/// with time, and the one that contains the successor.
fn absorb(deltas: &mut Vec<SessionDelta>, delta: &SessionDelta) {
    let target = delta.access_token.as_ref().map(|(target, _)| target);
    deltas.retain(|old| {
        let is_replaced = old.access_token.as_ref().map(|(target, _)| target) == target;
        !is_replaced || (old.refresh_token.is_some() && delta.refresh_token.is_none())
    });
    deltas.push(delta.clone());
}

/// The fingerprint by which everything about a refresh token is remembered.
pub(crate) fn fingerprint(refresh_token: &Secret) -> Fingerprint {
    Sha256::digest(refresh_token.expose()).into()
}

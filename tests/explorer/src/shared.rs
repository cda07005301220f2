//! What processes share: a store of sessions, a ledger, and the lease of the session in either.

use std::{collections::BTreeMap, sync::Arc};

use logto_core::{Session, refresh::LEASE_TTL, session::SessionDelta};

use crate::call::{Held, Reply};

/// A lease with an end. One that ran out stays as a mark until somebody takes it over.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Lease {
    held: Option<(u32, u64)>,
    /// Who had it when it was forgotten, which nobody can know. It is for the verdict.
    pub(crate) forgotten: Option<u32>,
}

impl Lease {
    pub(crate) fn is_free(&self, now: u64) -> bool {
        self.held.is_none_or(|(_, until)| until <= now)
    }

    /// Whether somebody has it who is not known by this number.
    pub(crate) fn is_elsewhere(&self, number: u32, now: u64) -> bool {
        self.held
            .is_some_and(|(held, until)| held != number && until > now)
    }

    pub(crate) fn is_held_by(&self, number: u32, now: u64) -> bool {
        self.held
            .is_some_and(|(held, until)| held == number && until > now)
    }

    /// Takes the lease, under a number that nobody else has.
    pub(crate) fn take(&mut self, number: u32, now: u64) -> Reply {
        if !self.is_free(now) {
            return Reply::Busy;
        }
        let was_taken_over = self.held.is_some();
        self.held = Some((number, now + ttl()));
        Reply::Leased(Held {
            number,
            was_taken_over,
            has_another: false,
        })
    }

    pub(crate) fn renew(&mut self, number: u32, now: u64) -> bool {
        match &mut self.held {
            Some((held, until)) if *held == number && *until > now => {
                *until = now + ttl();
                true
            }
            _ => false,
        }
    }

    pub(crate) fn release(&mut self, number: u32) {
        self.held.take_if(|(held, _)| *held == number);
    }

    pub(crate) fn forget(&mut self) {
        self.forgotten = self.held.take().map(|(number, _)| number);
    }
}

fn ttl() -> u64 {
    u64::try_from(LEASE_TTL.as_millis()).unwrap()
}

/// A session and its version.
pub(crate) type Record = (Arc<Session>, u32);

/// The record of the session, compared and swapped by version.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Store {
    pub(crate) record: Option<Record>,
    /// The record before the last write: what a copy of the store has that is behind.
    pub(crate) before: Option<Record>,
    pub(crate) lease: Lease,
    pub(crate) is_down: bool,
}

impl Store {
    pub(crate) fn load(&self) -> Reply {
        match &self.record {
            Some((session, version)) => Reply::Loaded(Arc::clone(session), *version),
            None => Reply::Gone,
        }
    }

    pub(crate) fn replace(&mut self, expected: Option<u32>, session: &Arc<Session>) -> Reply {
        match &mut self.record {
            None => Reply::Gone,
            Some((stored, version)) if Some(*version) == expected => {
                self.before = Some((Arc::clone(stored), *version));
                *version += 1;
                *stored = Arc::clone(session);
                Reply::Stored(*version)
            }
            Some((stored, version)) => Reply::Conflict(Arc::clone(stored), *version),
        }
    }

    pub(crate) fn remove(&mut self) {
        self.before = self.record.take();
        self.lease = Lease::default();
    }
}

/// The ledger of several processes: the last one to write an entry wins.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct SharedLedger {
    successors: BTreeMap<u8, SessionDelta>,
    fetched: BTreeMap<String, SessionDelta>,
    /// Whether somebody told that the session has ended.
    pub(crate) has_ended: bool,
    pub(crate) lease: Lease,
    pub(crate) is_down: bool,
}

impl SharedLedger {
    pub(crate) fn record(&mut self, spent: u8, delta: &SessionDelta) {
        if delta.refresh_token.is_some() {
            let mut rotation = delta.clone();
            rotation.access_token = None;
            self.successors.insert(spent, rotation);
        }
        if let Some((target, _)) = &delta.access_token {
            let mut fetched = delta.clone();
            fetched.refresh_token = None;
            self.fetched.insert(target.to_string(), fetched);
        }
    }

    /// What replaced a refresh token, and what was fetched for a target that is missing.
    pub(crate) fn recall(&self, token: u8, missing: Option<&str>) -> Vec<SessionDelta> {
        let fetched = missing.and_then(|target| self.fetched.get(target));
        let known = [self.successors.get(&token), fetched];
        known.into_iter().flatten().cloned().collect()
    }

    pub(crate) fn successors(&self) -> impl Iterator<Item = &SessionDelta> {
        self.successors.values()
    }
}

//! The states of a refresh, as `logto_core::refresh` documents them and as they are.

use std::{collections::BTreeSet, sync::Arc};

use logto_core::{
    error::TokenError,
    refresh::{
        Demand, Event, Knowledge, LeaseGrant, Moment, Persist, Refresh, RefreshJob, SessionJob,
        TokenStatus, Wanted,
    },
    session::SessionDelta,
};

use crate::{
    explore::findings,
    fixtures::{
        CONFIG, METADATA, Refusal, access_token, error, judged, monotonic, new_session,
        refresh_token, refreshed, target, wall,
    },
    process::Failure,
    setup::Edge,
};

/// The edges in the table of the documentation: a state, what it waits for, and what follows it.
fn documented() -> BTreeSet<Edge> {
    let source = include_str!("../../../logto-core/src/refresh.rs");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.filter_map(|row| {
        let (from, rest) = row.split_once("` | ")?;
        let (_, to) = rest.split_once(" | ")?;
        Some((from, to))
    });
    let edges = rows.flat_map(|(from, to)| {
        let states = to.split('`').skip(1).step_by(2);
        states.map(move |to| (from, to))
    });
    edges.collect()
}

/// The ways that take more than one fault, each walked once.
fn walked() -> BTreeSet<Edge> {
    let lost_key = || Event::Judged(judged(true));
    let failed = || Event::Failed(Failure::Network);
    let bad = || Event::Judged(Err(TokenError::BadSignature));
    [
        // Another process has replaced the token that was refused.
        Walk::to_sending(STORE)
            .then(refused())
            .then(loaded(1))
            .then(recalled()),
        Walk::to_sending(NOBODY)
            .then(refused())
            .then(loaded(1))
            .then(recalled()),
        // So it has, and even that one was replaced long ago.
        Walk::to_sending(STORE)
            .then(refused())
            .then(loaded(1))
            .then(known_as_replaced()),
        // Another writer was faster, its session has no token, and the lease cannot be taken once more.
        Walk::new(STORE, Persist::Storage)
            .then(recalled())
            .then(Event::Leased(STORE))
            .then(loaded(0))
            .then(fetched_elsewhere())
            .then(Event::Conflict(Arc::new(new_session())))
            .then(recalled())
            .then(failed()),
        // The lease runs out while the provider is asked.
        Walk::to_asking().later(7_000).then(Event::Active),
        // The browser has no newer cookie, or nobody has a newer record.
        Walk::new(STORE, Persist::Storage)
            .then(recalled())
            .then(Event::Leased(STORE))
            .then(loaded(0))
            .then(known_as_replaced())
            .then(prepared()),
        // The refresh token stays the same, so there is nothing to keep when the ID token cannot be judged.
        Walk::to_sending(STORE).then(answered(0)).then(bad()),
        Walk::to_sending(STORE)
            .then(answered(0))
            .then(lost_key())
            .then(failed()),
        // The new one is kept, and the keys cannot be fetched.
        Walk::to_sending(STORE)
            .then(answered(1))
            .then(lost_key())
            .then(recorded())
            .then(Event::Stored)
            .then(failed()),
        Walk::ledger_only()
            .then(answered(1))
            .then(lost_key())
            .then(recorded()),
        // The ledger of this process knows a refresh token that the storage does not, so the lease is kept.
        Walk::ahead().then(failed()),
        Walk::ahead().then(prepared()).then(refused_for_now()),
        Walk::ahead().then(prepared()).then(answered(1)).then(bad()),
        Walk::ahead()
            .then(prepared())
            .then(answered(1))
            .then(lost_key())
            .then(failed()),
    ]
    .into_iter()
    .flat_map(|walk| walk.edges)
    .collect()
}

#[test]
fn the_documented_states_and_edges_are_those_of_the_machine() {
    let mut found = walked();
    found.extend(&findings().edges);
    let documented = documented();
    let missing: Vec<_> = found.difference(&documented).collect();
    let unreached: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty(), "not in the documentation: {missing:?}");
    assert!(unreached.is_empty(), "never reached: {unreached:?}");
}

const STORE: LeaseGrant = LeaseGrant {
    is_shared: true,
    is_exclusive: false,
    was_taken_over: false,
};
const NOBODY: LeaseGrant = LeaseGrant {
    is_shared: false,
    is_exclusive: false,
    was_taken_over: false,
};

/// One refresh, step by step.
struct Walk {
    refresh: Refresh<Failure>,
    now: u64,
    edges: Vec<Edge>,
}

impl Walk {
    fn new(grant: LeaseGrant, persist: Persist) -> Self {
        let job = RefreshJob {
            config: CONFIG.clone(),
            wanted: Wanted {
                target: target(1),
                demand: Demand::Usable,
                persist,
            },
            is_exclusive: grant.is_shared,
        };
        let session = Arc::new(new_session());
        Self {
            refresh: Refresh::new(job, session, false, moment(0)),
            now: 0,
            edges: Vec::new(),
        }
    }

    fn to_preparing(grant: LeaseGrant, persist: Persist) -> Self {
        let walk = Self::new(grant, persist).then(recalled());
        walk.then(Event::Leased(grant))
            .then(loaded(0))
            .then(recalled())
    }

    fn to_sending(grant: LeaseGrant) -> Self {
        let walk = Self::to_preparing(grant, Persist::Storage).then(prepared());
        // Where others may have replaced the token, the provider is asked first.
        walk.then(Event::Active)
    }

    fn to_asking() -> Self {
        let grant = LeaseGrant {
            was_taken_over: true,
            ..STORE
        };
        Self::to_preparing(grant, Persist::Storage).then(prepared())
    }

    fn ledger_only() -> Self {
        Self::to_preparing(STORE, Persist::LedgerOnly).then(prepared())
    }

    /// Number 1 has replaced number 0, and the storage does not know.
    fn ahead() -> Self {
        let walk = Self::new(STORE, Persist::Storage).then(recalled());
        let walk = walk.then(Event::Leased(STORE)).then(loaded(0));
        let mut rotation = SessionDelta::default();
        rotation.refresh_token = Some(refresh_token(1));
        let known = Knowledge {
            deltas: vec![rotation],
            ..Knowledge::default()
        };
        walk.then(Event::Recalled(known)).then(recalled())
    }

    fn later(mut self, millis: u64) -> Self {
        self.now += millis;
        self
    }

    fn then(mut self, event: Event<Failure>) -> Self {
        let before = self.refresh.state();
        self.refresh.handle(event, moment(self.now));
        let after = self.refresh.state();
        if before != after {
            self.edges.push((before, after));
        }
        self
    }
}

fn moment(now: u64) -> Moment {
    Moment {
        wall: wall(now, 0),
        monotonic: monotonic(now),
    }
}

fn recalled() -> Event<Failure> {
    Event::Recalled(Knowledge::default())
}

fn known_as_replaced() -> Event<Failure> {
    let long_ago = monotonic(0).saturating_sub(logto_core::refresh::SUPERSEDED_FOR);
    Event::Recalled(Knowledge {
        status: Some(TokenStatus::Replaced { since: long_ago }),
        ..Knowledge::default()
    })
}

fn fetched_elsewhere() -> Event<Failure> {
    let mut fetched = SessionDelta::default();
    fetched.access_token = Some((target(1), access_token(1, wall(0, 0))));
    Event::Recalled(Knowledge {
        deltas: vec![fetched],
        ..Knowledge::default()
    })
}

fn loaded(token: u8) -> Event<Failure> {
    let mut session = new_session();
    let mut delta = SessionDelta::default();
    delta.refresh_token = Some(refresh_token(token));
    session.apply(&delta);
    Event::Loaded(Arc::new(session))
}

fn prepared() -> Event<Failure> {
    Event::Prepared(Arc::clone(&METADATA))
}

fn recorded() -> Event<Failure> {
    Event::Recorded {
        has_ended: false,
        is_shared: true,
    }
}

/// An answer with this refresh token and an ID token.
fn answered(token: u8) -> Event<Failure> {
    Event::Response {
        answer: Ok(refreshed(token, 1, wall(0, 0), true)),
        sent_at: monotonic(0),
    }
}

fn refused() -> Event<Failure> {
    Event::Response {
        answer: Err(error(Refusal::InvalidGrant)),
        sent_at: monotonic(0),
    }
}

fn refused_for_now() -> Event<Failure> {
    Event::Response {
        answer: Err(error(Refusal::TooManyRequests)),
        sent_at: monotonic(0),
    }
}

//! The states of the machines, as `logto_core::refresh` documents them, as `docs/architecture.md` draws them, and
//! as they are.

use std::{collections::BTreeSet, sync::Arc};

use logto_core::{
    refresh::{
        Demand, Event, Knowledge, LeaseGrant, Moment, Persist, Refresh, RefreshJob, SUPERSEDED_FOR,
        SessionJob, TokenStatus, Wanted,
    },
    session::SessionDelta,
};

use crate::{
    explore::findings,
    fixtures::{
        CONFIG, METADATA, Refusal, error, monotonic, new_session, refresh_token, target, wall,
    },
    process::Failure,
    setup::Edge,
};

const REFRESH: &str = "Refresh";

/// The edges in the tables of the documentation: the machine, a state, what it waits for, and what follows it.
/// The table of the refresh does not name it.
fn documented() -> BTreeSet<Edge> {
    let source = include_str!("../../../logto-core/src/refresh.rs");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.filter_map(|row| {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let name = |cell: &'static str| cell.trim_matches('`');
        match cells[..] {
            [from, _, to] => Some((REFRESH, name(from), to)),
            [machine, from, _, to] => Some((name(machine), name(from), to)),
            _ => None,
        }
    });
    let edges = rows.flat_map(|(machine, from, to)| {
        let states = to.split('`').skip(1).step_by(2);
        states.map(move |to| (machine, from, to))
    });
    edges.collect()
}

/// The edges in the pictures of the refresh. `[*]` is where one begins, or its end.
fn pictured() -> BTreeSet<Edge> {
    let page = include_str!("../../../docs/architecture.md");
    let pictures = page.split("stateDiagram-v2").skip(1);
    let lines = pictures.filter_map(|picture| Some(picture.split_once("```")?.0.lines()));
    let arrows = lines.flatten().filter_map(|line| line.split_once(" --> "));
    let arrows = arrows.map(|(from, to)| (from.trim(), to.split(':').next().unwrap().trim()));
    let edges = arrows.filter(|(from, _)| *from != "[*]");
    edges
        .map(|(from, to)| (REFRESH, from, if to == "[*]" { "Done" } else { to }))
        .collect()
}

#[test]
fn the_documented_states_and_edges_are_those_of_the_machines() {
    let mut found = walked();
    found.extend(&findings().edges);
    let documented = documented();
    let missing: Vec<_> = found.difference(&documented).collect();
    let unreached: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty(), "not in the documentation: {missing:?}");
    assert!(unreached.is_empty(), "never reached: {unreached:?}");
}

#[test]
fn the_pictures_of_the_refresh_show_every_edge() {
    let documented = documented();
    let refresh: BTreeSet<_> = documented
        .into_iter()
        .filter(|(machine, ..)| *machine == REFRESH)
        .collect();
    let pictured = pictured();
    let missing: Vec<_> = refresh.difference(&pictured).collect();
    let wrong: Vec<_> = pictured.difference(&refresh).collect();
    assert!(missing.is_empty(), "not in the pictures: {missing:?}");
    assert!(wrong.is_empty(), "not in the table: {wrong:?}");
}

/// The only way that takes more faults than are explored: the provider refuses a refresh token, the store has a
/// newer one, and that one was replaced long ago as well.
fn walked() -> BTreeSet<Edge> {
    let job = RefreshJob {
        config: CONFIG.clone(),
        wanted: Wanted {
            target: target(1),
            demand: Demand::Usable,
            persist: Persist::Storage,
        },
        is_exclusive: true,
    };
    let lease = LeaseGrant {
        is_shared: true,
        is_exclusive: false,
        was_taken_over: false,
    };
    let mut refresh = Refresh::new(job, Arc::new(new_session()), false, beginning());
    let mut edges = BTreeSet::new();
    for event in [
        recalled(None),
        Event::Leased(lease),
        loaded(0),
        recalled(None),
        Event::Prepared(Arc::clone(&METADATA)),
        Event::Response {
            answer: Err(error(Refusal::InvalidGrant)),
            sent_at: monotonic(0),
        },
        loaded(1),
        recalled(Some(TokenStatus::Replaced {
            since: monotonic(0).saturating_sub(SUPERSEDED_FOR),
        })),
    ] {
        let before = refresh.state();
        refresh.handle(event, beginning());
        edges.insert((REFRESH, before, refresh.state()));
    }
    edges
}

fn beginning() -> Moment {
    Moment {
        wall: wall(0, 0),
        monotonic: monotonic(0),
    }
}

fn recalled(status: Option<TokenStatus>) -> Event<Failure> {
    Event::Recalled(Knowledge {
        status,
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

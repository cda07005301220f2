//! The exploration: a short one with every test run, a long one at night.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{LazyLock, Mutex},
    thread,
    time::Instant,
};

use crate::{
    losses::{Loss, ROWS, titles_in_documentation},
    outlook::Outlook,
    search::explore,
    setup::{Edge, Setup},
    setups::{defective, long, short},
    step::State,
    world::World,
};

/// Set to `long` for the exploration that takes a while.
const VARIABLE: &str = "LOGTO_EXPLORATION";

/// What an exploration shows.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The rows of the table that losses belong to.
    rows: BTreeSet<&'static str>,
    /// The ways that machines went from state to state.
    pub(crate) edges: BTreeSet<Edge>,
    states: usize,
}

/// What all setups together show.
pub(crate) fn findings() -> &'static Findings {
    static FINDINGS: LazyLock<Result<Findings, String>> = LazyLock::new(|| {
        let is_long = std::env::var(VARIABLE).is_ok_and(|length| length == "long");
        explore_all(if is_long { long() } else { short() })
    });
    FINDINGS
        .as_ref()
        .unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn sessions_get_lost_only_as_the_documentation_says() {
    for row in ROWS {
        let is_hit = findings().rows.contains(row.title);
        assert!(is_hit, "no trace shows: {}", row.title);
    }
}

#[test]
fn the_table_of_losses_is_the_documented_one() {
    let rows: Vec<_> = ROWS.iter().map(|row| row.title).collect();
    assert_eq!(rows, titles_in_documentation());
}

/// The exploration can fail, with a shortest trace.
#[test]
fn defects_are_found_out() {
    for (setup, expected, steps) in defective() {
        let failure = explore_one(&setup).unwrap_err();
        let (what, trace) = failure.split_once("\n\n").unwrap();
        assert!(what.contains(&expected), "{:?}: {failure}", setup.defect);
        assert_eq!(trace.lines().count(), steps, "{failure}");
    }
}

/// Explores two setups at a time.
#[allow(clippy::disallowed_methods, reason = "how long it takes is printed")]
fn explore_all(setups: Vec<Setup>) -> Result<Findings, String> {
    let begin = Instant::now();
    let queue = Mutex::new(setups.into_iter());
    let next = || queue.lock().unwrap().next();
    let all = Mutex::new(Ok(Findings::default()));
    let work = || {
        while let Some(setup) = next() {
            let found = explore_one(&setup);
            if let Err(failure) = &found {
                print(failure);
            }
            let mut all = all.lock().unwrap();
            match (&mut *all, found) {
                (Ok(all), Ok(found)) => all.add(found),
                (Ok(_), Err(failure)) => *all = Err(failure),
                (Err(failures), Err(failure)) => *failures += &failure,
                (Err(_), Ok(_)) => {}
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let all = all.into_inner().unwrap()?;
    let seconds = begin.elapsed().as_secs_f64();
    print(&format!("{:>9} states in {seconds:.1} s", all.states));
    Ok(all)
}

impl Findings {
    fn add(&mut self, more: Self) {
        self.rows.extend(more.rows);
        self.edges.extend(more.edges);
        self.states += more.states;
    }
}

/// Explores a setup, or says what is wrong in it, with a shortest trace.
fn explore_one(setup: &Setup) -> Result<Findings, String> {
    let initial = State {
        setup,
        world: World::new(setup),
    };
    let mut rows = BTreeSet::new();
    let mut wrong = None;
    let explored = explore(&initial, |state, fingerprint| {
        if wrong.is_some() {
            return false;
        }
        match judge(state) {
            Verdict::Good => return true,
            Verdict::Lost(row) => _ = rows.insert(row),
            Verdict::Wrong(what) => wrong = Some((what, fingerprint)),
        }
        false
    });
    if let Some((what, end)) = wrong {
        let trace = explored.trace(&initial, end).join("\n");
        return Err(format!("{setup}: {what}\n\n{trace}\n"));
    }
    let (states, depth) = (explored.states(), explored.depth);
    print(&format!("{states:>9} states, depth {depth:>2}: {setup}"));
    let edges = setup.edges.take();
    Ok(Findings {
        rows,
        edges,
        states,
    })
}

/// Unlike `println!` this is seen without `--nocapture`.
fn print(line: &str) {
    io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

enum Verdict {
    Good,
    /// The session is lost, as the row says.
    Lost(&'static str),
    Wrong(String),
}

fn judge(state: &State<'_>) -> Verdict {
    let (setup, world) = (state.setup, &state.world);
    if let Some(violation) = world.violation {
        return Verdict::Wrong(violation.to_owned());
    }
    if !world.is_quiet() {
        return Verdict::Good;
    }
    match world.outlook(setup) {
        Outlook::Good => Verdict::Good,
        Outlook::Broken(what) => Verdict::Wrong(what.to_owned()),
        Outlook::Lost(cause) => {
            let faults = &world.faults;
            let loss = Loss {
                setup,
                cause,
                faults,
            };
            let unknown = || {
                let (cause, faults) = (loss.cause, loss.faults);
                format!("a session is lost, and no row tells why: {cause:?} after {faults:?}")
            };
            loss.row()
                .map_or_else(|| Verdict::Wrong(unknown()), Verdict::Lost)
        }
    }
}

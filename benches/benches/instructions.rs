//! A hundred times the job of one contender, for callgrind to count the instructions:
//! `cargo bench --bench instructions -- [part of a title [part of a name]]`. `docs/performance.md` has the whole command.

use std::hint::black_box;

/// How often each contender does its job after the first time, which is not counted.
const TIMES: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with('-'))
        .collect();
    let part = |place: usize| arguments.get(place).map_or("", String::as_str);
    for contest in logto_benches::all() {
        if contest.title().contains(part(0)) {
            let title = contest.title().to_owned();
            let _ = contest.only(part(1)).count([""], |job| {
                counted(job);
                [0]
            });
            println!("{title}: {TIMES} times");
        }
    }
}

/// What callgrind looks at.
#[inline(never)]
fn counted(job: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        black_box(&mut *job)();
    }
}

//! A hundred times the job of one contender, for callgrind to count the instructions:
//! `cargo bench --bench instructions -- [part of a title [part of a name]]`. `docs/performance.md` has the whole command.

use std::hint::black_box;

/// How often each contender does its job after the first time, which is not counted.
const TIMES: usize = 100;

fn main() {
    for mut contest in logto_benches::chosen() {
        let _ = contest.count([""], |job| {
            counted(job);
            [0]
        });
        println!("{}: {TIMES} times", contest.title());
    }
}

/// What callgrind looks at.
#[inline(never)]
fn counted(job: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        black_box(&mut *job)();
    }
}

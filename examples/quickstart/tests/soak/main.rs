//! The quickstart under load: two processes, visitors who click through its pages, and networks that break.
//!
//! Nobody may be signed out by that, and no process may need more and more memory. How long anything takes is reported
//! and never judged. `LOGTO_SOAK_SECONDS` says how long it goes on, in all; a minute without. It needs
//! `LOGTO_TEST_REDIS_URL` and `LOGTO_TEST_POSTGRES_URL`, as `ci/services.sh` sets them.
//!
//! A refresh token stays the same here until it is ten days old, as at Logto. What can be lost while it is replaced is
//! explored elsewhere, where no machine is too slow for the three seconds in which a lost answer can be repeated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod line;
mod site;
mod visitor;

use std::time::Duration;

use self::{
    faults::break_lines,
    line::Line,
    site::{Site, Storage},
    visitor::{Tally, Visitor},
};

const VISITORS: usize = 16;

/// What a process may need more at the end than when everything had been in use. Opened sessions are kept in up to
/// 16 MiB; the allocator keeps some of what it had.
const GROWTH: u64 = 48 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w8_load_and_faults_sign_nobody_out_and_take_no_memory() {
    let seconds = std::env::var("LOGTO_SOAK_SECONDS").ok();
    let seconds: u64 = seconds.map_or(60, |seconds| seconds.parse().expect("a number"));
    println!("| sessions in | requests | not answered | p50, ms | p99, ms | KiB before | after |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for storage in [Storage::Cookie, Storage::Redis, Storage::Postgres] {
        soak(storage, Duration::from_secs(seconds) / 3).await;
    }
}

async fn soak(storage: Storage, time: Duration) {
    let site = Site::open(storage).await;
    let mut visitors = Vec::new();
    for _ in 0..VISITORS {
        visitors.push(Visitor::sign_in(&site).await);
    }
    let warm = time / 4;
    let mut tally = stay(&site, &mut visitors, warm).await;
    let before = site.memory();
    tally.add(stay(&site, &mut visitors, time.saturating_sub(warm)).await);
    let after = site.memory();
    for visitor in &visitors {
        visitor.is_served().await;
    }
    assert_eq!(site.late_replays(), 0);
    println!(
        "| {} | {} | {} | {:.0} | {:.0} | {before} | {after} |",
        storage.name(),
        tally.requests(),
        tally.unanswered,
        tally.percentile(50),
        tally.percentile(99),
    );
    assert!(tally.requests() > tally.unanswered, "nothing was answered");
    assert!(after < before + GROWTH, "{before} KiB became {after} KiB");
}

/// All visitors click for this time, while the lines to the store and to Logto break.
async fn stay(site: &Site, visitors: &mut [Visitor], time: Duration) -> Tally {
    let lines: Vec<&Line> = site.lines().collect();
    let clicks = visitors.iter().map(|visitor| visitor.click_for(time));
    let clicks = futures_util::future::join_all(clicks);
    tokio::pin!(clicks);
    let tallies = tokio::select! {
        tallies = &mut clicks => tallies,
        never = break_lines(&lines) => match never {},
    };
    for line in lines {
        line.mend();
    }
    tallies
        .into_iter()
        .fold(Tally::default(), |mut all, tally| {
            all.add(tally);
            all
        })
}

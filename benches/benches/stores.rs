//! What it takes to load a session from Redis and from PostgreSQL: `cargo bench --bench stores`, with
//! `LOGTO_TEST_REDIS_URL` and `LOGTO_TEST_POSTGRES_URL` of servers on loopback, as `ci/services.sh start` sets them.
//!
//! The contenders take turns, one request at a time and then 64 in flight. A ratio compares turns next to each other.

use std::time::Instant;

use futures_util::future::join_all;
use logto_benches::{
    contest::median,
    stores::{self, Contender},
};

const IN_FLIGHT: usize = 64;
/// Requests of a turn: one after the other, and in flight each.
const ALONE: usize = 50;
const EACH: usize = 5;

fn main() {
    let urls = ["LOGTO_TEST_REDIS_URL", "LOGTO_TEST_POSTGRES_URL"].map(std::env::var);
    let [Ok(redis), Ok(postgres)] = urls else {
        println!("The stores are left out: `ci/services.sh start` says which variables to set.");
        return;
    };
    let turns = std::env::var("TURNS").ok();
    let turns = turns.and_then(|turns| turns.parse().ok()).unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("\n### A session from a store on loopback\n");
    println!("| | µs | x | requests/s, {IN_FLIGHT} in flight | x |\n|---|--:|--:|--:|--:|");
    runtime.block_on(async {
        compare(stores::redis(&redis).await, turns).await;
        compare(stores::postgres(&postgres).await, turns).await;
    });
}

async fn compare(contenders: [Contender; 2], turns: usize) {
    let [mut bare, mut ours] = [Vec::new(), Vec::new()];
    for turn in 0..=turns {
        let times = [time(&contenders[0]).await, time(&contenders[1]).await];
        // The first turn warms up.
        if turn > 0 {
            bare.push(times[0]);
            ours.push(times[1]);
        }
    }
    for (contender, times) in contenders.iter().zip([&bare, &ours]) {
        let ratio = |of: fn(&(f64, f64)) -> f64| {
            let ratios = times
                .iter()
                .zip(&bare)
                .map(|(own, bare)| of(own) / of(bare));
            median(ratios)
        };
        let alone = median(times.iter().map(|(alone, _)| *alone));
        let in_flight = median(times.iter().map(|(_, in_flight)| *in_flight));
        println!(
            "| {} | {alone:.0} | {:.2} | {:.0} | {:.2} |",
            contender.name,
            ratio(|(alone, _)| *alone),
            1e6 / in_flight,
            ratio(|(_, in_flight)| *in_flight),
        );
    }
}

/// Microseconds for each request, one after the other and with many in flight.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn time(contender: &Contender) -> (f64, f64) {
    let begin = Instant::now();
    for _ in 0..ALONE {
        (contender.load)().await;
    }
    let alone = begin.elapsed().as_secs_f64() * 1e6 / ALONE as f64;
    let begin = Instant::now();
    join_all((0..IN_FLIGHT).map(async |_| {
        for _ in 0..EACH {
            (contender.load)().await;
        }
    }))
    .await;
    let in_flight = begin.elapsed().as_secs_f64() * 1e6 / (IN_FLIGHT * EACH) as f64;
    (alone, in_flight)
}

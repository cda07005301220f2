//! Memory use under a flood of unfinished sign-ins. A binary of its own, because it measures the memory of its
//! process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use logto_tests::{
    stage::{Deployment, Kind, Stage},
    visitor::Visitor,
};

/// The memory of this process, in kilobytes; `None` where nobody tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn w5_c19_a_flood_of_sign_ins_takes_no_memory() {
    const FLOOD: usize = 10_000;
    let stage = Stage::empty(Kind::Young, Deployment::Memory).await;
    let web = stage.web(0);
    let nobody = Visitor::new(&stage.world.logto);
    for _ in 0..FLOOD / 10 {
        nobody.copied().start_sign_in(web).await;
    }
    let before = resident();
    for _ in 0..FLOOD {
        nobody.copied().start_sign_in(web).await;
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after < before + 8 * 1024, "{before} KB became {after} KB");
    }
    let load = web.client().stats();
    assert_eq!((load.refreshes, load.sessions, load.ledger), (0, 0, 0));

    // In one browser they take the room of one.
    for _ in 0..100 {
        nobody.start_sign_in(web).await;
    }
    assert_eq!(nobody.cookies().len(), 1);
    assert!(nobody.longest_header() <= 300);
}

//! Processes that share no storage: sessions in cookies.

use std::time::Duration;

use futures_util::future::join_all;
use logto_client::TokenTarget;
use logto_tests::worker::{Outcome, Step, WorkerStorage};

use crate::{
    crash::{DEATHS, Death, Left, crash},
    race::{SCENES, Tally, race},
    tenant::{DAYS, File, HOURS, Kind, LATE, Tenant, all_served, shopping},
};

#[tokio::test]
async fn f36_cookies_without_a_shared_ledger_cost_one_request_for_each_process_within_three_seconds()
 {
    for processes in [2, 5, 8] {
        for (kind, age) in SCENES {
            let tenant = Tenant::new(kind, WorkerStorage::Cookie, None).await;
            let tally = race(&tenant, age, processes, &[shopping()]).await;
            let each_its_own = Tally {
                token_calls: processes,
                failed: 0,
                tokens: processes,
                lost: 0,
            };
            assert_eq!(tally, each_its_own, "{processes} {kind:?} {age:?}");
        }
    }
}

#[tokio::test]
async fn f36_cookies_with_a_shared_ledger_cost_one_request() {
    let ledger = File::new("ledger-race");
    for processes in [2, 5, 8] {
        for (kind, age) in SCENES {
            let tenant = Tenant::new(kind, WorkerStorage::Cookie, Some(ledger.storage())).await;
            let tally = race(&tenant, age, processes, &[shopping()]).await;
            let once = Tally {
                token_calls: 1,
                failed: 0,
                tokens: 1,
                lost: 0,
            };
            assert_eq!(tally, once, "{processes} {kind:?} {age:?}");
        }
    }
}

/// One process refreshes; another gets a request that still carries the old cookie, later than Logto
/// forgives, and once more when the new token has expired too. What it answered.
async fn late_requests(tenant: &Tenant) -> Vec<Outcome> {
    let old = tenant.sign_in(&[shopping()]).await;
    tenant.clock.advance(DAYS);
    let mut one = tenant.opened(&old).await.unwrap();
    let (outcomes, worker_session) = tenant.tokens(&mut one, &[shopping()]).await;
    assert!(all_served(&outcomes), "{outcomes:?}");
    let mut late = Vec::new();
    for later in [LATE, HOURS] {
        tenant.clock.advance(later);
        let mut other = tenant
            .opened(&old)
            .await
            .expect("the old cookie still opens");
        late.extend(tenant.tokens(&mut other, &[shopping()]).await.0);
    }
    assert!(
        tenant.survives(&worker_session.handle).await,
        "the browser's newest cookie"
    );
    assert_eq!(tenant.logto.late_replays(), 0);
    late
}

#[tokio::test]
async fn f36_a_late_request_with_an_old_cookie_is_served_by_another_process_with_a_shared_ledger() {
    let ledger = File::new("ledger-late");
    let tenant = Tenant::new(
        Kind::Confidential,
        WorkerStorage::Cookie,
        Some(ledger.storage()),
    )
    .await;
    assert!(all_served(&late_requests(&tenant).await));
    assert_eq!(tenant.token_calls(), 3, "one for each time, and the last");
}

#[tokio::test]
async fn f36_without_a_shared_ledger_a_late_request_with_an_old_cookie_ends_nothing() {
    for kind in [Kind::Confidential, Kind::Public] {
        let tenant = Tenant::new(kind, WorkerStorage::Cookie, None).await;
        let late = late_requests(&tenant).await;
        assert!(
            matches!(late[..], [Outcome::Transient(_), Outcome::Transient(_)]),
            "{late:?}"
        );
        assert_eq!(tenant.token_calls(), 2, "the first and the last");
    }
}

#[tokio::test]
async fn f36_while_its_access_token_lives_an_old_cookie_replays_nothing() {
    let tenant = Tenant::new(Kind::Public, WorkerStorage::Cookie, None).await;
    let old = tenant.sign_in(&[shopping()]).await;
    let mut one = tenant.opened(&old).await.unwrap();
    let another = [TokenTarget::organization(logto_testkit::demo::ACME)];
    tenant.clock.advance(Duration::from_secs(1_800));
    assert!(all_served(&tenant.tokens(&mut one, &another).await.0));
    tenant.clock.advance(LATE);
    let mut other = tenant.opened(&old).await.unwrap();
    assert!(all_served(
        &tenant.tokens(&mut other, &[shopping()]).await.0
    ));
    assert_eq!((tenant.token_calls(), tenant.logto.late_replays()), (1, 0));
}

/// Crashes after which the browser asks again with the cookie it has. All ways to die at once, as each takes as long
/// as an old cookie may have a successor.
async fn what_a_crash_leaves(has_ledger: bool, pause: Duration, expected: impl Fn(Death) -> Left) {
    let cases = DEATHS.map(|death| async move {
        // Each has its own: a ledger is for processes whose clocks agree, and those of the tenants go apart.
        let ledger = has_ledger.then(|| File::new(&format!("ledger-crash-{death:?}")));
        let ledger = ledger.as_ref().map(File::storage);
        let tenant = Tenant::new(Kind::Confidential, WorkerStorage::Cookie, ledger).await;
        (death, crash(&tenant, DAYS, death, pause).await)
    });
    for (death, left) in join_all(cases).await {
        assert_eq!(left, expected(death), "{death:?}");
    }
}

#[tokio::test]
async fn f39_cookies_survive_every_crash_within_three_seconds() {
    what_a_crash_leaves(false, Duration::from_secs(2), |death| match death {
        Death::At(Step::BeforeSend) => Left::Usable(1),
        _ => Left::Usable(2),
    })
    .await;
}

#[tokio::test]
async fn f39_cookies_later_end_cleanly_where_the_new_one_never_left() {
    what_a_crash_leaves(false, LATE, |death| match death {
        Death::At(Step::BeforeSend) => Left::Usable(1),
        _ => Left::Ended,
    })
    .await;
}

#[tokio::test]
async fn f39_a_shared_ledger_keeps_cookies_from_the_answer_on() {
    what_a_crash_leaves(true, LATE, |death| match death {
        Death::At(Step::BeforeSend | Step::BeforeWrite | Step::AfterWrite) => Left::Usable(1),
        _ => Left::Ended,
    })
    .await;
}

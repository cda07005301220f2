//! Processes that are killed during a refresh.

use std::time::Duration;

use logto_client::storage::Stored;
use logto_testkit::{Endpoint, Fault};
use logto_tests::worker::{Command, Outcome, Setup, Step, WorkerStorage};
use tokio::task::JoinSet;

use crate::tenant::{DAYS, File, HOURS, Kind, LATE, Tenant, shopping};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// It aborts itself at a step.
    At(Step),
    /// It is killed while it waits for an answer; the provider has processed the request.
    Killed,
}

pub(crate) const DEATHS: [Death; 6] = [
    Death::At(Step::BeforeSend),
    Death::At(Step::AfterSend),
    Death::Killed,
    Death::At(Step::AfterResponse),
    Death::At(Step::BeforeWrite),
    Death::At(Step::AfterWrite),
];

/// What a process that comes later finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// A session, with so many token requests until it was in use again.
    Usable(usize),
    /// Nobody is signed in; it was said once, and nothing is left of the session.
    Ended,
}

/// Lets a process die while it refreshes a session of this age, and another come after `pause`.
pub(crate) async fn crash(tenant: &Tenant, age: Duration, death: Death, pause: Duration) -> Left {
    let handle = tenant.sign_in(&[shopping()]).await;
    let first = tenant.stored(&handle).await.expect("it is stored");
    tenant.clock.advance(age);
    die(tenant, &handle, death).await;
    assert_whole(tenant, &handle, &first).await;

    tenant.clock.advance(pause);
    let mut heir = tenant.opened(&handle).await.expect("the record is whole");
    let (outcomes, worker_session) = tenant.patient_tokens(&mut heir).await;
    let token_calls = tenant.token_calls();
    match &outcomes[..] {
        [Outcome::Token(_)] => {
            assert_eq!(worker_session.subject, first.session.claims().sub);
            assert!(tenant.survives(&worker_session.handle).await);
            assert_eq!(tenant.logto.late_replays(), 0);
            Left::Usable(token_calls)
        }
        [Outcome::Ended(_)] => {
            // Whoever takes the lease over asks about the refresh token and does not use it.
            assert_eq!(token_calls, 1);
            assert_eq!(tenant.logto.late_replays(), 0);
            if tenant.setup.storage != WorkerStorage::Cookie {
                assert!(tenant.opened(&handle).await.is_none());
            }
            Left::Ended
        }
        other => panic!("{other:?}"),
    }
}

async fn die(tenant: &Tenant, handle: &str, death: Death) {
    let abort_at = match death {
        Death::At(step) => Some(step),
        Death::Killed => None,
    };
    let setup = Setup {
        abort_at,
        ..tenant.setup.clone()
    };
    let mut victim = tenant.worker_of(&setup).await;
    victim
        .ask(tenant.now(), Command::Open(handle.to_owned()))
        .await
        .expect("it lives");
    if death == Death::Killed {
        tenant
            .logto
            .fault(Endpoint::Token, Fault::Delay(Duration::from_secs(60)));
    }
    victim
        .tell(tenant.now(), Command::Tokens(vec![shopping()]))
        .await;
    if death == Death::Killed {
        while tenant.token_calls() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        victim.kill().await;
    }
    assert_eq!(victim.hear().await, None);
    assert!(!victim.ended_well().await);
}

/// The record has both tokens from before, or both of what the provider gave last; nothing between.
async fn assert_whole(tenant: &Tenant, handle: &str, first: &Stored) {
    let left = tenant.stored(handle).await.expect("the record is there");
    let refresh_token = |stored: &Stored| stored.session.refresh_token().cloned().unwrap();
    let access_token = |stored: &Stored| stored.session.access_tokens()[&shopping()].clone();
    let (before, after) = (refresh_token(first), refresh_token(&left));
    if access_token(&left).token == access_token(first).token {
        assert_eq!(after, before);
    } else {
        let latest = tenant.logto.latest_refresh_token(before.expose());
        assert_eq!(latest.as_deref(), Some(after.expose()));
        let now = i64::try_from(tenant.now()).unwrap();
        assert!(access_token(&left).expires_at.as_secs() > now);
    }
    assert_eq!(left.session.claims().sub, first.session.claims().sub);
}

/// All ways to die at once, as each takes as long as the right to refresh outlives its holder: longer
/// than Logto's three seconds.
async fn a_crash_loses_only_what_nobody_stored(storage: WorkerStorage) {
    let mut cases = JoinSet::new();
    for age in [HOURS, DAYS] {
        for death in DEATHS {
            let storage = storage.clone();
            cases.spawn(async move {
                let tenant = Tenant::new(Kind::Confidential, storage, None).await;
                (age, death, crash(&tenant, age, death, LATE).await)
            });
        }
    }
    while let Some(case) = cases.join_next().await {
        let (age, death, left) = case.unwrap();
        let expected = match death {
            Death::At(Step::BeforeSend | Step::AfterWrite) => Left::Usable(1),
            _ if age == DAYS => Left::Ended,
            _ => Left::Usable(2),
        };
        assert_eq!(left, expected, "{death:?} after {age:?}");
    }
}

#[tokio::test]
async fn f39_a_crash_on_sqlite_loses_only_what_nobody_stored() {
    a_crash_loses_only_what_nobody_stored(File::new("crash").storage()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn f39_a_crash_on_redis_loses_only_what_nobody_stored() {
    let url = crate::tenant::server("LOGTO_TEST_REDIS_URL");
    a_crash_loses_only_what_nobody_stored(WorkerStorage::Redis(url)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn f39_a_crash_on_postgres_loses_only_what_nobody_stored() {
    let url = crate::tenant::server("LOGTO_TEST_POSTGRES_URL");
    a_crash_loses_only_what_nobody_stored(WorkerStorage::Postgres(url)).await;
}

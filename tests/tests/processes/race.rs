//! Two, five and eight processes that refresh at the same time.

use std::{collections::HashSet, time::Duration};

use logto_client::TokenTarget;
use logto_tests::worker::{Answer, Command, Outcome, WorkerStorage};

use crate::tenant::{
    DAYS, File, HOURS, Kind, Tenant, all_served, heard_tokens, shopping, three_targets,
};

/// What a race came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) token_calls: usize,
    /// Processes that did not get all their tokens.
    pub(crate) failed: usize,
    /// Different tokens that were handed out.
    pub(crate) tokens: usize,
    /// Handles that a process gave to its browser and that are worth nothing afterwards.
    pub(crate) lost: usize,
}

/// Lets a session of this age be used by as many processes at once, and looks at what is left of it.
pub(crate) async fn race(
    tenant: &Tenant,
    age: Duration,
    processes: usize,
    targets: &[TokenTarget],
) -> Tally {
    let handle = tenant.sign_in(targets).await;
    tenant.clock.advance(age);
    let mut workers = Vec::new();
    for _ in 0..processes {
        workers.push(tenant.opened(&handle).await.expect("the session is there"));
    }
    for worker in &mut workers {
        worker
            .tell(tenant.now(), Command::Tokens(targets.to_vec()))
            .await;
    }
    let (mut failed, mut tokens, mut handles) = (0, HashSet::new(), HashSet::new());
    for worker in &mut workers {
        let (outcomes, worker_session) = heard_tokens(worker).await;
        failed += usize::from(!all_served(&outcomes));
        tokens.extend(outcomes);
        handles.insert(worker_session.handle);
    }
    let token_calls = tenant.token_calls();
    let mut lost = 0;
    for handle in &handles {
        lost += usize::from(!tenant.survives(handle).await);
    }
    assert_eq!(tenant.logto.late_replays(), 0);
    Tally {
        token_calls,
        failed,
        tokens: tokens.len(),
        lost,
    }
}

/// The clients and ages at which refreshes behave differently: nothing rotates, past 70 % of the
/// refresh token's life, and at every use.
pub(crate) const SCENES: [(Kind, Duration); 3] = [
    (Kind::Confidential, HOURS),
    (Kind::Confidential, DAYS),
    (Kind::Public, HOURS),
];

async fn processes_share_each_refresh(storage: WorkerStorage) {
    for processes in [2, 5, 8] {
        for (kind, age) in SCENES {
            for targets in [&three_targets()[..1], &three_targets()] {
                let tenant = Tenant::new(kind, storage.clone(), None).await;
                let tally = race(&tenant, age, processes, targets).await;
                let each_once = Tally {
                    token_calls: targets.len(),
                    failed: 0,
                    tokens: targets.len(),
                    lost: 0,
                };
                let scene = (processes, kind, age, targets.len());
                assert_eq!(tally, each_once, "{scene:?}");
            }
        }
    }
}

#[tokio::test]
async fn f36_s11_processes_on_one_sqlite_file_send_one_request_for_each_token() {
    processes_share_each_refresh(File::new("race").storage()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn f36_s11_processes_on_one_redis_send_one_request_for_each_token() {
    processes_share_each_refresh(WorkerStorage::Redis(crate::tenant::server(
        "LOGTO_TEST_REDIS_URL",
    )))
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn f36_s11_processes_on_one_postgres_send_one_request_for_each_token() {
    let url = crate::tenant::server("LOGTO_TEST_POSTGRES_URL");
    processes_share_each_refresh(WorkerStorage::Postgres(url)).await;
}

/// What one process fetched, another one that can only read finds; what one signed out, no other brings
/// back.
async fn processes_see_what_others_did(storage: WorkerStorage) {
    let tenant = Tenant::new(Kind::Public, storage, None).await;
    let handle = tenant.sign_in(&[shopping()]).await;
    tenant.clock.advance(HOURS);
    let mut one = tenant.opened(&handle).await.unwrap();
    let mut other = tenant.opened(&handle).await.unwrap();
    let mut reader = tenant.worker().await;
    let read = Command::ReadOnly(handle.clone(), shopping());
    assert_eq!(
        reader.ask(tenant.now(), read.clone()).await,
        Some(Answer::Cached(None))
    );
    let (outcomes, worker_session) = tenant.tokens(&mut one, &[shopping()]).await;
    let Outcome::Token(token) = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    let cached = reader.ask(tenant.now(), read.clone()).await;
    assert_eq!(cached, Some(Answer::Cached(Some(token.clone()))));

    assert_eq!(
        one.ask(tenant.now(), Command::SignOut).await,
        Some(Answer::SignedOut(true))
    );
    let (outcomes, _) = tenant.tokens(&mut other, &[shopping()]).await;
    assert!(matches!(outcomes[..], [Outcome::Ended(_)]), "{outcomes:?}");
    assert_eq!(
        reader.ask(tenant.now(), read).await,
        Some(Answer::Cached(None))
    );
    assert!(tenant.opened(&handle).await.is_none());
    assert_eq!(tenant.token_calls(), 1);
    let refresh_token = worker_session.refresh_token.unwrap();
    for _ in 0..100 {
        if !tenant.logto.refresh_token_is_usable(&refresh_token) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        !tenant.logto.refresh_token_is_usable(&refresh_token),
        "it is revoked"
    );
}

#[tokio::test]
async fn f42_s11_a_sign_out_on_one_sqlite_file_holds_in_all_processes() {
    processes_see_what_others_did(File::new("sign-out").storage()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn f42_s11_a_sign_out_on_one_redis_holds_in_all_processes() {
    processes_see_what_others_did(WorkerStorage::Redis(crate::tenant::server(
        "LOGTO_TEST_REDIS_URL",
    )))
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn f42_s11_a_sign_out_on_one_postgres_holds_in_all_processes() {
    let url = crate::tenant::server("LOGTO_TEST_POSTGRES_URL");
    processes_see_what_others_did(WorkerStorage::Postgres(url)).await;
}

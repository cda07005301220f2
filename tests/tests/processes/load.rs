//! Several processes on one SQLite file under load: everybody is served in turn.

use logto_client::TokenTarget;
use logto_tests::worker::{Answer, Command, Outcome, Worker};

use crate::tenant::{File, HOURS, Kind, Tenant, heard_tokens, three_targets};

const PROCESSES: usize = 8;

/// What a load came to.
#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    failures: Vec<Outcome>,
}

impl Tally {
    /// All processes open their sessions and ask for these tokens at the same time.
    async fn round(
        &mut self,
        tenant: &Tenant,
        workers: &mut [Worker],
        handles: &[String],
        targets: &[TokenTarget],
    ) {
        tenant.clock.advance(HOURS);
        for (n, worker) in workers.iter_mut().enumerate() {
            let handle = handles[n % handles.len()].clone();
            worker.tell(tenant.now(), Command::Open(handle)).await;
        }
        for worker in &mut *workers {
            assert_eq!(worker.hear().await, Some(Answer::Opened(true)));
            let targets = targets.to_vec();
            worker.tell(tenant.now(), Command::Tokens(targets)).await;
        }
        for worker in workers {
            let (outcomes, _) = heard_tokens(worker).await;
            self.requests += outcomes.len();
            let is_failure = |outcome: &Outcome| !matches!(outcome, Outcome::Token(_));
            self.failures
                .extend(outcomes.into_iter().filter(is_failure));
        }
    }
}

async fn load(sessions: usize, rounds: usize) -> Tally {
    let file = File::new(&format!("load-{sessions}"));
    let tenant = Tenant::new(Kind::Confidential, file.storage(), None).await;
    let mut handles = Vec::new();
    for _ in 0..sessions {
        handles.push(tenant.sign_in(&three_targets()).await);
    }
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(tenant.worker().await);
    }
    let mut tally = Tally::default();
    for _ in 0..rounds {
        tally
            .round(&tenant, &mut workers, &handles, &three_targets())
            .await;
    }
    assert_eq!(tenant.logto.late_replays(), 0);
    tally
}

#[tokio::test]
async fn processes_on_one_sqlite_file_under_load_are_never_busy() {
    for sessions in [1, PROCESSES, 3] {
        let tally = load(sessions, 10).await;
        assert_eq!(tally.requests, PROCESSES * 3 * 10);
        assert_eq!(tally.failures, [], "{sessions}");
    }
}

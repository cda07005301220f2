//! A provider on a port, a signed-in user, and the processes of the application.

use std::{path::PathBuf, time::Duration};

use logto_client::{
    LogtoClient, SignIn, TokenTarget,
    http::http_fn,
    storage::{Handle, Stored},
};
use logto_testkit::{App, Endpoint, Logto, Server, TestClock, demo};
use logto_tests::{
    worker::{Answer, Command, Outcome, Setup, Worker, WorkerSession, WorkerStorage},
    world::{APP_ID, APP_SECRET, BASE_URL, WorldClock, callback_of},
};

/// After this access tokens have expired, and a confidential client's refresh token stays.
pub(crate) const HOURS: Duration = Duration::from_secs(2 * 3600);
/// After this a confidential client's refresh token, which lives for 14 days, rotates.
pub(crate) const DAYS: Duration = Duration::from_secs(10 * 24 * 3600);
/// Later than Logto accepts a spent refresh token.
pub(crate) const LATE: Duration = Duration::from_secs(20);

/// Who the provider takes the application for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Confidential,
    Public,
}

pub(crate) fn shopping() -> TokenTarget {
    TokenTarget::resource(demo::SHOPPING_API)
}

pub(crate) fn three_targets() -> [TokenTarget; 3] {
    [
        shopping(),
        TokenTarget::organization(demo::ACME),
        TokenTarget::user_info(),
    ]
}

/// A provider, and how its workers are set up.
pub(crate) struct Tenant {
    pub(crate) logto: Logto,
    pub(crate) clock: TestClock,
    pub(crate) setup: Setup,
    _server: Server,
}

impl Tenant {
    pub(crate) async fn new(
        kind: Kind,
        storage: WorkerStorage,
        shared_ledger: Option<WorkerStorage>,
    ) -> Self {
        let clock = TestClock::new();
        let (app, app_secret) = match kind {
            Kind::Confidential => (
                App::traditional(APP_ID, APP_SECRET),
                Some(APP_SECRET.to_owned()),
            ),
            Kind::Public => (App::spa(APP_ID), None),
        };
        let app = app.redirect_uri(format!("{BASE_URL}/callback"));
        let server = Logto::demo()
            .clock(clock.clone())
            .app(app)
            .listen(0)
            .await
            .unwrap();
        let logto = server.logto().clone();
        let setup = Setup {
            endpoint: logto.endpoint().to_owned(),
            app_id: APP_ID.to_owned(),
            app_secret,
            storage,
            shared_ledger,
            request_timeout: Duration::from_secs(3),
            abort_at: None,
        };
        Self {
            logto,
            clock,
            setup,
            _server: server,
        }
    }

    /// Signs alice in and gets her these tokens: her handle.
    pub(crate) async fn sign_in(&self, targets: &[TokenTarget]) -> String {
        let config = self.setup.config();
        let storage = self.setup.storage.storage(&config).await.unwrap();
        let logto = self.logto.clone();
        let http = http_fn(move |request| {
            let answer = logto.handle(request);
            async move { Ok(answer) }
        });
        let client = LogtoClient::builder(config, http, storage)
            .clock(WorldClock(self.clock.clone()))
            .build()
            .unwrap();
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        let callback = callback_of(&self.logto.sign_in(&url, "alice").unwrap());
        let completed = client
            .complete_sign_in(Some(pending), callback, None)
            .await
            .unwrap();
        for target in targets {
            completed.session.access_token(target).await.unwrap();
        }
        self.logto.reset_counts();
        completed.session.handle().expose().to_owned()
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }

    pub(crate) fn token_calls(&self) -> usize {
        self.logto.count(Endpoint::Token)
    }

    /// What is stored under a handle, seen from here.
    pub(crate) async fn stored(&self, handle: &str) -> Option<Stored> {
        let storage = self
            .setup
            .storage
            .storage(&self.setup.config())
            .await
            .unwrap();
        let now = logto_client::UnixTime::from_secs(i64::try_from(self.now()).unwrap());
        storage.load(&Handle::new(handle), now).await.unwrap()
    }

    pub(crate) async fn worker(&self) -> Worker {
        self.worker_of(&self.setup).await
    }

    pub(crate) async fn worker_of(&self, setup: &Setup) -> Worker {
        Worker::start(env!("CARGO_BIN_EXE_session_worker"), setup).await
    }

    /// A new process that has opened the session of a handle; `None` when nobody is signed in.
    pub(crate) async fn opened(&self, handle: &str) -> Option<Worker> {
        let mut worker = self.worker().await;
        let opened = worker
            .ask(self.now(), Command::Open(handle.to_owned()))
            .await;
        (opened == Some(Answer::Opened(true))).then_some(worker)
    }

    /// Whether the session of a handle still gets a token when its last one has expired, in a process
    /// that was never here.
    pub(crate) async fn survives(&self, handle: &str) -> bool {
        self.clock.advance(HOURS);
        let Some(mut worker) = self.opened(handle).await else {
            return false;
        };
        let (outcomes, _) = self.patient_tokens(&mut worker).await;
        all_served(&outcomes)
    }

    /// Asks until the answer is final: a process that died keeps the right to refresh for a while, and that an
    /// old cookie is the last one counts after a minute by a clock that nobody advances.
    pub(crate) async fn patient_tokens(
        &self,
        worker: &mut Worker,
    ) -> (Vec<Outcome>, WorkerSession) {
        for _ in 0..90 {
            let (outcomes, worker_session) = self.tokens(worker, &[shopping()]).await;
            if !matches!(outcomes[..], [Outcome::Transient(_)]) {
                return (outcomes, worker_session);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.advance(LATE);
        }
        panic!("somebody holds the session for ever");
    }

    pub(crate) async fn tokens(
        &self,
        worker: &mut Worker,
        targets: &[TokenTarget],
    ) -> (Vec<Outcome>, WorkerSession) {
        worker
            .tell(self.now(), Command::Tokens(targets.to_vec()))
            .await;
        heard_tokens(worker).await
    }
}

pub(crate) async fn heard_tokens(worker: &mut Worker) -> (Vec<Outcome>, WorkerSession) {
    match worker.hear().await {
        Some(Answer::Tokens(outcomes, worker_session)) => (outcomes, worker_session),
        other => panic!("not an answer about tokens: {other:?}"),
    }
}

pub(crate) fn all_served(outcomes: &[Outcome]) -> bool {
    outcomes
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Token(_)))
}

/// A variable that says where a server is. A test without its server fails.
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("set {variable} to the URL of a server for tests, or leave out its feature")
    })
}

/// An SQLite file that is there for one test.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str) -> Self {
        let directory = format!("logto-processes-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(crate) fn storage(&self) -> WorkerStorage {
        WorkerStorage::Sqlite(self.0.join("sessions.db"))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

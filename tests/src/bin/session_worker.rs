//! A process that keeps sessions, for tests with several of them.
//!
//! It reads what it is from the first line of its input and orders from the others, as
//! [`logto_tests::worker`] describes, and answers each in a line. Told so, it aborts itself in the midst
//! of a refresh, at any step; the product knows nothing of that: the steps are seen through the HTTP
//! client and the storage that it is given.

#![allow(
    clippy::expect_used,
    reason = "a worker that cannot work fails the test that started it"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use logto_client::{
    Error, LogtoClient, TokenTarget, UnixTime, WritableSession,
    core::session::SessionId,
    core::sign_out::SignOut,
    error::Advice,
    http::{HttpClient, ReqwestClient, TransportError},
    seal::{KeyRing, SealKey},
    storage::{
        Handle, Lease, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored,
        Version,
    },
};
use logto_testkit::TestClock;
use logto_tests::{
    worker::{Answer, Command, Order, Outcome, Setup, Step, WorkerSession},
    world::WorldClock,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(setup) = next_line().await else {
        return;
    };
    let setup = serde_json::from_str(&setup).expect("the first line is a setup");
    let mut worker = Worker::new(&setup).await;
    while let Some(order) = next_line().await {
        let Order { now, command } = serde_json::from_str(&order).expect("a line is an order");
        worker.clock.set(UNIX_EPOCH + Duration::from_secs(now));
        let Some(answer) = worker.obey(command).await else {
            return;
        };
        let answer = serde_json::to_string(&answer).expect("an answer is representable");
        println!("{answer}");
    }
}

/// The next line of the input; what runs in the background goes on meanwhile.
async fn next_line() -> Option<String> {
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await;
    line.expect("reading does not panic")
        .transpose()
        .expect("the input is text")
}

struct Worker {
    clock: TestClock,
    client: LogtoClient,
    session: Option<WritableSession>,
}

impl Worker {
    async fn new(setup: &Setup) -> Self {
        let clock = TestClock::new();
        let config = setup.config();
        let storage = setup
            .storage
            .storage(&config)
            .await
            .expect("the storage is there");
        let answered = Arc::new(AtomicBool::new(false));
        let storage = AbortingStorage {
            inner: storage,
            at: setup.abort_at,
            answered: Arc::clone(&answered),
        };
        let http = AbortingHttp {
            inner: ReqwestClient::new().expect("TLS can be set up"),
            at: setup.abort_at,
            answered,
        };
        let mut builder = LogtoClient::builder(config, http, storage)
            .clock(WorldClock(clock.clone()))
            .request_timeout(setup.request_timeout)
            // A worker keeps a session open for many requests, each of which would have a budget of its own.
            .waiting_budget(Duration::from_secs(3_600));
        if let Some(storage) = &setup.shared_ledger {
            let store = storage.store().await.expect("the store is there");
            let store = store.expect("it is not in a browser");
            builder = builder.shared_ledger(store, KeyRing::new(SealKey::new(&[7; 32])));
        }
        let client = builder.build().expect("the client is complete");
        Self {
            clock,
            client,
            session: None,
        }
    }

    async fn obey(&mut self, command: Command) -> Option<Answer> {
        Some(match command {
            Command::Open(handle) => {
                let session = self.client.session(&Handle::new(handle)).await;
                self.session = session.expect("the storage answers");
                Answer::Opened(self.session.is_some())
            }
            Command::Tokens(targets) => self.tokens(targets).await,
            Command::ReadOnly(handle, target) => {
                let session = self.client.read_only_session(&Handle::new(handle)).await;
                let session = session.expect("the storage answers");
                let token = session.and_then(|session| session.access_token(&target).token());
                Answer::Cached(token.map(|token| token.token.expose().to_owned()))
            }
            Command::SignOut => {
                Answer::SignedOut(self.opened().sign_out(&SignOut::new()).await.is_ok())
            }
            Command::Exit => return None,
        })
    }

    async fn tokens(&self, targets: Vec<TokenTarget>) -> Answer {
        let session = self.opened();
        let wishes: Vec<_> = targets
            .into_iter()
            .map(|target| {
                let session = session.clone();
                tokio::spawn(async move { outcome(session.access_token(&target).await) })
            })
            .collect();
        let mut outcomes = Vec::new();
        for wish in wishes {
            outcomes.push(wish.await.expect("no call panics"));
        }
        let snapshot = session.snapshot();
        let worker_session = WorkerSession {
            subject: snapshot.claims().sub.clone(),
            handle: session.handle().expose().to_owned(),
            refresh_token: snapshot
                .refresh_token()
                .map(|token| token.expose().to_owned()),
        };
        Answer::Tokens(outcomes, worker_session)
    }

    fn opened(&self) -> &WritableSession {
        self.session.as_ref().expect("a session was opened")
    }
}

fn outcome(token: Result<logto_client::AccessToken, Error>) -> Outcome {
    match token {
        Ok(token) => Outcome::Token(token.token.expose().to_owned()),
        Err(error) => match error.advice() {
            Advice::Retry { .. } => Outcome::Transient(error.to_string()),
            Advice::SignInAgain => Outcome::Ended(error.to_string()),
            Advice::Refused | Advice::FixConfiguration => Outcome::Refused(error.to_string()),
        },
    }
}

/// Ends the process if this is the step to end at.
fn reach(step: Step, at: Option<Step>) {
    if at == Some(step) {
        std::process::abort();
    }
}

#[derive(Debug)]
struct AbortingHttp {
    inner: ReqwestClient,
    at: Option<Step>,
    answered: Arc<AtomicBool>,
}

#[async_trait]
impl HttpClient for AbortingHttp {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if !request.uri().path().ends_with("/token") {
            return self.inner.send(request).await;
        }
        reach(Step::BeforeSend, self.at);
        if self.at == Some(Step::AfterSend) {
            send_and_read_nothing(request.clone())
                .await
                .expect("the provider answers");
            reach(Step::AfterSend, self.at);
        }
        let answer = self.inner.send(request).await;
        reach(Step::AfterResponse, self.at);
        self.answered.store(true, Ordering::SeqCst);
        answer
    }
}

/// Sends a request and waits until its answer has begun to arrive, so that the provider has processed
/// it; takes not a byte of the answer.
async fn send_and_read_nothing(request: Request<Bytes>) -> std::io::Result<()> {
    let (parts, body) = request.into_parts();
    let authority = parts
        .uri
        .authority()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {authority}\r\n",
        parts.method,
        parts.uri.path()
    );
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    for (name, value) in &parts.headers {
        let value = value.to_str().expect("our headers are text");
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(&authority).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.peek(&mut [0]).await.map(|_| ())
}

#[derive(Debug)]
struct AbortingStorage {
    inner: Arc<dyn SessionStorage>,
    at: Option<Step>,
    /// Whether a refresh was answered: writes before that store what was known already.
    answered: Arc<AtomicBool>,
}

impl AbortingStorage {
    fn reach(&self, step: Step) {
        if self.answered.load(Ordering::SeqCst) {
            reach(step, self.at);
        }
    }
}

#[async_trait]
impl SessionReader for AbortingStorage {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        self.inner.load(handle, now).await
    }
}

#[async_trait]
impl SessionStorage for AbortingStorage {
    fn longest_lifetime(&self) -> Duration {
        self.inner.longest_lifetime()
    }

    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        self.inner.touch(handle, now)
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        self.inner.lifetime_reached(handle, now).await
    }

    async fn create(
        &self,
        session: &logto_client::Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        self.inner.create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &logto_client::Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        self.reach(Step::BeforeWrite);
        let replaced = self.inner.replace(handle, expected, session, now).await;
        self.reach(Step::AfterWrite);
        replaced
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        self.inner.remove(handle).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        self.inner.remove_all(logout).await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        self.inner.is_first_use(name, ttl).await
    }

    fn is_authoritative(&self) -> bool {
        self.inner.is_authoritative()
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        self.inner.lease(handle, ttl).await
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        self.inner.renew(handle, lease, ttl).await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        self.inner.release(handle, lease).await
    }
}

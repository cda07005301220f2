//! Uses every capability of the application over real sockets, without a browser: at an embedded Logto,
//! or, as far as that needs no person, at a real one.

mod client;
mod programs;
mod real;
mod scenario;

use std::{error::Error, fmt::Debug, net::Ipv4Addr, pin::Pin, time::Duration};

use logto::{
    ReqwestClient, UnixTime,
    client::{
        Context,
        clock::Clock,
        runtime::{Runtime, TokioRuntime},
    },
};
use logto_testkit::{Server, TestClock, User};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use crate::{
    app::App,
    args::StorageKind,
    tenant::{self, Tenant},
};

/// A user who puts markup in their name.
const MALLORY: &str = "mallory";
const HOSTILE_NAME: &str = "<script>alert(1)</script>";

/// Why a capability does not work.
type Failed = Box<dyn Error + Send + Sync>;

/// Checks the application with one storage, or with each that needs no server, and prints a line for every capability.
///
/// # Errors
/// When the application cannot be started. A capability that does not work is no error but a line
/// that says so.
pub async fn run(storage: Option<StorageKind>) -> Result<Report, Failed> {
    let storages = storage.map_or_else(
        || StorageKind::SELF_CONTAINED.to_vec(),
        |storage| vec![storage],
    );
    let mut report = Report::default();
    for storage in storages {
        println!("with {storage} storage");
        let fixture = Fixture::start(storage).await?;
        scenario::play(&fixture, &mut report).await?;
        programs::play(&fixture, &mut report).await?;
    }
    println!(
        "{} capabilities work, {} do not",
        report.works, report.fails
    );
    Ok(report)
}

/// Checks at the real Logto of `tenant` what needs no person, prints a line for each, and one for whatever
/// is left out.
///
/// # Errors
/// When no client can be made.
pub async fn run_at(tenant: &Tenant, storage: Option<StorageKind>) -> Result<Report, Failed> {
    let storage = storage.unwrap_or_default();
    let mut report = Report::default();
    real::play(tenant, storage, &mut report).await?;
    println!("{} checks passed, {} did not", report.works, report.fails);
    Ok(report)
}

/// What came of the check.
#[derive(Debug, Default)]
pub struct Report {
    works: usize,
    fails: usize,
}

impl Report {
    /// Whether everything was tried and works.
    pub fn is_good(&self) -> bool {
        self.works > 0 && self.fails == 0
    }

    fn note(&mut self, capability: &str, outcome: Result<(), Failed>) {
        match outcome {
            Ok(()) => {
                println!("ok  {capability}");
                self.works += 1;
            }
            Err(error) => {
                println!("FAILED  {capability}: {error}");
                self.fails += 1;
            }
        }
    }

    fn left_out(&self, capability: &str, reason: &str) {
        println!("--  left out: {capability} ({reason})");
    }
}

/// An application and its Logto on free ports, with a clock that the check moves for both.
#[derive(Debug)]
struct Fixture {
    base: Url,
    logto: Server,
    clock: TestClock,
    serving: JoinHandle<()>,
}

impl Fixture {
    async fn start(storage: StorageKind) -> Result<Self, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let clock = TestClock::new();
        let logto = tenant::embedded(&base)
            .user(User::new(MALLORY).name(HOSTILE_NAME))
            .clock(clock.clone())
            .listen(0)
            .await?;
        let app = tenant::embedded_logto(logto.logto(), &base)?.context(context(&clock)?);
        let app = App::new(app, storage)
            .await?
            .with_embedded(logto.logto().clone())
            .with_machine(tenant::embedded_machine(logto.logto())?, context(&clock)?)?
            .with_device(
                tenant::embedded_device(logto.logto())?,
                context(&clock)?.runtime(MovedClock(clock.clone())),
            )?;
        let serving = tokio::spawn(async move {
            // It ends with the check; until then whatever stops it shows as a failed request.
            let _ = axum::serve(listener, app.router()).await;
        });
        Ok(Self {
            base: Url::parse(&base)?,
            logto,
            clock,
            serving,
        })
    }

    /// What a client needs to live in the fixture's time.
    fn context(&self) -> Result<Context, Failed> {
        context(&self.clock)
    }
}

fn context(clock: &TestClock) -> Result<Context, Failed> {
    Ok(Context::new(ReqwestClient::new()?).clock(MovedClock(clock.clone())))
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The provider's clock as the client's.
#[derive(Clone, Debug)]
struct MovedClock(TestClock);

impl Clock for MovedClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(i64::try_from(self.0.unix_seconds()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.unix_seconds())
    }
}

/// Tokio, but whoever sleeps wakes up when the clock is moved.
impl Runtime for MovedClock {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clone();
        let end = clock.monotonic().saturating_add(duration);
        Box::pin(async move {
            while clock.monotonic() < end {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }
}

/// Demands that both are the same.
fn same<T: PartialEq + Debug>(found: &T, expected: &T) -> Result<(), Failed> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?} instead of {expected:?}").into()),
    }
}

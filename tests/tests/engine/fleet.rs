//! An application in front of the real engine, in one process or two, and alice's browser.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use logto_client::{
    AccessToken, Error, LogtoClient, LogtoClientBuilder, LogtoConfig, SignIn, TokenTarget,
    http::{HttpClient, ReqwestClient, http_fn},
    web::LogtoWeb,
};
use logto_storage::{CookieStorage, ExternalStorage, MemoryStorage, SqliteStore};
use logto_tests::{
    browser::{Browser, VisitOutcome},
    engine::{Engine, EngineOptions, Lifetimes, Resource, SECRET, SHOPPING, SPA, TRADITIONAL},
    shared::MapStore,
    stage::{BILLING, Deployment, Kind, Outcome, PROBE, SHORT, codec, key_ring},
    visitor::{Visitor, location},
    world::BASE_URL,
};
use tokio::{
    select,
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};
use url::Url;

/// How long a token for [`SHORT`] lives, in seconds.
const SHORT_TTL: u32 = 8;

/// A scenario in which this process was woken that much too late proves nothing: Logto replays a refresh for three
/// seconds, and the SDK counts on two and a half of them.
const STALLED: Duration = Duration::from_millis(400);

/// Engines for applications of several kinds. Time passes, so that refresh tokens live shorter than elsewhere.
pub(crate) struct Engines {
    engines: Vec<(Kind, Engine)>,
    /// Few applications start at the same time: many would keep each other from answering in time.
    starts: Semaphore,
}

impl Engines {
    pub(crate) async fn start(kinds: &[Kind]) -> Self {
        let engines = kinds.iter().map(async |kind| (*kind, engine(*kind).await));
        Self {
            engines: join_all(engines).await,
            starts: Semaphore::new(4),
        }
    }

    /// Plays a scenario with each application in each of these places, all at the same time.
    ///
    /// The scenarios are about seconds. A machine that stalls in the middle plays another one, so what does
    /// not come out as expected is then played again.
    pub(crate) async fn play(
        &self,
        places: &[Deployment],
        scenario: impl AsyncFn(&Fleet) -> usize,
        expected: impl Fn(Kind, Deployment) -> Outcome,
    ) {
        let all = self.engines.iter().flat_map(|(kind, engine)| {
            let in_place = move |deployment: &Deployment| (*kind, *deployment, engine);
            places.iter().map(in_place)
        });
        let outcomes = all.map(async |(kind, deployment, engine)| {
            let expected = expected(kind, deployment);
            let mut replays = 2;
            loop {
                let run = self.play_once(engine, kind, deployment, &scenario);
                let (outcome, stall) = with_longest_stall(run).await;
                if outcome == expected || stall < STALLED || replays == 0 {
                    break (
                        outcome,
                        expected,
                        format!("{kind:?} {deployment:?}, stalled for {stall:?}"),
                    );
                }
                println!(
                    "again, as the machine stalled for {stall:?}: {kind:?} {deployment:?} {outcome:?}"
                );
                replays -= 1;
            }
        });
        for (outcome, expected, which) in join_all(outcomes).await {
            assert_eq!(outcome, expected, "{which}");
        }
    }

    async fn play_once(
        &self,
        engine: &Engine,
        kind: Kind,
        deployment: Deployment,
        scenario: &impl AsyncFn(&Fleet) -> usize,
    ) -> Outcome {
        let turn = self.starts.acquire().await;
        let fleet = Fleet::signed_in(engine, kind, deployment).await;
        drop(turn);
        let failed = scenario(&fleet).await;
        fleet.outcome(failed).await
    }
}

/// Runs a scenario, and says how much later than it asked this process was woken at worst.
async fn with_longest_stall<T>(run: impl Future<Output = T>) -> (T, Duration) {
    const TICK: Duration = Duration::from_millis(50);
    let longest = Cell::new(Duration::ZERO);
    let watch = async {
        loop {
            let asleep = Instant::now();
            sleep(TICK).await;
            longest.set(longest.get().max(asleep.elapsed().saturating_sub(TICK)));
        }
    };
    select! {
        result = run => (result, longest.get()),
        () = watch => unreachable!("the watch does not end"),
    }
}

/// An engine whose refresh tokens live as this kind of application needs it.
async fn engine(kind: Kind) -> Engine {
    let refresh_token = match kind {
        Kind::Confidential => 32,
        Kind::Confidential300 => 80,
        // The successors of a public application's refresh token end with it.
        Kind::Public | Kind::Young => 600,
    };
    let resource = |access_token_ttl| Resource {
        scope: "read:products write:products".to_owned(),
        access_token_ttl,
    };
    let resources = [(SHORT, Some(SHORT_TTL)), (BILLING, None), (PROBE, None)];
    let options = EngineOptions {
        redirect_uris: vec![url("/callback")],
        post_logout_redirect_uris: vec![url("/")],
        ttl: Lifetimes {
            refresh_token: Some(refresh_token),
            ..Lifetimes::default()
        },
        resources: resources
            .map(|(indicator, ttl)| (indicator.to_owned(), resource(ttl)))
            .into(),
        ..EngineOptions::default()
    };
    Engine::start(options).await
}

fn url(path: &str) -> Url {
    Url::parse(&format!("{BASE_URL}{path}")).unwrap()
}

/// The application.
pub(crate) struct Fleet {
    pub(crate) alice: Visitor,
    processes: Vec<LogtoWeb>,
    kind: Kind,
    at_engine: Browser,
    token_calls: Arc<AtomicUsize>,
    signed_in_at: Instant,
}

impl Fleet {
    /// Alice has just signed in.
    async fn signed_in(engine: &Engine, kind: Kind, deployment: Deployment) -> Self {
        let token_calls = Arc::default();
        let config = config(engine, kind);
        let mut fleet = Self {
            alice: Visitor::of_another_provider(),
            processes: processes(&config, deployment, &token_calls).await,
            kind,
            at_engine: engine.browser(),
            token_calls,
            signed_in_at: Instant::now(),
        };
        fleet.sign_in().await;
        fleet.signed_in_at = Instant::now();
        fleet.token_calls.store(0, SeqCst);
        fleet
    }

    /// Signs in, in process 0.
    pub(crate) async fn sign_in(&self) {
        let url = self.start(0, &SignIn::new()).await;
        self.come_back(0, &url).await;
    }

    /// Asks the `n`th process for a sign-in: the URL to which it leads.
    pub(crate) async fn start(&self, n: usize, sign_in: &SignIn) -> Url {
        self.alice.start_sign_in_with(self.web(n), sign_in).await
    }

    /// Signs in at the engine, and comes back to the `n`th process: where that leads.
    pub(crate) async fn come_back(&self, n: usize, authorization_url: &Url) -> Url {
        let outcome = self.at_engine.open(authorization_url.clone()).await;
        let VisitOutcome::Redirect(callback) = outcome else {
            panic!("the engine redirects: {outcome:?}");
        };
        location(&self.alice.come_back(self.web(n), &callback).await)
    }

    /// The process that serves the `n`th request.
    pub(crate) fn web(&self, n: usize) -> &LogtoWeb {
        &self.processes[n % self.processes.len()]
    }

    /// Waits until this many seconds after the sign-in.
    pub(crate) async fn until(&self, seconds: f64) {
        sleep_until(self.signed_in_at + Duration::from_secs_f64(seconds)).await;
    }

    /// Waits until a token for [`SHORT`] that was fetched after the sign-in has expired and the refresh
    /// token of a confidential application rotates.
    pub(crate) async fn turning_point(&self) {
        self.until(match self.kind {
            Kind::Confidential => 23.0,
            Kind::Confidential300 => 57.0,
            Kind::Public | Kind::Young => 9.5,
        })
        .await;
    }

    /// Visits that begin now, with the cookies of now, each of which asks after its own delay.
    pub(crate) async fn burst(
        &self,
        asking: impl IntoIterator<Item = (f64, TokenTarget)>,
    ) -> Vec<Result<AccessToken, Error>> {
        let visits = asking.into_iter().enumerate().map(|(n, (delay, target))| {
            let (visit, web) = (self.alice.get("/page"), self.web(n));
            let delay = Duration::from_secs_f64(delay);
            async move { visit.token_after(delay, web, &target).await }
        });
        join_all(visits).await
    }

    /// A page that needs a token.
    pub(crate) async fn token(&self, n: usize, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.alice.token(self.web(n), target).await
    }

    pub(crate) fn token_calls(&self) -> usize {
        self.token_calls.load(SeqCst)
    }

    /// As [`logto_tests::stage::Stage::outcome`].
    async fn outcome(&self, failed: usize) -> Outcome {
        let token_calls = self.token_calls();
        sleep(Duration::from_secs(4)).await;
        let probe = self.token(0, &TokenTarget::resource(PROBE)).await;
        assert_eq!(self.alice.ignored_cookies(), 0);
        if let Err(error) = &probe {
            println!("{:?}: {error}", self.kind);
        }
        Outcome {
            failed,
            token_calls,
            alive: probe.is_ok(),
        }
    }
}

fn config(engine: &Engine, kind: Kind) -> LogtoConfig {
    let (app, secret) = match kind {
        Kind::Public => (SPA, None),
        _ => (TRADITIONAL, Some(SECRET)),
    };
    let mut builder = LogtoConfig::builder(engine.endpoint().as_str(), app)
        .base_url(BASE_URL)
        .scopes(["email", "read:products", "write:products"])
        .resources([SHOPPING, SHORT, BILLING, PROBE])
        .expiry_leeway(Duration::ZERO);
    if let Some(secret) = secret {
        builder = builder.app_secret(secret);
    }
    builder.build().unwrap()
}

/// The processes of the application in a place; a store is one file of SQLite.
async fn processes(
    config: &LogtoConfig,
    deployment: Deployment,
    calls: &Arc<AtomicUsize>,
) -> Vec<LogtoWeb> {
    let ledger = MapStore::default();
    let cookies = || {
        let storage = CookieStorage::new(key_ring(), config, &codec());
        LogtoClient::builder(config.clone(), counting(calls), storage)
    };
    let shared = || cookies().shared_ledger(ledger.clone(), key_ring());
    let clients = match deployment {
        Deployment::Cookies => vec![cookies()],
        Deployment::CookiesApart => vec![cookies(), cookies()],
        Deployment::CookiesTogether => vec![shared(), shared()],
        Deployment::Memory => {
            let memory = MemoryStorage::new();
            vec![LogtoClient::builder(
                config.clone(),
                counting(calls),
                memory,
            )]
        }
        Deployment::Store => {
            let file = new_file();
            vec![
                stored(config, calls, &file).await,
                stored(config, calls, &file).await,
            ]
        }
    };
    clients
        .into_iter()
        .map(|client| LogtoWeb::new(client.build().unwrap(), codec(), key_ring()))
        .collect()
}

async fn stored(config: &LogtoConfig, calls: &Arc<AtomicUsize>, file: &Path) -> LogtoClientBuilder {
    let store = SqliteStore::open(file).await.unwrap();
    store.migrate().await.unwrap();
    let storage = ExternalStorage::new(store, key_ring(), config);
    LogtoClient::builder(config.clone(), counting(calls), storage)
}

/// A file of this test run that does not exist yet.
fn new_file() -> PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, SeqCst);
    let name = format!("engine-{}-{number}.sqlite", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// HTTP that counts the requests to the token endpoint.
fn counting(calls: &Arc<AtomicUsize>) -> impl HttpClient + use<> {
    let (http, calls) = (Arc::new(ReqwestClient::new().unwrap()), Arc::clone(calls));
    http_fn(move |request| {
        if request.uri().path().ends_with("/token") {
            calls.fetch_add(1, SeqCst);
        }
        let http = Arc::clone(&http);
        async move { http.send(request).await }
    })
}

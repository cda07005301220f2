//! The stage of the session scenarios: an application with an API whose tokens live for 20 seconds, one
//! process or several, and alice, who has signed in.

use std::time::Duration;

use logto_client::{
    AccessToken, Error, LogtoClientBuilder, TokenTarget,
    seal::{KeyRing, SealKey},
    web::{
        LogtoWeb,
        cookies::{CookieCodec, CookieOptions},
    },
};
use logto_storage::{CookieStorage, MemoryStorage};
use logto_testkit::{
    Organization, Resource,
    demo::{ACME, GLOBEX, SHOPPING_API},
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    shared::{MapStore, SharedStore},
    visitor::Visitor,
    world::{APP_ID, BASE_URL, PassingTime, World},
};

/// The API whose access tokens live for 20 seconds.
pub const SHORT: &str = "https://api.test/short";
/// Another API, whose tokens live for an hour.
pub const BILLING: &str = "https://api.test/billing";
/// An API that only the probe asks for.
pub const PROBE: &str = "https://api.test/probe";

/// What kind of application it is, and with it when refresh tokens rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a secret and refresh tokens of 100 seconds: they rotate from 70 seconds on.
    Confidential,
    /// With a secret and refresh tokens of 300 seconds: they rotate from 210 seconds on.
    Confidential300,
    /// Without a secret: they rotate at every use.
    Public,
    /// With a secret and refresh tokens of 14 days: they do not rotate while a scenario lasts.
    Young,
}

impl Kind {
    fn turning_point(self) -> Duration {
        Duration::from_secs(match self {
            Self::Confidential => 73,
            Self::Confidential300 => 213,
            Self::Public => 23,
            Self::Young => 25,
        })
    }

    fn world(self) -> World {
        let tenant = |logto: logto_testkit::LogtoBuilder| {
            logto
                .resource(Resource::new(SHORT).access_token_ttl(Duration::from_secs(20)))
                .resource(Resource::new(BILLING))
                .resource(Resource::new(PROBE))
                .organization(Organization::new("initech", "Initech").member("alice", ["member"]))
        };
        let ttl = |seconds| {
            move |app: logto_testkit::App| app.refresh_token_ttl(Duration::from_secs(seconds))
        };
        let world = match self {
            Self::Confidential => World::with(ttl(100), tenant),
            Self::Confidential300 => World::with(ttl(300), tenant),
            Self::Public => World::public(|app| app, tenant),
            Self::Young => World::with(|app| app, tenant),
        };
        world.configured(|config| {
            config
                .resources([SHORT, BILLING, PROBE])
                .expiry_leeway(Duration::ZERO)
        })
    }
}

/// Where sessions are, and how many processes serve them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// In cookies, served by one process.
    Cookies,
    /// In cookies, served by two processes that share nothing.
    CookiesApart,
    /// In cookies, served by two processes that share a ledger.
    CookiesTogether,
    /// In the memory of one process.
    Memory,
    /// In a store that two processes share.
    Store,
}

impl Deployment {
    /// All places.
    pub const ALL: [Self; 5] = [
        Self::Cookies,
        Self::CookiesApart,
        Self::CookiesTogether,
        Self::Memory,
        Self::Store,
    ];
}

/// The stage.
#[derive(Debug)]
pub struct Stage {
    /// Logto, the network and the time.
    pub world: World,
    /// The processes of the application.
    pub processes: Vec<LogtoWeb>,
    /// The shared store, where there is one.
    pub store: SharedStore,
    /// Alice's browser.
    pub alice: Visitor,
    kind: Kind,
    signed_in_at: Instant,
    _time: PassingTime,
}

impl Stage {
    /// The application runs and time passes; nobody has signed in.
    pub async fn empty(kind: Kind, deployment: Deployment) -> Self {
        let world = kind.world();
        let time = world.let_time_pass();
        world.network.set_latency(Duration::from_millis(40));
        let (store, ledger) = (SharedStore::default(), MapStore::default());
        let web = |client: LogtoClientBuilder| {
            let client = client.build().expect("the client is complete");
            LogtoWeb::new(client, codec(), key_ring())
        };
        let cookies = || world.client_builder(cookie_storage(&world));
        let processes = match deployment {
            Deployment::Cookies => vec![web(cookies())],
            Deployment::CookiesApart => vec![web(cookies()), web(cookies())],
            Deployment::CookiesTogether => {
                let shared = || cookies().shared_ledger(ledger.clone(), key_ring());
                vec![web(shared()), web(shared())]
            }
            Deployment::Memory => vec![web(world.client_builder(MemoryStorage::new()))],
            Deployment::Store => {
                let stored = || world.client_builder(store.clone());
                vec![web(stored()), web(stored())]
            }
        };
        let alice = Visitor::new(&world.logto);
        Self {
            world,
            processes,
            store,
            alice,
            kind,
            signed_in_at: Instant::now(),
            _time: time,
        }
    }

    /// As [`empty`](Self::empty), and alice has just signed in.
    pub async fn signed_in(kind: Kind, deployment: Deployment) -> Self {
        let mut stage = Self::empty(kind, deployment).await;
        let response = stage.alice.sign_in(stage.web(0), "alice").await;
        assert_eq!(
            response.status(),
            http::StatusCode::SEE_OTHER,
            "{response:?}"
        );
        stage.signed_in_at = Instant::now();
        stage.world.logto.reset_counts();
        stage
    }

    /// The process that serves the `n`th request.
    pub fn web(&self, n: usize) -> &LogtoWeb {
        self.processes
            .get(n % self.processes.len())
            .expect("there is a process")
    }

    /// Waits until this long after the sign-in.
    pub async fn until(&self, since_sign_in: Duration) {
        sleep_until(self.signed_in_at + since_sign_in).await;
    }

    /// Waits until the token for [`SHORT`] has expired and, but for a young session, the refresh token
    /// is about to rotate.
    pub async fn turning_point(&self) {
        self.until(self.kind.turning_point()).await;
    }

    /// How many requests the token endpoint has seen since the sign-in.
    pub fn token_calls(&self) -> usize {
        self.world.token_calls()
    }

    /// What came of the scenario, with a probe four seconds after its last request: can a token be had
    /// that nobody asked for before?
    pub async fn outcome(&self, failed: usize) -> Outcome {
        let token_calls = self.token_calls();
        sleep(Duration::from_secs(4)).await;
        let probe = self
            .alice
            .token(self.web(0), &TokenTarget::resource(PROBE))
            .await;
        assert_eq!(
            self.alice.ignored_cookies(),
            0,
            "the browser got a cookie that is too long"
        );
        Outcome {
            failed,
            token_calls,
            alive: probe.is_ok(),
        }
    }
}

/// What came of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Requests that did not get their token.
    pub failed: usize,
    /// Requests to the token endpoint.
    pub token_calls: usize,
    /// Whether the session lives.
    pub alive: bool,
}

/// Nothing lost, nothing failed, this many requests to the token endpoint.
pub const fn well(token_calls: usize) -> Outcome {
    Outcome {
        failed: 0,
        token_calls,
        alive: true,
    }
}

/// The token for [`SHORT`].
pub fn short() -> TokenTarget {
    TokenTarget::resource(SHORT)
}

/// Six different tokens.
pub fn six() -> [TokenTarget; 6] {
    [
        short(),
        TokenTarget::resource(SHOPPING_API),
        TokenTarget::resource(BILLING),
        TokenTarget::organization(ACME),
        TokenTarget::organization(GLOBEX),
        TokenTarget::resource(SHOPPING_API).in_organization(ACME),
    ]
}

/// How many of these failed.
pub fn failed(tokens: &[Result<AccessToken, Error>]) -> usize {
    tokens.iter().filter(|token| token.is_err()).count()
}

/// The cookies of the application. No proxy is in front, so that all tokens of a page have room in one
/// response.
pub fn codec() -> CookieCodec {
    codec_behind_a_proxy(16_384)
}

/// The same behind a proxy that takes response headers of this length.
pub fn codec_behind_a_proxy(response_limit: usize) -> CookieCodec {
    let base_url = url::Url::parse(BASE_URL).expect("a literal");
    CookieOptions::new(&base_url, APP_ID)
        .response_limit(response_limit)
        .build()
        .expect("the options are allowed")
}

/// The keys of the application.
pub fn key_ring() -> KeyRing {
    KeyRing::new(SealKey::new(&[7; 32]))
}

/// Sessions in the cookies of the application.
pub fn cookie_storage(world: &World) -> CookieStorage {
    CookieStorage::new(key_ring(), world.config(), &codec())
}

/// The application with sessions in its cookies, behind a proxy.
pub fn behind_a_proxy(world: &World, response_limit: usize) -> LogtoWeb {
    let codec = codec_behind_a_proxy(response_limit);
    let storage = CookieStorage::new(key_ring(), world.config(), &codec);
    LogtoWeb::new(world.client(storage), codec, key_ring())
}

//! A small world for the client: a Logto in the process, a clock that the test moves, a network that
//! the test breaks, and an observer that remembers.

use std::{
    borrow::Borrow,
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use logto_client::{
    CompletedSignIn, Context, LogtoClient, LogtoClientBuilder, LogtoConfig, Session, SignIn,
    UnixTime,
    clock::Clock,
    core::{
        config::LogtoConfigBuilder,
        sign_in::{Callback, PendingSignIn},
    },
    event::{Event, Observer},
    http::{TransportError, http_fn},
    storage::SessionStorage,
};
use logto_testkit::{App, Logto, LogtoBuilder, TestClock};
use url::Url;

/// The application of the world, as Logto knows it.
pub const APP_ID: &str = "world-app";
/// Its secret, which Basic credentials have to encode.
pub const APP_SECRET: &str = "s3cr3t+/ :%";
/// Its root.
pub const BASE_URL: &str = "http://localhost:3000";

/// A Logto and the way to it.
#[derive(Clone, Debug)]
pub struct World {
    /// The provider.
    pub logto: Logto,
    /// The time of the provider and of every client.
    pub clock: TestClock,
    /// The way to the provider.
    pub network: Network,
    /// What clients told.
    pub events: Events,
    config: LogtoConfig,
    builder: LogtoConfigBuilder,
}

/// Time passes as long as this lives.
#[derive(Debug)]
pub struct PassingTime(tokio::task::JoinHandle<()>);

impl Drop for PassingTime {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const TICK: Duration = Duration::from_millis(10);

impl World {
    /// The demo's tenant with the application of the world: confidential, refresh tokens of 14 days.
    pub fn new() -> Self {
        Self::with(|app| app, |logto| logto)
    }

    /// As [`new`](Self::new), with another application and another tenant.
    pub fn with(
        app: impl FnOnce(App) -> App,
        tenant: impl FnOnce(LogtoBuilder) -> LogtoBuilder,
    ) -> Self {
        let app = app(App::traditional(APP_ID, APP_SECRET));
        Self::build(app, tenant, |config| config.app_secret(APP_SECRET))
    }

    /// As [`with`](Self::with), with a public application: it has no secret, and its refresh token
    /// rotates at every use.
    pub fn public(
        app: impl FnOnce(App) -> App,
        tenant: impl FnOnce(LogtoBuilder) -> LogtoBuilder,
    ) -> Self {
        Self::build(app(App::spa(APP_ID)), tenant, |config| config)
    }

    fn build(
        app: App,
        tenant: impl FnOnce(LogtoBuilder) -> LogtoBuilder,
        config: impl FnOnce(LogtoConfigBuilder) -> LogtoConfigBuilder,
    ) -> Self {
        let clock = TestClock::at_unix_seconds(1_800_000_000);
        let app = app
            .redirect_uri(format!("{BASE_URL}/callback"))
            .post_logout_redirect_uri(format!("{BASE_URL}/"));
        let logto = tenant(Logto::demo())
            .clock(clock.clone())
            .app(app)
            .build()
            .expect("the tenant is well-formed");
        let builder = config(LogtoConfig::builder(logto.endpoint(), APP_ID))
            .base_url(BASE_URL)
            .scopes([
                "email",
                "urn:logto:scope:organizations",
                "urn:logto:scope:organization_roles",
            ])
            .scopes(["read:products", "write:products", "read:shipments"])
            .resource(logto_testkit::demo::SHOPPING_API);
        Self {
            network: Network::to(logto.clone()),
            logto,
            clock,
            events: Events::default(),
            config: builder
                .clone()
                .build()
                .expect("the configuration is well-formed"),
            builder,
        }
    }

    /// The same world for an application that is configured differently.
    #[must_use]
    pub fn configured(
        mut self,
        change: impl FnOnce(LogtoConfigBuilder) -> LogtoConfigBuilder,
    ) -> Self {
        self.builder = change(self.builder);
        self.config = self
            .builder
            .clone()
            .build()
            .expect("the configuration is well-formed");
        self
    }

    /// Lets the world's time pass with Tokio's, until the answer is dropped. Paused time then passes as
    /// soon as everybody waits.
    pub fn let_time_pass(&self) -> PassingTime {
        let clock = self.clock.clone();
        PassingTime(tokio::spawn(async move {
            let mut last = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(TICK).await;
                clock.advance(last.elapsed());
                last = tokio::time::Instant::now();
            }
        }))
    }

    /// The configuration of the application.
    pub fn config(&self) -> &LogtoConfig {
        &self.config
    }

    /// A client of this world, to be built.
    pub fn client_builder(&self, storage: impl SessionStorage + 'static) -> LogtoClientBuilder {
        LogtoClient::builder(self.config.clone(), self.network.client(), storage)
            .clock(WorldClock(self.clock.clone()))
            .observer(self.events.clone())
    }

    /// A client of this world: another one is another process, as long as they share no storage.
    pub fn client(&self, storage: impl SessionStorage + 'static) -> LogtoClient {
        self.client_builder(storage)
            .build()
            .expect("the client is complete")
    }

    /// HTTP and time of this world, for clients that have no sessions.
    pub fn context(&self) -> Context {
        Context::new(self.network.client())
            .clock(WorldClock(self.clock.clone()))
            .observer(self.events.clone())
    }

    /// The current time.
    pub fn now(&self) -> UnixTime {
        WorldClock(self.clock.clone()).now()
    }

    /// Starts a sign-in and lets `user` consent: what the browser then has to bring back.
    pub async fn visit_logto(&self, client: &LogtoClient, user: &str) -> (PendingSignIn, Callback) {
        let (url, pending) = client
            .sign_in(&SignIn::new())
            .await
            .expect("a sign-in starts");
        let callback = self.logto.sign_in(&url, user).expect("the user consents");
        (pending, callback_of(&callback))
    }

    /// Signs `user` in.
    pub async fn sign_in(&self, client: &LogtoClient, user: &str) -> CompletedSignIn {
        let (pending, callback) = self.visit_logto(client, user).await;
        client
            .complete_sign_in(Some(pending), callback, None)
            .await
            .expect("the sign-in completes")
    }

    /// How many requests the token endpoint has seen.
    pub fn token_calls(&self) -> usize {
        self.logto.count(logto_testkit::Endpoint::Token)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a story in paused time: for properties, which are not async.
pub fn in_paused_time(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made")
        .block_on(story);
}

/// The refresh token that a session has now.
pub fn refresh_token_of(session: impl Borrow<Session>) -> String {
    let refresh_token = session.borrow().refresh_token();
    refresh_token.expect("it has one").expose().to_owned()
}

/// The callback that a browser brings to this URL.
pub fn callback_of(url: &Url) -> Callback {
    Callback::from_query(url.query().unwrap_or_default()).expect("the callback is well-formed")
}

/// The kit's clock as the client's; its stopwatch follows Tokio's time, which tests can pause.
#[derive(Clone, Debug)]
pub struct WorldClock(pub TestClock);

impl Clock for WorldClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(i64::try_from(self.0.unix_seconds()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        // Each test has a Tokio time of its own, which begins when the test does.
        tokio::time::Instant::now().duration_since(long_ago())
    }
}

/// A moment before every test.
#[allow(clippy::disallowed_methods, reason = "where the stopwatch begins")]
fn long_ago() -> tokio::time::Instant {
    static LONG_AGO: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let long_ago = LONG_AGO.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(Duration::from_secs(600)).unwrap_or(now)
    });
    tokio::time::Instant::from_std(*long_ago)
}

/// What a client told, in order.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    /// Everything so far.
    pub fn all(&self) -> Vec<Event> {
        self.0
            .lock()
            .expect("no test panics while it holds this")
            .clone()
    }

    /// How many sessions have ended without a sign-out.
    pub fn ended_sessions(&self) -> usize {
        self.count(|event| matches!(event, Event::SessionEnded { .. }))
    }

    /// How many events are of a kind.
    pub fn count(&self, is_of_kind: impl Fn(&Event) -> bool) -> usize {
        self.all().iter().filter(|event| is_of_kind(event)).count()
    }
}

impl Observer for Events {
    fn on_event(&self, event: &Event) {
        self.0
            .lock()
            .expect("no test panics while it holds this")
            .push(event.clone());
    }
}

/// What happens to one request on the way.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// It never leaves.
    Refused,
    /// It arrives, and the answer is lost.
    AnswerLost,
    /// It is lost before it arrives, and nobody can tell.
    RequestLost,
    /// This is answered instead, and the provider sees nothing.
    Answered(u16, &'static str, &'static str),
    /// The provider sees it, and this is answered instead.
    Garbled(u16, &'static str, &'static str),
    /// The answer takes this much longer, in Tokio's time.
    Slow(Duration),
    /// It arrives, and this much later the answer is lost.
    SlowlyLost(Duration),
    /// This much later this is answered instead, and the provider sees nothing.
    SlowlyAnswered(Duration, u16, &'static str, &'static str),
    /// The provider sees it, and its answer is changed on the way.
    Edited(fn(&mut serde_json::Value)),
    /// The provider sees nothing, and is said to be busy, with this `Retry-After`.
    Busy(u16, Option<&'static str>),
    /// The provider sees nothing, and the client is sent elsewhere.
    Redirected(u16, &'static str),
}

/// The way to the provider: takes some time, and breaks when told to.
#[derive(Clone, Debug)]
pub struct Network {
    logto: Logto,
    state: Arc<Mutex<NetworkState>>,
}

#[derive(Debug, Default)]
struct NetworkState {
    latency: Duration,
    mishaps: VecDeque<(&'static str, Mishap)>,
    under_way: usize,
    most_under_way: usize,
    hosts: BTreeSet<String>,
}

/// One request on its way; also one whose sender has given up ends here.
struct UnderWay(Network);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
    }
}

impl Network {
    fn to(logto: Logto) -> Self {
        Self {
            logto,
            state: Arc::default(),
        }
    }

    /// How long every answer takes, in Tokio's time.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// What happens to the next request whose path ends with `path`; several are queued.
    pub fn next(&self, path: &'static str, mishap: Mishap) {
        self.lock().mishaps.push_back((path, mishap));
    }

    /// Mends the network.
    pub fn mend(&self) {
        self.lock().mishaps.clear();
    }

    /// How many requests were on their way at the same time, at most.
    pub fn most_under_way(&self) -> usize {
        self.lock().most_under_way
    }

    /// The hosts that requests were for.
    pub fn hosts(&self) -> BTreeSet<String> {
        self.lock().hosts.clone()
    }

    /// HTTP over this network.
    pub fn client(&self) -> impl logto_client::http::HttpClient + use<> {
        let network = self.clone();
        http_fn(move |request| {
            let network = network.clone();
            async move { network.carry(request).await }
        })
    }

    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (latency, mishap) = {
            let mut state = self.lock();
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            let host = request.uri().host().unwrap_or_default().to_owned();
            state.hosts.insert(host);
            let path = request.uri().path().to_owned();
            let position = state
                .mishaps
                .iter()
                .position(|(end, _)| path.ends_with(end));
            (
                state.latency,
                position.and_then(|position| state.mishaps.remove(position)),
            )
        };
        let _under_way = UnderWay(self.clone());
        let lost = || TransportError::Lost("connection reset".to_owned());
        match mishap {
            None => {
                tokio::time::sleep(latency / 2).await;
                let answer = self.logto.handle(request);
                tokio::time::sleep(latency / 2).await;
                Ok(answer)
            }
            Some((_, Mishap::Refused)) => Err(TransportError::NotSent("refused".to_owned())),
            Some((_, Mishap::RequestLost)) => Err(lost()),
            Some((_, Mishap::AnswerLost)) => {
                drop(self.logto.handle(request));
                Err(lost())
            }
            Some((_, Mishap::Answered(status, content_type, body))) => {
                Ok(answer(status, content_type, body))
            }
            Some((_, Mishap::Garbled(status, content_type, body))) => {
                drop(self.logto.handle(request));
                Ok(answer(status, content_type, body))
            }
            Some((_, Mishap::Slow(duration))) => {
                let answer = self.logto.handle(request);
                tokio::time::sleep(duration).await;
                Ok(answer)
            }
            Some((_, Mishap::SlowlyLost(duration))) => {
                drop(self.logto.handle(request));
                tokio::time::sleep(duration).await;
                Err(lost())
            }
            Some((_, Mishap::SlowlyAnswered(duration, status, content_type, body))) => {
                tokio::time::sleep(duration).await;
                Ok(answer(status, content_type, body))
            }
            Some((_, Mishap::Edited(edit))) => {
                let answer = self.logto.handle(request);
                Ok(answer.map(|body| edited(&body, edit)))
            }
            Some((_, Mishap::Busy(status, retry_after))) => Ok(with_header(
                answer(status, "text/html", "busy"),
                "retry-after",
                retry_after,
            )),
            Some((_, Mishap::Redirected(status, location))) => Ok(with_header(
                answer(status, "text/html", ""),
                "location",
                Some(location),
            )),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, NetworkState> {
        self.state
            .lock()
            .expect("no test panics while it holds this")
    }
}

fn answer(status: u16, content_type: &str, body: &'static str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::from_static(body.as_bytes()))
        .expect("the answer is well-formed")
}

fn edited(body: &[u8], edit: fn(&mut serde_json::Value)) -> Bytes {
    let mut value = serde_json::from_slice(body).expect("the provider answers JSON");
    edit(&mut value);
    value.to_string().into()
}

fn with_header(
    mut response: Response<Bytes>,
    name: &'static str,
    value: Option<&'static str>,
) -> Response<Bytes> {
    if let Some(value) = value {
        let value = http::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

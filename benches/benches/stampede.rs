//! A thousand requests at once for one session whose access token has expired: how many requests to the
//! token endpoint does that take? `cargo bench --bench stampede`.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use logto_benches::fixtures;
use logto_client::{
    Context, LogtoClient, LogtoConfig, SignIn, TokenTarget,
    clock::Clock,
    core::{UnixTime, sign_in::Callback},
    http::{HttpClient, http_fn},
    seal::{KeyRing, SealKey},
    storage::{Handle, SessionStorage},
    web::cookies::CookieOptions,
};
use logto_storage::{CookieStorage, MemoryStorage};
use logto_testkit::{App, Endpoint, Logto, TestClock, demo::SHOPPING_API};
use tokio::task::JoinSet;

const APP_ID: &str = "bench-spa";
const CALLS: usize = 1_000;
/// How long the provider takes to answer.
const LATENCY: Duration = Duration::from_millis(50);

fn main() {
    println!(
        "\n### {CALLS} calls at once for one expired session, {} ms to the provider\n",
        LATENCY.as_millis()
    );
    println!(
        "| sessions in | token requests | calls that succeed | different tokens | replays | ms until the last answer |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    let runtime = fixtures::runtime();
    runtime.block_on(stampede("memory", |_| Arc::new(MemoryStorage::new())));
    runtime.block_on(stampede("cookies", |config| {
        let base_url = config.base_url().expect("set below");
        let cookies = CookieOptions::new(base_url, APP_ID)
            .build()
            .expect("cookies");
        let keys = KeyRing::new(SealKey::new(&[7; 32]));
        Arc::new(CookieStorage::new(keys, config, &cookies))
    }));
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn stampede(name: &str, storage: impl Fn(&LogtoConfig) -> Arc<dyn SessionStorage>) {
    let clock = TestClock::at_unix_seconds(1_800_000_000);
    // A public application: its refresh token is replaced at every use, and a replay ends the grant.
    let app = App::spa(APP_ID).redirect_uri("http://localhost:3000/callback");
    let logto = Logto::demo()
        .clock(clock.clone())
        .app(app)
        .build()
        .expect("a tenant");
    let config = LogtoConfig::builder(logto.endpoint(), APP_ID)
        .base_url("http://localhost:3000")
        .resource(SHOPPING_API)
        .build()
        .expect("a configuration");
    let storage = storage(&config);
    let context = Context::new(slow(&logto)).clock(Moved(clock.clone()));
    let client = LogtoClient::builder(config, context, storage)
        .build()
        .expect("a client");
    let handle = sign_in(&client, &logto).await;
    clock.advance(Duration::from_secs(3_600));
    logto.reset_counts();

    let start = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (client, handle) = (client.clone(), handle.clone());
        calls.spawn(async move {
            let session = client.session(&handle).await.ok().flatten()?;
            let token = session
                .access_token(&TokenTarget::resource(SHOPPING_API))
                .await
                .ok()?;
            Some(token.token.expose().to_owned())
        });
    }
    let tokens: Vec<String> = calls.join_all().await.into_iter().flatten().collect();
    println!(
        "| {name} | {} | {} | {} | {} | {} |",
        logto.count(Endpoint::Token),
        tokens.len(),
        tokens.iter().collect::<HashSet<_>>().len(),
        logto.late_replays(),
        start.elapsed().as_millis(),
    );
}

/// Alice's session, with an access token for the API.
async fn sign_in(client: &LogtoClient, logto: &Logto) -> Handle {
    let (url, pending) = client.sign_in(&SignIn::new()).await.expect("a sign-in");
    let callback = logto.sign_in(&url, "alice").expect("alice signs in");
    let callback = Callback::from_query(callback.query().unwrap_or_default()).expect("a callback");
    let completed = client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .expect("signed in");
    completed
        .session
        .access_token(&TokenTarget::resource(SHOPPING_API))
        .await
        .expect("a token");
    completed.session.handle()
}

fn slow(logto: &Logto) -> impl HttpClient + use<> {
    let logto = logto.clone();
    http_fn(move |request| {
        let logto = logto.clone();
        async move {
            tokio::time::sleep(LATENCY).await;
            Ok(logto.handle(request))
        }
    })
}

/// The provider's clock, as the client's.
#[derive(Debug)]
struct Moved(TestClock);

impl Clock for Moved {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(i64::try_from(self.0.unix_seconds()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.unix_seconds())
    }
}

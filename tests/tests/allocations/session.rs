//! Requests that read their session.

use std::{sync::Arc, time::Duration};

use allocation_counter::measure;
use futures_util::FutureExt;
use http::{HeaderMap, header};
use logto_client::{
    Context, LogtoClient, LogtoConfig, Session, TokenTarget, UnixTime,
    clock::Clock,
    http::http_fn,
    seal::{KeyRing, SealKey},
    session::Cached,
    storage::SessionStorage,
    web::{
        LogtoWeb,
        cookies::{CookieCodec, CookieOptions},
    },
};
use logto_storage::{CookieStorage, MemoryStorage, conformance::Sample};
use logto_testkit::Logto;

/// Session and cookies of its own making are known, so nothing has to be waited for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

/// The time of the session, and its user.
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const USER: &str = "alice";

#[derive(Debug)]
struct Then;

impl Clock for Then {
    fn now(&self) -> UnixTime {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Reading {
    web: LogtoWeb,
    headers: HeaderMap,
}

impl Reading {
    /// An application with these sessions, and the headers of a request that carries one of them.
    fn new(storage: impl SessionStorage + 'static, session: &Session) -> Self {
        let logto = Logto::demo().build().unwrap();
        let http = http_fn(move |request| {
            let logto = logto.clone();
            async move { Ok(logto.handle(request)) }
        });
        let storage: Arc<dyn SessionStorage> = Arc::new(storage);
        let (handle, _) = at_once(storage.create(session, NOW)).unwrap();
        let client = LogtoClient::builder(config(), Context::new(http).clock(Then), storage);
        let web = LogtoWeb::new(client.build().unwrap(), codec(), keys());
        let written = codec().write(&codec().read(&HeaderMap::new()), &handle, 0);
        let mut cookie = "theme=dark".to_owned();
        for set_cookie in written.unwrap().set_cookies {
            let set_cookie = set_cookie.to_str().unwrap().to_owned();
            cookie.push_str("; ");
            cookie.push_str(set_cookie.split(';').next().unwrap());
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        Self { web, headers }
    }

    /// Reads the session, and what is asked for.
    fn read(&self, asked: Asked) {
        let session = at_once(self.web.read_only_session(&self.headers));
        let session = session.unwrap().unwrap();
        if asked.claims {
            assert_eq!(session.claims().sub, USER);
        }
        if asked.token {
            let token = session.access_token(&TokenTarget::user_info());
            assert!(matches!(token, Cached::Valid(_)));
        }
    }

    /// How often a request asks for memory, from the second on.
    fn allocations(&self, asked: Asked) -> u64 {
        self.read(asked);
        measure(|| self.read(asked)).count_total
    }
}

/// What a page asks its session for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    claims: bool,
    token: bool,
}

fn config() -> LogtoConfig {
    LogtoConfig::builder("https://tenant.logto.app", "app")
        .app_secret("secret")
        .base_url("https://app.example.com")
        .build()
        .unwrap()
}

fn codec() -> CookieCodec {
    CookieOptions::new(config().base_url().unwrap(), "app")
        .budget(65_536)
        .response_limit(65_536)
        .build()
        .unwrap()
}

fn keys() -> KeyRing {
    KeyRing::new(SealKey::new(&[7; 32]))
}

fn session(access_tokens: usize) -> Session {
    let sample = Sample {
        subject: USER.to_owned(),
        created_at: NOW,
        access_tokens,
        ..Sample::default()
    };
    sample.build().unwrap()
}

fn in_cookies() -> CookieStorage {
    CookieStorage::new(keys(), &config(), &codec())
}

#[test]
fn w6_a_session_that_was_seen_before_takes_one_allocation_in_cookies_and_two_in_memory() {
    for access_tokens in [0, 1, 4] {
        let session = session(access_tokens);
        let asked = Asked {
            claims: true,
            token: access_tokens > 0,
        };
        let read = Reading::new(in_cookies(), &session).allocations(asked);
        assert!(read <= 1, "cookies, {access_tokens} access tokens: {read}");
        let read = Reading::new(MemoryStorage::new(), &session).allocations(asked);
        assert!(read <= 2, "memory, {access_tokens} access tokens: {read}");
    }
}

#[test]
fn w6_at_first_sight_nothing_is_decoded_that_nobody_asks_for() {
    let read = [(0, false), (4, false), (4, true)].map(|(access_tokens, token)| {
        let claims = false;
        let storage = in_cookies().keep_opened(0);
        let reading = Reading::new(storage, &session(access_tokens));
        reading.allocations(Asked { claims, token })
    });
    let at_most = [9, 10, 23];
    assert!(
        read.iter()
            .zip(&at_most)
            .all(|(read, at_most)| read <= at_most),
        "{read:?}"
    );
}

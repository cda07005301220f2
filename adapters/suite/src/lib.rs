//! One behavioural suite over HTTP that every example of a web framework passes.
//!
//! A [`Stage`] runs the program of an example as a process of its own, with a Logto that this process
//! serves, and moves the clock of both. `tests/suite` has the table of examples and the scenarios.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it is a test"
)]

mod directory;
#[cfg(feature = "services")]
mod nginx;
mod program;
#[cfg(feature = "services")]
mod redis;

use std::{fmt, fs, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use logto::{
    ReqwestClient,
    client::http::HttpClient,
    test::{
        Browser, KitClock, Page,
        testkit::{Logto, Server, TestClock, demo},
    },
};
use url::Url;

use directory::Directory;
#[cfg(feature = "services")]
pub use nginx::Proxy;
pub use program::{Program, free_port};
#[cfg(feature = "services")]
pub use redis::Redis;

/// Where the sessions of a stage live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// In the memory of the program.
    Memory,
    /// In encrypted cookies.
    Cookies,
    /// In a Redis that belongs to the stage.
    #[cfg(feature = "services")]
    Redis,
}

/// A program, its Logto, and the time of both.
pub struct Stage {
    package: &'static str,
    sessions: Sessions,
    server: Server,
    base_url: Url,
    clock: TestClock,
    clock_file: PathBuf,
    program: Program,
    /// The way to the base URL.
    http: Arc<dyn HttpClient>,
    #[cfg(feature = "services")]
    redis: Option<Redis>,
    #[cfg(feature = "services")]
    _nginx: Option<nginx::Nginx>,
    _directory: Directory,
}

/// What cookies are sealed with.
pub const COOKIE_KEY: &str = "9u4vJ0mQ2xWc7TqZsB1nRk8yLpHdEgAf5oXiUwMtVjY";

impl Stage {
    /// Starts the program of this package.
    pub async fn start(package: &'static str, sessions: Sessions) -> Self {
        let port = program::free_port();
        let base_url = Url::parse(&format!("http://localhost:{port}")).unwrap();
        Self::new(package, sessions, port, base_url).await
    }

    /// As [`start`](Self::start), behind nginx.
    #[cfg(feature = "services")]
    pub async fn behind_nginx(package: &'static str, sessions: Sessions, proxy: Proxy) -> Self {
        let port = program::free_port();
        let nginx = nginx::Nginx::start(proxy, port).await;
        let base_url = nginx.base_url.clone();
        let mut stage = Self::new(package, sessions, port, base_url).await;
        stage.http = Arc::new(nginx.client());
        stage._nginx = Some(nginx);
        stage
    }

    async fn new(package: &'static str, sessions: Sessions, port: u16, base_url: Url) -> Self {
        let clock = TestClock::new();
        let tenant = Logto::demo_for(base_url.as_str(), "/callback").clock(clock.clone());
        let server = tenant.listen(0).await.expect("a port is free");
        let directory = Directory::new("clock");
        let clock_file = directory.path().join("now");
        write_time(&clock_file, &clock);
        let mut variables = demo::variables(server.logto(), base_url.as_str()).to_vec();
        variables.push(("PORT", port.to_string()));
        variables.push(("LOGTO_TEST_CLOCK", clock_file.display().to_string()));
        if sessions != Sessions::Memory {
            variables.push(("LOGTO_COOKIE_KEY", COOKIE_KEY.to_owned()));
        }
        #[cfg(feature = "services")]
        let redis = match sessions {
            Sessions::Redis => Some(Redis::start().await),
            Sessions::Memory | Sessions::Cookies => None,
        };
        #[cfg(feature = "services")]
        variables.extend(redis.iter().map(|redis| ("LOGTO_SESSION_URL", redis.url())));
        Self {
            program: Program::start(package, port, variables).await,
            http: Arc::new(ReqwestClient::new().expect("TLS is set up")),
            package,
            sessions,
            server,
            base_url,
            clock,
            clock_file,
            #[cfg(feature = "services")]
            redis,
            #[cfg(feature = "services")]
            _nginx: None,
            _directory: directory,
        }
    }

    /// Where the sessions live.
    pub fn sessions(&self) -> Sessions {
        self.sessions
    }

    /// The store of [`Sessions::Redis`].
    #[cfg(feature = "services")]
    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("the sessions are in Redis")
    }

    /// The provider.
    pub fn logto(&self) -> &Logto {
        self.server.logto()
    }

    /// Where browsers find the program.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// A browser that has never been here.
    pub fn browser(&self) -> Browser {
        Browser::new(self.logto(), &self.base_url, Arc::clone(&self.http))
            .clock(KitClock::new(self.clock.clone()))
    }

    /// A browser in which alice is signed in.
    pub async fn alice(&self) -> Browser {
        let browser = self.browser();
        let page = browser.sign_in("/private", "alice", "password").await;
        let page = page.unwrap();
        assert!(page.status().is_success(), "{}: {page:?}", self.package);
        browser
    }

    /// Sends a request that comes from a server, not from a browser.
    pub async fn send(&self, request: Request<Bytes>) -> http::Response<Bytes> {
        self.http.send(request).await.expect("the program answers")
    }

    /// Lets time pass, for the program, its Logto and the browsers.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        write_time(&self.clock_file, &self.clock);
    }

    /// Ends the program and starts it again.
    pub async fn restart(&mut self) {
        self.program.restart().await;
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("package", &self.package)
            .field("base_url", &self.base_url.as_str())
            .finish_non_exhaustive()
    }
}

/// Whether the program takes the browser for signed in. Any other answer than yes or no is a failure.
pub async fn is_signed_in(browser: &Browser) -> bool {
    let page: Page = browser.fetch("/private").await.unwrap();
    match page.status().as_u16() {
        200 => true,
        401 => false,
        status => panic!("{status}: {}", page.text()),
    }
}

/// A file that is replaced at once, so that no half of a number is read.
fn write_time(file: &PathBuf, clock: &TestClock) {
    let new = file.with_extension("new");
    fs::write(&new, clock.unix_seconds().to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

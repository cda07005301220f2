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

mod prefix;
mod program;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

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

use prefix::WithoutPrefix;
pub use program::{Program, free_port};

/// Where the sessions of a stage live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// In the memory of the program.
    Memory,
    /// In encrypted cookies.
    Cookies,
}

/// A program, its Logto, and the time of both.
#[derive(Debug)]
pub struct Stage {
    package: &'static str,
    sessions: Sessions,
    server: Server,
    base_url: Url,
    clock: TestClock,
    clock_file: PathBuf,
    program: Program,
    http: ReqwestClient,
}

/// What cookies are sealed with.
pub const COOKIE_KEY: &str = "9u4vJ0mQ2xWc7TqZsB1nRk8yLpHdEgAf5oXiUwMtVjY";

impl Stage {
    /// Starts the program of this package.
    pub async fn start(package: &'static str, sessions: Sessions) -> Self {
        Self::start_below(package, sessions, "").await
    }

    /// As [`start`](Self::start), behind a proxy that serves the program below `prefix` and removes it from the
    /// requests.
    pub async fn start_below(package: &'static str, sessions: Sessions, prefix: &str) -> Self {
        let port = program::free_port();
        let base_url = Url::parse(&format!("http://localhost:{port}{prefix}")).unwrap();
        let clock = TestClock::new();
        let tenant = Logto::demo_for(base_url.as_str(), "/callback").clock(clock.clone());
        let server = tenant.listen(0).await.expect("a port is free");
        let clock_file = clock_file();
        write_time(&clock_file, &clock);
        let mut variables = demo::variables(server.logto(), base_url.as_str()).to_vec();
        variables.push(("PORT", port.to_string()));
        variables.push(("LOGTO_TEST_CLOCK", clock_file.display().to_string()));
        if sessions == Sessions::Cookies {
            variables.push(("LOGTO_COOKIE_KEY", COOKIE_KEY.to_owned()));
        }
        Self {
            program: Program::start(package, port, variables).await,
            http: ReqwestClient::new().expect("TLS is set up"),
            package,
            sessions,
            server,
            base_url,
            clock,
            clock_file,
        }
    }

    /// Where the sessions live.
    pub fn sessions(&self) -> Sessions {
        self.sessions
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
        let prefix = self.base_url.path().trim_end_matches('/').to_owned();
        let application = WithoutPrefix::new(self.http.clone(), prefix);
        Browser::new(self.logto(), &self.base_url, application)
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

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.clock_file);
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

fn clock_file() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("logto-suite-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

/// A file that is replaced at once, so that no half of a number is read.
fn write_time(file: &PathBuf, clock: &TestClock) {
    let new = file.with_extension("new");
    fs::write(&new, clock.unix_seconds().to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

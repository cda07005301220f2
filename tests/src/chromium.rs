//! A real Chromium, driven through its WebDriver.

use std::{ops::Deref, path::PathBuf, process::Stdio, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::{
    Capabilities, ChromiumLikeCapabilities, DesiredCapabilities, RequestData, SessionId, WebDriver,
    common::{command::FormatRequestData, config::WebDriverConfig},
    extensions::cdp::ChromeDevTools,
    prelude::*,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};
use url::Url;

/// How long a page may take to show what is expected.
pub(crate) const PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before another look.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// One person's browser, with a profile of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Chromium {
    // In the order in which they end: the session at the driver, the driver, what both have written.
    driver: WebDriver,
    _process: Child,
    _output: Lines<BufReader<ChildStdout>>,
    _directory: Directory,
}

/// Whether a frame of another site has cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThirdPartyCookies {
    /// As this version of Chromium thinks best.
    Default,
    /// The user allows them.
    Allowed,
    /// The user blocks them.
    Blocked,
}

/// A cookie as Chromium keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that it is for. Ports make no difference.
    pub domain: String,
    /// Where on the host it is sent.
    pub path: String,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// Whether it is sent only where nobody can listen.
    pub secure: bool,
    /// Whether it is gone with the browser.
    pub session: bool,
    /// From where it is sent along, if that was said.
    pub same_site: Option<String>,
}

impl Chromium {
    /// Starts a browser without any cookies.
    ///
    /// # Panics
    ///
    /// When Chromium or its driver is missing.
    pub async fn start() -> Self {
        Self::start_with(ThirdPartyCookies::Default).await
    }

    /// As [`start`](Self::start), with a setting of the user's.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(third_party_cookies: ThirdPartyCookies) -> Self {
        let directory = Directory::new();
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", &directory.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "the tests in a browser need `chromium` and `chromedriver` of the same version \
                     ({error}): `ci/install.sh` installs them on Debian"
                )
            });
        let stdout = process.stdout.take().expect("the driver's output is piped");
        let mut output = BufReader::new(stdout).lines();
        let port = port(&mut output).await;
        let driver = connect(port, third_party_cookies).await;
        Self {
            driver,
            _process: process,
            _output: output,
            _directory: directory,
        }
    }

    /// Goes to an address, as if it were typed.
    pub async fn open(&self, url: &Url) {
        self.goto(url.as_str()).await.expect("the page loads");
    }

    /// Waits until the page has this heading.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub async fn shows(&self, heading: &str) {
        let appears = async {
            while self.text("h1").await.as_deref() != Some(heading) {
                sleep(GLANCE).await;
            }
        };
        if timeout(PAGE_TIMEOUT, appears).await.is_err() {
            let (url, page) = (self.current_url().await, self.source().await);
            panic!("{heading:?} does not appear at {url:?}: {page:?}");
        }
    }

    /// Waits until the page contains this text.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub async fn contains(&self, text: &str) {
        let appears = async {
            while !self
                .text("body")
                .await
                .is_some_and(|body| body.contains(text))
            {
                sleep(GLANCE).await;
            }
        };
        if timeout(PAGE_TIMEOUT, appears).await.is_err() {
            panic!("{text:?} does not appear: {:?}", self.source().await);
        }
    }

    /// Waits until the tab is at an address.
    ///
    /// # Panics
    ///
    /// When it does not get there.
    pub async fn arrives_at(&self, url: &Url) {
        let arrives = async {
            while self.current_url().await.ok().as_ref() != Some(url) {
                sleep(GLANCE).await;
            }
        };
        if timeout(PAGE_TIMEOUT, arrives).await.is_err() {
            panic!("the tab is at {:?}, not at {url}", self.current_url().await);
        }
    }

    /// The text of the first element that the CSS selector finds, if there is one now.
    pub async fn text(&self, selector: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.textContent";
        // While one page gives way to the next there is none.
        let text = self.execute(script, vec![json!(selector)]).await.ok()?;
        text.json().as_str().map(str::to_owned)
    }

    /// Clicks on the first element that the CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let element = self.find(By::Css(selector)).await;
        let clicked = element.expect("there is something to click").click().await;
        clicked.expect("it can be clicked");
    }

    /// Writes into the field of this name, instead of what is there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(By::Name(name)).await.expect("there is a field");
        field.clear().await.expect("it can be emptied");
        field.send_keys(text).await.expect("it can be written in");
    }

    /// Opens another tab and goes there.
    pub async fn new_tab(&self) -> WindowHandle {
        let tab = self.driver.new_tab().await.expect("a tab opens");
        self.go_to_tab(&tab).await;
        tab
    }

    /// Goes to a tab.
    pub async fn go_to_tab(&self, tab: &WindowHandle) {
        let gone = self.switch_to_window(tab.clone()).await;
        gone.expect("the tab is there");
    }

    /// Runs a script in the page, with `done` to call with its result.
    pub async fn run(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        let result = self.execute_async(script, Vec::new()).await;
        result.expect("the script ends").json().clone()
    }

    /// The cookies for a host, by name.
    pub async fn cookies(&self, host: &str) -> Vec<Cookie> {
        #[derive(Deserialize)]
        struct Kept {
            cookies: Vec<Cookie>,
        }

        let tools = ChromeDevTools::new(self.handle.clone());
        let kept = tools.execute_cdp("Storage.getCookies").await;
        let kept = serde_json::from_value(kept.expect("Chromium shows its cookies"));
        let Kept { mut cookies } = kept.expect("they are described as the protocol says");
        cookies.retain(|cookie| cookie.domain == host);
        cookies.sort_by(|a, b| a.name.cmp(&b.name));
        cookies
    }

    /// What was complained of on the console since this was last asked. Most begin with the URL of what
    /// is at fault.
    pub async fn complaints(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Entry {
            message: String,
        }

        let log = self.handle.cmd(ConsoleLog).await;
        let log: WebDriverResult<Vec<Entry>> = log.and_then(|log| log.value());
        let log = log.expect("the driver keeps a log").into_iter();
        log.map(|entry| entry.message).collect()
    }
}

impl Deref for Chromium {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

async fn port(output: &mut Lines<BufReader<ChildStdout>>) -> u16 {
    loop {
        let line = output.next_line().await;
        let line = line.expect("the driver's output is text");
        let line = line.expect("the driver says where it listens");
        let port = line
            .split_once("started successfully on port ")
            .and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            return port;
        }
    }
}

async fn connect(port: u16, third_party_cookies: ThirdPartyCookies) -> WebDriver {
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a plain HTTP client can be built");
    let url = format!("http://127.0.0.1:{port}");
    let capabilities = capabilities(third_party_cookies).expect("the capabilities are JSON");
    WebDriver::new_with_config_and_client(url, capabilities, WebDriverConfig::default(), http)
        .await
        .expect("Chromium starts; its version has to be the driver's")
}

fn capabilities(third_party_cookies: ThirdPartyCookies) -> WebDriverResult<Capabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.add_arg("--headless=new")?;
    // Chromium has no sandbox where tests run as root, and these open no page but their own.
    capabilities.add_arg("--no-sandbox")?;
    // A browser whose pipe is closed ends, whatever its driver died of.
    capabilities.add_arg("--remote-debugging-pipe")?;
    let block = match third_party_cookies {
        ThirdPartyCookies::Default => None,
        ThirdPartyCookies::Allowed => Some(false),
        ThirdPartyCookies::Blocked => Some(true),
    };
    if let Some(block) = block {
        let profile = json!({
            "cookie_controls_mode": u8::from(block),
            "block_third_party_cookies": block,
        });
        capabilities.add_experimental_option("prefs", json!({ "profile": profile }))?;
    }
    capabilities.insert_base_capability(
        "goog:loggingPrefs".to_owned(),
        json!({ "browser": "WARNING" }),
    );
    Ok(capabilities.into())
}

/// Chromium's addition to WebDriver that reads the console.
#[derive(Debug)]
struct ConsoleLog;

impl FormatRequestData for ConsoleLog {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(http::Method::POST, format!("/session/{session}/se/log"))
            .add_body(json!({ "type": "browser" }))
    }
}

/// A directory for the files of one browser.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("logto-chromium-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("temporary files can be written");
        Self(directory)
    }

    /// Whether a process of the browser is there still. Each says in its arguments where its files are.
    fn is_in_use(&self) -> bool {
        let search = std::process::Command::new("pgrep")
            .arg("-f")
            .arg(&self.0)
            .stdout(Stdio::null())
            .status();
        search.is_ok_and(|found| found.success())
    }
}

impl Drop for Directory {
    /// A browser that ends writes for a moment, and makes anew what it misses.
    fn drop(&mut self) {
        let mut looks = 0..250;
        while self.is_in_use() && looks.next().is_some() {
            std::thread::sleep(GLANCE);
        }
        // What cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

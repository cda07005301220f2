//! A browser that clicks through the quickstart.

use std::time::Duration;

use http::StatusCode;
use logto_testkit::demo::SHOPPING_API;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::site::Site;

/// Between two clicks.
const CLICK_INTERVAL: Duration = Duration::from_millis(20);
/// After the last fault, paused work resumes within seconds, on a slow machine later.
const MAX_ATTEMPTS: u32 = 120;

pub(crate) struct Visitor {
    browser: Client,
    base_url: String,
}

/// What clicks came to.
#[derive(Default)]
pub(crate) struct Tally {
    /// In milliseconds.
    waits: Vec<f64>,
    /// Answered with an error that passes.
    pub(crate) unanswered: usize,
}

/// What a click shows.
#[derive(Debug, PartialEq)]
enum Shown {
    SignedIn,
    /// An error that passes. The page has to say so, and nothing else.
    Trouble,
    SignedOut,
}

impl Visitor {
    pub(crate) async fn sign_in(site: &Site) -> Self {
        // Each request on a connection of its own, so that it reaches the next process.
        let browser = Client::builder()
            .cookie_store(true)
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build();
        let visitor = Self {
            browser: browser.unwrap(),
            base_url: site.base_url(),
        };
        let page = visitor.get("/sign-in").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{}", page.url());
        visitor.is_served().await;
        visitor
    }

    /// Clicks for this time: who am I, the page, a token, and a new one.
    pub(crate) async fn click_for(&self, time: Duration) -> Tally {
        let (begin, mut tally) = (Instant::now(), Tally::default());
        while begin.elapsed() < time {
            for click in [Self::user, Self::token, Self::new_token] {
                let clicked = Instant::now();
                let shown = shown(click(self)).await;
                tally.waits.push(clicked.elapsed().as_secs_f64() * 1_000.0);
                assert_ne!(shown, Shown::SignedOut, "after {:?}", begin.elapsed());
                tally.unanswered += usize::from(shown == Shown::Trouble);
                sleep(CLICK_INTERVAL).await;
            }
        }
        tally
    }

    /// Waits until everything works.
    pub(crate) async fn is_served(&self) {
        for click in [Self::user, Self::new_token] {
            let mut attempts = 0;
            loop {
                match shown(click(self)).await {
                    Shown::SignedIn => break,
                    Shown::Trouble if attempts < MAX_ATTEMPTS => attempts += 1,
                    shown => panic!("{shown:?} after {attempts} attempts"),
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
    }

    fn user(&self) -> RequestBuilder {
        self.get("/user")
    }

    fn token(&self) -> RequestBuilder {
        self.get(&format!("/token?resource={SHOPPING_API}"))
    }

    fn new_token(&self) -> RequestBuilder {
        let url = format!("{}/token?resource={SHOPPING_API}", self.base_url);
        self.browser
            .post(url)
            .header("sec-fetch-site", "same-origin")
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.browser.get(format!("{}{path}", self.base_url))
    }
}

async fn shown(request: RequestBuilder) -> Shown {
    let response = request.send().await.expect("nothing breaks on this line");
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    let is_user = body["is_authenticated"] == true;
    let is_token = body["access_token"].is_string();
    match status {
        StatusCode::OK if is_user || is_token => Shown::SignedIn,
        StatusCode::OK | StatusCode::UNAUTHORIZED => Shown::SignedOut,
        status if status.is_server_error() => Shown::Trouble,
        status => panic!("{status}: {body}"),
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.waits.extend(other.waits);
        self.unanswered += other.unanswered;
    }

    pub(crate) fn requests(&self) -> usize {
        self.waits.len()
    }

    /// Milliseconds that so many of a hundred requests took at most.
    pub(crate) fn percentile(&self, of_a_hundred: usize) -> f64 {
        let mut waits = self.waits.clone();
        waits.sort_by(f64::total_cmp);
        let place = waits.len() * of_a_hundred / 100;
        waits.get(place).copied().unwrap_or(f64::NAN)
    }
}

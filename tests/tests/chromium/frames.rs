//! An application in a frame of another site: `localhost` within a page of `127.0.0.1`.

use axum::{Router, response::Html, routing::get};
use http::StatusCode;
use logto::{
    axum::RouterExt,
    web::{
        Route,
        cookies::{CookieOptions, SameSite},
    },
};
use logto_tests::{
    chromium::{Chromium, ThirdPartyCookies as Cookies},
    engine::{Engine, TRADITIONAL},
    site::{Address, Site},
};
use thirtyfour::By;

use crate::fixture::{SIGN_IN, engine, logto};

#[tokio::test]
async fn b1_an_application_that_is_not_made_for_frames_starts_no_sign_in_there() {
    let fixture = Embedded::new(|options| options, Cookies::Allowed).await;
    fixture.open().await;
    fixture.site.hears_of("/sign-in", 1).await;
    let start = fixture.site.last("/sign-in");
    assert_eq!(start.status, StatusCode::FORBIDDEN);
    assert!(start.set_cookies.is_empty());
}

#[tokio::test]
async fn b1_a_sign_in_in_a_frame_returns_where_the_cookies_are_made_for_it() {
    let fixture = Embedded::new(
        |options| options.same_site(SameSite::None),
        Cookies::Allowed,
    )
    .await;
    fixture.sign_in().await;
    assert_eq!(fixture.user().await, "alice");
}

#[tokio::test]
async fn b1_partitioned_cookies_work_where_those_of_other_sites_are_blocked() {
    let blocked = Embedded::new(
        |options| options.same_site(SameSite::None),
        Cookies::Blocked,
    )
    .await;
    blocked.sign_in().await;
    let callback = blocked.site.last("/callback");
    assert_eq!(callback.cookies, Vec::<String>::new());
    assert!(callback.status.is_client_error());

    let partitioned = |options: CookieOptions| options.same_site(SameSite::None).partitioned();
    let fixture = Embedded::new(partitioned, Cookies::Blocked).await;
    fixture.sign_in().await;
    assert_eq!(fixture.user().await, "alice");
}

/// Somebody in front of a page that embeds the application.
struct Embedded {
    browser: Chromium,
    site: Site,
    page: Site,
    _engine: Engine,
}

impl Embedded {
    async fn new(
        options: impl FnOnce(CookieOptions) -> CookieOptions + Send + 'static,
        cookies_of_others: Cookies,
    ) -> Self {
        let address = Address::new("localhost").await;
        let engine = engine(&address).await;
        // Chromium takes secure cookies also from `http://localhost`.
        let mut base_url = address.base_url().clone();
        base_url.set_scheme("https").unwrap();
        let logto = logto(&address, &engine)
            .cookies(move |_| options(CookieOptions::new(&base_url, TRADITIONAL)))
            .routes(|routes| routes.path(Route::User, "/"))
            .await;
        let site = address.serve(Router::new().with_logto(logto.unwrap()));
        let start = site.url("/sign-in");
        let page =
            format!("<h1>Embedded</h1><iframe src=\"{start}\" width=800 height=600></iframe>");
        let page = Router::new().route("/", get(async move || Html(page)));
        Self {
            browser: Chromium::start_with(cookies_of_others).await,
            site,
            page: Address::new("127.0.0.1").await.serve(page),
            _engine: engine,
        }
    }

    async fn open(&self) {
        self.browser.open(&self.page.url("/")).await;
        self.browser.shows("Embedded").await;
    }

    /// Signs in on the engine's page within the frame, and waits until that has come back.
    async fn sign_in(&self) {
        self.open().await;
        self.browser.enter_frame(0).await.unwrap();
        self.browser.shows(SIGN_IN).await;
        self.browser.fill("username", "alice").await;
        self.browser.click("button").await;
        self.site.hears_of("/callback", 1).await;
    }

    /// Who is signed in, as the frame says.
    async fn user(&self) -> String {
        self.site.hears_of("/", 1).await;
        let user = self.browser.find(By::Css("body")).await.unwrap();
        let user = user.text().await.unwrap();
        let user: serde_json::Value = serde_json::from_str(&user).unwrap();
        user["claims"]["username"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

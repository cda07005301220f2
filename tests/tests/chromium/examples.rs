//! The programs of the examples for axum and Leptos, on the test kit's page and on the engine's.

use logto_suite::{COOKIE_KEY, Program};
use logto_testkit::{Logto, demo};
use logto_tests::{
    chromium::Chromium,
    engine::{Engine, EngineOptions, SECRET, SHOPPING, TRADITIONAL},
};
use url::Url;

use crate::fixture::{HELLO, NOBODY, SIGN_IN};

const AXUM: &str = "logto-example-axum";
const LEPTOS: &str = "logto-example-leptos";

#[tokio::test]
async fn axum_on_the_page_of_the_kit() {
    on_the_page_of_the_kit(AXUM).await;
}

#[tokio::test]
async fn axum_on_the_page_of_the_engine() {
    on_the_page_of_the_engine(AXUM).await;
}

#[tokio::test]
async fn leptos_on_the_page_of_the_kit() {
    on_the_page_of_the_kit(LEPTOS).await;
}

#[tokio::test]
async fn leptos_on_the_page_of_the_engine() {
    on_the_page_of_the_engine(LEPTOS).await;
}

async fn on_the_page_of_the_kit(package: &'static str) {
    let (port, base_url) = address();
    let tenant = Logto::demo_for(base_url.as_str(), "/callback");
    let server = tenant.listen(0).await.unwrap();
    let variables = demo::variables(server.logto(), base_url.as_str());
    let _program = start(package, port, variables.to_vec()).await;
    let browser = Chromium::start().await;
    visit(&browser, &base_url, "Hello, Alice Lab", async || {
        browser.shows("Sign in").await;
        browser.fill("identifier", "alice").await;
        browser.fill("password", "password").await;
        browser.click("button").await;
    })
    .await;
}

async fn on_the_page_of_the_engine(package: &'static str) {
    let (port, base_url) = address();
    let engine = Engine::start(EngineOptions {
        redirect_uris: vec![base_url.join("/callback").unwrap()],
        post_logout_redirect_uris: vec![base_url.clone()],
        sign_in_page: true,
        ..EngineOptions::default()
    })
    .await;
    let variables = vec![
        ("LOGTO_ENDPOINT", engine.endpoint().to_string()),
        ("LOGTO_APP_ID", TRADITIONAL.to_owned()),
        ("LOGTO_APP_SECRET", SECRET.to_owned()),
        ("LOGTO_BASE_URL", base_url.to_string()),
        ("LOGTO_RESOURCES", SHOPPING.to_owned()),
        (
            "LOGTO_SCOPES",
            "email read:products write:products".to_owned(),
        ),
    ];
    let _program = start(package, port, variables).await;
    let browser = Chromium::start().await;
    visit(&browser, &base_url, HELLO, async || {
        browser.shows(SIGN_IN).await;
        browser.click("button[type=submit]").await;
    })
    .await;
}

fn address() -> (u16, Url) {
    let port = logto_suite::free_port();
    let base_url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    (port, base_url)
}

/// With sessions in cookies, which a browser has to take from the pages.
async fn start(
    package: &'static str,
    port: u16,
    mut variables: Vec<(&'static str, String)>,
) -> Program {
    variables.push(("PORT", port.to_string()));
    variables.push(("LOGTO_COOKIE_KEY", COOKIE_KEY.to_owned()));
    Program::start(package, port, variables).await
}

/// From the first visit to the sign-out, by the links and the forms of the pages.
async fn visit(browser: &Chromium, base_url: &Url, hello: &str, sign_in: impl AsyncFn()) {
    let home = async || browser.open(base_url).await;
    home().await;
    browser.shows(NOBODY).await;
    browser.click("a[href^='/sign-in']").await;
    sign_in().await;
    browser.shows(hello).await;

    for (link, shown) in [
        ("/private", "alice@example.com"),
        ("/orders", "read:products"),
        // It streams, and finds the token that the page before has fetched.
        ("/stream", "scopes: "),
    ] {
        home().await;
        browser.shows(hello).await;
        browser.click(&format!("a[href='{link}']")).await;
        browser.arrives_at(&base_url.join(link).unwrap()).await;
        browser.contains(shown).await;
    }

    home().await;
    browser.shows(hello).await;
    browser.click("form[action='/profile'] button").await;
    browser.arrives_at(base_url).await;
    browser.shows(hello).await;

    browser.click("form[action='/sign-out'] button").await;
    browser.shows(NOBODY).await;
    let mut cookies = browser.cookies("localhost").await;
    // It remembers how sign-ins have ended, and outlives the session.
    cookies.retain(|cookie| !cookie.name.ends_with(".browser"));
    assert_eq!(cookies, []);
    let mut complaints = browser.complaints().await;
    // Neither the examples nor the kit have an icon.
    complaints.retain(|complaint| !complaint.contains("/favicon.ico"));
    assert_eq!(complaints, Vec::<String>::new());
}

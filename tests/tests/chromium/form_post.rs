//! Callbacks by `form_post`.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use http::{HeaderMap, Method};
use logto::{
    LogtoClient, ReqwestClient, SignIn,
    client::seal::{KeyRing, SealKey},
    core::vocabulary::Prompt,
    storage::MemoryStorage,
    web::{
        LogtoWeb,
        cookies::{CookieCodec, CookieOptions},
    },
};
use logto_tests::{
    chromium::Chromium,
    engine::{Engine, TRADITIONAL},
    site::{Address, Site},
};
use quickstart::adapter::{buffered, respond};
use serde_json::Value;
use url::Url;

use crate::place::{SIGN_IN, config, engine};

#[tokio::test]
async fn t37_a_form_of_the_same_site_needs_no_more_than_a_lax_cookie() {
    let visit = Visit::new("127.0.0.1", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL).build().unwrap()
    })
    .await;
    visit.sign_in("alice").await;
    assert_eq!(visit.user().await, "alice");
    assert_eq!(visit.site.last("/callback").method, Method::POST);
}

#[tokio::test]
async fn t37_a_form_of_another_site_comes_without_lax_cookies_and_is_refused() {
    let visit = Visit::new("localhost", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL).build().unwrap()
    })
    .await;
    visit.sign_in("alice").await;
    let callback = visit.site.last("/callback");
    assert_eq!((callback.method, callback.cookies), (Method::POST, vec![]));
    assert!(callback.status.is_client_error(), "{}", callback.status);
    assert_eq!(visit.user().await, Value::Null);
    assert_eq!(
        visit.engine.requests().await.to("token"),
        0,
        "the code is not spent"
    );
}

/// Chromium takes secure cookies also from `http://localhost`.
#[tokio::test]
async fn t37_b1_b16_a_form_of_another_site_brings_the_cookie_of_a_cross_site_callback() {
    let visit = Visit::new("localhost", |base_url| {
        let mut base_url = base_url.clone();
        base_url.set_scheme("https").unwrap();
        let options = CookieOptions::new(&base_url, TRADITIONAL);
        options.cross_site_callback().build().unwrap()
    })
    .await;
    visit.sign_in("alice").await;
    assert_eq!(visit.user().await, "alice");
    let callback = visit.site.last("/callback");
    assert_eq!((callback.method, callback.cookies.len()), (Method::POST, 1));
    let name = format!(
        "__Host-logto_traditional-{}",
        visit.site.url("/").port().unwrap()
    );
    let mut cookies = visit.browser.cookies("localhost").await;
    cookies.retain(|cookie| cookie.name == name);
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert!(cookies[0].secure && cookies[0].http_only);
    assert_eq!(
        cookies[0].same_site.as_deref(),
        Some("Lax"),
        "the session stays at home"
    );

    // The form does not bring the session that there is; the new one takes its place all the same.
    visit.sign_in("bob").await;
    assert_eq!(visit.user().await, "bob");
    assert_eq!(visit.site.last("/callback").cookies.len(), 1);
    let mut cookies = visit.browser.cookies("localhost").await;
    cookies.retain(|cookie| cookie.name == name);
    assert_eq!(cookies.len(), 1);
}

/// Somebody in front of an application whose callback is a POST.
struct Visit {
    browser: Chromium,
    site: Site,
    engine: Engine,
}

impl Visit {
    async fn new(host: &str, cookies: impl FnOnce(&Url) -> CookieCodec) -> Self {
        let address = Address::new(host).await;
        let engine = engine(&address).await;
        let config = config(&address, &engine).build().unwrap();
        let http = ReqwestClient::new().unwrap();
        let client = LogtoClient::builder(config, http, MemoryStorage::new());
        let web = LogtoWeb::new(
            client.build().unwrap(),
            cookies(address.base_url()),
            KeyRing::new(SealKey::new(&[7; 32])),
        );
        Self {
            browser: Chromium::start().await,
            site: address.serve(router(web)),
            engine,
        }
    }

    /// Signs in at the engine, and waits until its form has arrived.
    async fn sign_in(&self, username: &str) {
        let before = self.site.count("/callback");
        self.browser.open(&self.site.url("/sign-in")).await;
        self.browser.shows(SIGN_IN).await;
        self.browser.fill("username", username).await;
        self.browser.click("button").await;
        self.site.hears_of("/callback", before + 1).await;
    }

    /// Who is signed in.
    async fn user(&self) -> Value {
        self.browser.open(&self.site.url("/")).await;
        let user = self.browser.text("pre").await.unwrap();
        let user: Value = serde_json::from_str(&user).unwrap();
        user["claims"]["username"].clone()
    }
}

fn router(web: LogtoWeb) -> Router {
    Router::new()
        .route("/", get(user))
        .route("/sign-in", get(start))
        .route("/callback", post(callback))
        .with_state(web)
}

async fn user(State(web): State<LogtoWeb>, headers: HeaderMap) -> Response {
    respond(&web, web.user(&headers).await)
}

async fn start(State(web): State<LogtoWeb>, headers: HeaderMap) -> Response {
    let sign_in = SignIn::new().form_post();
    let sign_in = sign_in.prompt([Prompt::Login, Prompt::Consent]);
    respond(&web, web.sign_in(&headers, &sign_in).await)
}

async fn callback(State(web): State<LogtoWeb>, request: Request) -> Response {
    let (parts, body) = buffered(request).await;
    let answer = web.callback(&parts, &body).await;
    answer.into_response().map(Body::from)
}

//! A callback that arrives as a form, which a page of the engine sends by itself.

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
use url::Url;

use crate::place::{SIGN_IN, config, engine};

#[tokio::test]
async fn t37_a_form_of_the_same_site_needs_no_more_than_a_lax_cookie() {
    let visit = Visit::new("127.0.0.1", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL).build().unwrap()
    })
    .await;
    visit.sign_in().await;
    assert!(visit.is_signed_in().await);
    assert_eq!(visit.site.last("/callback").method, Method::POST);
}

#[tokio::test]
async fn t37_a_form_of_another_site_comes_without_lax_cookies_and_is_refused() {
    let visit = Visit::new("localhost", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL).build().unwrap()
    })
    .await;
    visit.sign_in().await;
    let callback = visit.site.last("/callback");
    assert_eq!((callback.method, callback.cookies), (Method::POST, vec![]));
    assert!(callback.status.is_client_error(), "{}", callback.status);
    assert!(!visit.is_signed_in().await);
    assert_eq!(
        visit.engine.requests().await.to("token"),
        0,
        "the code is not spent"
    );
}

/// Chromium takes secure cookies also from `http://localhost`.
#[tokio::test]
async fn t37_b1_a_form_of_another_site_brings_the_cookie_of_a_cross_site_callback() {
    let visit = Visit::new("localhost", |base_url| {
        let mut base_url = base_url.clone();
        base_url.set_scheme("https").unwrap();
        let options = CookieOptions::new(&base_url, TRADITIONAL);
        options.cross_site_callback().build().unwrap()
    })
    .await;
    visit.sign_in().await;
    assert!(visit.is_signed_in().await);
    let callback = visit.site.last("/callback");
    assert_eq!((callback.method, callback.cookies.len()), (Method::POST, 1));
    let cookies = visit.browser.cookies("localhost").await;
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert_eq!(cookies[0].name, "__Host-logto_traditional");
    assert!(cookies[0].secure && cookies[0].http_only);
    assert_eq!(
        cookies[0].same_site.as_deref(),
        Some("Lax"),
        "the session stays at home"
    );
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
    async fn sign_in(&self) {
        self.browser.open(&self.site.url("/sign-in")).await;
        self.browser.shows(SIGN_IN).await;
        self.browser.click("button").await;
        self.site.hears_of("/callback").await;
    }

    async fn is_signed_in(&self) -> bool {
        self.browser.open(&self.site.url("/")).await;
        let user = self.browser.text("body").await.unwrap();
        user.contains("alice")
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
    respond(web.user(&headers).await)
}

async fn start(State(web): State<LogtoWeb>, headers: HeaderMap) -> Response {
    respond(web.sign_in(&headers, &SignIn::new().form_post()).await)
}

async fn callback(State(web): State<LogtoWeb>, request: Request) -> Response {
    let (parts, body) = buffered(request).await;
    let answer = web.callback(&parts, &body).await;
    answer.into_response().map(Body::from)
}

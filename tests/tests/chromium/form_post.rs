//! Callbacks by `form_post`.

use axum::Router;
use http::Method;
use logto::{
    SignIn,
    axum::RouterExt,
    core::vocabulary::Prompt,
    storage::MemoryStorage,
    web::{Route, cookies::CookieOptions},
};
use logto_tests::{
    chromium::Chromium,
    engine::{Engine, TRADITIONAL},
    site::{Address, Site},
};
use serde_json::Value;
use url::Url;

use crate::fixture::{SIGN_IN, engine, logto};

#[tokio::test]
async fn t37_a_form_of_the_same_site_needs_no_more_than_a_lax_cookie() {
    let visit = Visit::new("127.0.0.1", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL)
    })
    .await;
    visit.sign_in("alice").await;
    assert_eq!(visit.user().await, "alice");
    assert_eq!(visit.site.last("/callback").method, Method::POST);
}

#[tokio::test]
async fn t37_a_form_of_another_site_comes_without_lax_cookies_and_is_refused() {
    let visit = Visit::new("localhost", |base_url| {
        CookieOptions::new(base_url, TRADITIONAL)
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
        options.cross_site_callback()
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
    async fn new(host: &str, cookies: impl FnOnce(&Url) -> CookieOptions) -> Self {
        let address = Address::new(host).await;
        let engine = engine(&address).await;
        let cookies = cookies(address.base_url());
        let sign_in = SignIn::new().form_post();
        let sign_in = sign_in.prompt([Prompt::Login, Prompt::Consent]);
        let logto = logto(&address, &engine)
            .storage(MemoryStorage::new())
            .cookies(|_| cookies)
            .routes(|routes| routes.path(Route::User, "/").sign_in(sign_in))
            .await;
        Self {
            browser: Chromium::start().await,
            site: address.serve(Router::new().with_logto(logto.unwrap())),
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

//! A browser, an application and the engine.

use logto::{
    LogtoBuilder, LogtoConfig,
    client::seal::{KeyRing, SealKey},
    core::config::LogtoConfigBuilder,
};
use logto_tests::{
    chromium::{Chromium, Cookie},
    engine::{Engine, EngineOptions, SECRET, SHOPPING, TRADITIONAL},
    site::{Address, Site},
};
use quickstart::{app::App, args::StorageKind};

/// The heading of the engine's page.
pub(crate) const SIGN_IN: &str = "Sign in";
/// The heading of the quickstart for everybody who signs in.
pub(crate) const HELLO: &str = "Hello, Ünï 名";
/// The heading of the quickstart for nobody.
pub(crate) const NOBODY: &str = "Nobody is signed in";
/// The heading of the quickstart for a sign-in that failed.
pub(crate) const PROBLEM: &str = "That did not work";

/// Somebody in front of the quickstart.
pub(crate) struct Fixture {
    pub(crate) browser: Chromium,
    pub(crate) site: Site,
    pub(crate) engine: Engine,
}

impl Fixture {
    /// The quickstart on another site than the engine, as with Logto.
    pub(crate) async fn new(storage: StorageKind) -> Self {
        Self::with(storage, |config| config).await
    }

    /// The same with another configuration.
    pub(crate) async fn with(
        storage: StorageKind,
        change: impl FnOnce(LogtoConfigBuilder) -> LogtoConfigBuilder,
    ) -> Self {
        let address = Address::new("localhost").await;
        let engine = engine(&address).await;
        let app = App::new(logto(&address, &engine).config(change), storage).await;
        let site = address.serve(app.unwrap().router());
        let browser = Chromium::start().await;
        Self {
            browser,
            site,
            engine,
        }
    }

    /// Opens an address of the quickstart.
    pub(crate) async fn open(&self, path: &str) {
        self.browser.open(&self.site.url(path)).await;
    }

    /// Signs alice in, from the first click to the page with her claims.
    pub(crate) async fn sign_in(&self) {
        self.open("/").await;
        self.browser.shows(NOBODY).await;
        self.browser.click("a[href='/sign-in']").await;
        self.confirm().await;
        self.browser.shows(HELLO).await;
    }

    /// Sends the form of the engine's page.
    pub(crate) async fn confirm(&self) {
        self.browser.shows(SIGN_IN).await;
        self.browser.click("button[type=submit]").await;
    }

    /// The quickstart's cookies, but for the one that binds sign-ins to the browser, which outlives them.
    pub(crate) async fn cookies(&self) -> Vec<Cookie> {
        let mut cookies = self.all_cookies().await;
        cookies.retain(|cookie| !cookie.name.ends_with(".browser"));
        cookies
    }

    /// The name of the session's cookie. Ports share cookies, so the port is in it.
    pub(crate) fn name(&self) -> String {
        let port = self.site.url("/").port().unwrap_or_default();
        format!("logto_traditional-{port}")
    }

    /// The cookies of sessions, without those of access tokens.
    pub(crate) async fn sessions(&self) -> Vec<Cookie> {
        let name = self.name();
        let mut cookies = self.all_cookies().await;
        cookies.retain(|cookie| cookie.name == name);
        cookies
    }

    /// All cookies of the quickstart.
    pub(crate) async fn all_cookies(&self) -> Vec<Cookie> {
        self.browser.cookies(self.site.host()).await
    }
}

/// An engine with a page to sign in on, for the application at `address`.
pub(crate) async fn engine(address: &Address) -> Engine {
    Engine::start(EngineOptions {
        redirect_uris: vec![address.callback()],
        post_logout_redirect_uris: vec![address.base_url().clone()],
        sign_in_page: true,
        ..EngineOptions::default()
    })
    .await
}

/// The application at `address`.
pub(crate) fn logto(address: &Address, engine: &Engine) -> LogtoBuilder {
    logto::builder(engine.endpoint(), TRADITIONAL)
        .config(|_| config(address, engine))
        .keys(KeyRing::new(SealKey::new(&[7; 32])))
}

/// The configuration of the application at `address`.
fn config(address: &Address, engine: &Engine) -> LogtoConfigBuilder {
    LogtoConfig::builder(engine.endpoint(), TRADITIONAL)
        .app_secret(SECRET)
        .base_url(address.base_url().as_str())
        .scopes(["email", "read:products", "write:products"])
        .resource(SHOPPING)
}

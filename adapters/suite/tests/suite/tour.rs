//! What every example shows.

use http::{Method, StatusCode};
use logto::test::{Browser, Page};
use logto_suite::{Sessions, Stage};
use serde_json::{Value, json};

pub(crate) async fn the_tour(package: &'static str, sessions: Sessions) {
    walk(&Stage::start(package, sessions).await).await;
}

/// From the first visit to the sign-out.
pub(crate) async fn walk(stage: &Stage) {
    let browser = stage.browser();

    let home = browser.open("/").await.unwrap();
    assert_eq!(home.status(), StatusCode::OK);
    assert!(
        home.text().contains("/sign-in?return_to=/"),
        "{}",
        home.text()
    );
    assert!(
        browser.cookies().is_empty(),
        "a page that looks sets nothing"
    );
    let refused = browser.fetch("/orders").await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.json().unwrap()["error"].is_string());
    let user = browser.fetch("/user").await.unwrap();
    assert!(!user.text().contains("alice"));

    let private = browser.sign_in("/private", "alice", "password").await;
    let private = private.unwrap();
    assert_eq!(private.url().path(), "/private");
    assert!(
        private.text().contains("alice@example.com"),
        "{}",
        private.text()
    );
    let home = browser.open("/").await.unwrap();
    assert!(home.text().contains("Alice Lab"), "{}", home.text());
    let user = browser.fetch("/user").await.unwrap();
    assert!(user.text().contains("Alice Lab"), "{}", user.text());
    assert_eq!(
        json_of(&browser, "/user-info").await["email"],
        "alice@example.com"
    );

    let cached = browser.fetch("/orders/cached").await.unwrap();
    assert_eq!(cached.status(), StatusCode::CONFLICT);
    assert_eq!(cached.json().unwrap(), json!({ "error": "needs_refresh" }));
    let all = json!({ "scopes": ["read:products", "write:products"] });
    assert_eq!(json_of(&browser, "/orders").await, all);
    assert_eq!(json_of(&browser, "/orders/cached").await, all);
    let organizations =
        json!({ "acme": { "scopes": ["read:shipments"] }, "globex": { "scopes": [] } });
    assert_eq!(json_of(&browser, "/organizations").await, organizations);
    let in_acme = json_of(&browser, "/organizations/acme/orders").await;
    assert_eq!(in_acme, all, "her own role counts there too");
    let foreign = browser
        .fetch("/organizations/nowhere/orders")
        .await
        .unwrap();
    assert!(foreign.status().is_client_error(), "{foreign:?}");

    let streamed = browser.open("/stream").await.unwrap();
    assert!(streamed.text().contains("Loading"));
    assert!(
        streamed
            .text()
            .contains("scopes: read:products write:products")
    );

    let saved = browser
        .post("/profile", &[("name", "Alice")])
        .await
        .unwrap();
    assert_eq!((saved.status(), saved.url().path()), (StatusCode::OK, "/"));

    let home = browser.open("/").await.unwrap();
    let mut forms = home.forms().into_iter();
    let form = forms.find(|form| form.action().path() == "/sign-out");
    let form = form.expect("the page signs out");
    assert_eq!(form.method(), Method::POST);
    let end = browser.submit(&form).await.unwrap();
    assert_eq!(
        (end.status(), end.url()),
        (StatusCode::OK, stage.base_url())
    );
    assert!(end.text().contains("/sign-in"), "{}", end.text());
}

/// The JSON at a path, which holds no token.
async fn json_of(browser: &Browser, path: &str) -> Value {
    let page: Page = browser.fetch(path).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "{path}: {}", page.text());
    assert!(!page.text().contains("eyJ"), "{path} shows a token");
    page.json().unwrap()
}

//! Sessions in a store that can fail.

use http::StatusCode;
use logto::test::Browser;
use logto_suite::{Sessions, Stage, is_signed_in};

/// Nobody is signed out by an outage, and nobody is taken for signed out.
pub(crate) async fn the_store_is_down(package: &'static str, sessions: Sessions) {
    let mut stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    let before = sessions_of(&browser);

    stage.redis().stop();
    for path in ["/orders", "/user"] {
        let page = browser.fetch(path).await.unwrap();
        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(page.json().unwrap()["error"].is_string(), "{path}");
    }
    for path in ["/", "/private"] {
        let page = browser.get(path).await.unwrap();
        assert!(page.location().is_none(), "{path}: {page:?}");
        assert!(!page.text().contains("/sign-in"), "{path}: {}", page.text());
    }
    let failed = browser.sign_in("/sign-in", "alice", "password").await;
    let failed = failed.unwrap();
    assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(sessions_of(&browser), before);

    stage.redis().start_again().await;
    assert!(is_signed_in(&browser).await);
    let orders = browser.fetch("/orders").await.unwrap();
    assert_eq!(orders.status(), StatusCode::OK, "{}", orders.text());
}

/// The cookies without the one that remembers how sign-ins have ended.
fn sessions_of(browser: &Browser) -> Vec<(String, String)> {
    let mut cookies = browser.cookies();
    cookies.retain(|(name, _)| !name.ends_with(".browser"));
    cookies
}

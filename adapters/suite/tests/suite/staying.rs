//! Staying signed in.

use std::time::Duration;

use http::StatusCode;
use logto_suite::{Sessions, Stage, is_signed_in};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Logto ends a grant after 180 days.
const LAST_DAY: u32 = 179;

pub(crate) async fn a_token_expires_while_a_page_streams(
    package: &'static str,
    sessions: Sessions,
) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    let orders = browser.fetch("/orders").await.unwrap();
    assert_eq!(orders.status(), StatusCode::OK, "{}", orders.text());
    stage.advance(HOUR * 2);

    // Nothing could be stored any more: the page says so, and the session survives it.
    let streamed = browser.open("/stream").await.unwrap();
    assert!(streamed.text().contains("Loading"));
    assert!(
        streamed.text().contains("needs refresh"),
        "{}",
        streamed.text()
    );
    let orders = browser.fetch("/orders").await.unwrap();
    assert_eq!(orders.status(), StatusCode::OK, "{}", orders.text());
    let streamed = browser.open("/stream").await.unwrap();
    assert!(streamed.text().contains("scopes: "), "{}", streamed.text());
    assert_eq!(stage.logto().late_replays(), 0);
}

/// A page that fetches what it needs before it begins streams what it needs, from the sign-in on.
pub(crate) async fn a_page_that_fetches_ahead_streams_its_token(
    package: &'static str,
    sessions: Sessions,
) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    let streamed = browser.open("/stream").await.unwrap();
    assert!(
        streamed.text().contains("needs refresh"),
        "nothing is there yet"
    );
    for _ in 0..2 {
        let streamed = browser.open("/stream/ahead").await.unwrap();
        assert!(streamed.text().contains("scopes: "), "{}", streamed.text());
        let orders = browser.fetch("/orders/cached").await.unwrap();
        assert_eq!(orders.status(), StatusCode::OK, "the token is stored");
        stage.advance(HOUR * 2);
    }
    assert_eq!(stage.logto().late_replays(), 0);
}

/// Most visits only look. Every third day one asks for a token: Logto replaces the refresh token when it is asked
/// in the last third of its fourteen days, and without that the session could fetch nothing from then on.
pub(crate) async fn a_daily_visitor_stays_signed_in(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    for day in 1..=LAST_DAY {
        stage.advance(DAY);
        let home = browser.open("/").await.unwrap();
        assert!(
            home.text().contains("Alice Lab"),
            "day {day}: {}",
            home.text()
        );
        if day % 3 == 0 {
            let orders = browser.fetch("/orders").await.unwrap();
            assert_eq!(
                orders.status(),
                StatusCode::OK,
                "day {day}: {}",
                orders.text()
            );
        }
    }
    assert_eq!(stage.logto().late_replays(), 0);
}

/// They share one refresh, which the first of them may leave behind.
#[cfg(feature = "worker")]
pub(crate) async fn requests_at_the_same_time(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    for _ in 0..3 {
        stage.advance(HOUR * 2);
        let (second, third) = (browser.copied(), browser.copied());
        let (one, two, three) = tokio::join!(
            browser.fetch("/orders"),
            second.fetch("/orders"),
            third.fetch("/orders"),
        );
        for orders in [one, two, three] {
            let orders = orders.unwrap();
            assert_eq!(orders.status(), StatusCode::OK, "{}", orders.text());
        }
    }
    assert_eq!(stage.logto().late_replays(), 0);
}

pub(crate) async fn a_restart(package: &'static str, sessions: Sessions) {
    let mut stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    stage.restart().await;
    assert_eq!(is_signed_in(&browser).await, sessions == Sessions::Cookies);
    let page = browser
        .sign_in("/private", "alice", "password")
        .await
        .unwrap();
    assert_eq!(
        (page.status(), page.url().path()),
        (StatusCode::OK, "/private")
    );
}

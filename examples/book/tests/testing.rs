//! The page about testing: all of its code.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;
use std::time::Duration;

use axum::{Router, routing::get};
use http::StatusCode;
use logto::axum::{Result, RouterExt, Session, User};
use logto::test::{DemoTenant, testkit::Endpoint, testkit::Fault};
use logto::{LogtoApp, TokenTarget};

const API: &str = "https://shop.example.com/api";

/// The application's own function.
fn router(logto: LogtoApp) -> Router {
    Router::new()
        .route("/private", get(private))
        .route("/orders", get(orders))
        .with_logto(logto)
}

async fn private(user: User) -> String {
    format!("Hello, {}", user.user.name.as_deref().unwrap_or(&user.sub))
}

async fn orders(session: Session) -> Result<String> {
    let token = session.access_token(&TokenTarget::resource(API)).await?;
    Ok(format!("{:?}", token.scopes))
}

// ANCHOR: sign_in
#[tokio::test]
async fn alice_signs_in() -> Result<(), Box<dyn Error>> {
    let demo = DemoTenant::new()?;
    let router = router(demo.builder().await?);
    let browser = demo.browser(logto::axum::in_process(router));

    let page = browser.sign_in("/private", "alice", "password").await?;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.text(), "Hello, Alice Lab");
    Ok(())
}
// ANCHOR_END: sign_in

// ANCHOR: time
#[tokio::test]
async fn a_token_is_fetched_again_when_it_has_expired() -> Result<(), Box<dyn Error>> {
    let demo = DemoTenant::new()?;
    let browser = demo.browser(logto::axum::in_process(router(demo.builder().await?)));
    browser.sign_in("/orders", "alice", "password").await?;
    let before = demo.logto().count(Endpoint::Token);

    demo.clock().advance(Duration::from_secs(2 * 3600));
    assert_eq!(browser.open("/orders").await?.status(), StatusCode::OK);
    assert_eq!(demo.logto().count(Endpoint::Token), before + 1);
    Ok(())
}
// ANCHOR_END: time

// ANCHOR: fault
#[tokio::test(start_paused = true)]
async fn an_outage_signs_nobody_out() -> Result<(), Box<dyn Error>> {
    let demo = DemoTenant::new()?;
    let browser = demo.browser(logto::axum::in_process(router(demo.builder().await?)));
    browser.sign_in("/private", "alice", "password").await?;

    let outage = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    demo.logto().break_down(Endpoint::Token, outage);
    let page = browser.open("/orders").await?;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);

    demo.logto().recover(Endpoint::Token);
    assert_eq!(browser.open("/private").await?.status(), StatusCode::OK);
    Ok(())
}
// ANCHOR_END: fault

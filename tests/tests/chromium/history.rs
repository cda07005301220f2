//! The back and forward buttons, and sign-ins that are not completed.

use quickstart::args::StorageKind;

use crate::fixture::{Fixture, HELLO, NOBODY, PROBLEM, SIGN_IN};

const STORAGES: [StorageKind; 2] = [StorageKind::Memory, StorageKind::Cookie];

#[tokio::test]
async fn s9_going_back_from_the_sign_in_page_ends_nothing() {
    for storage in STORAGES {
        let fixture = Fixture::new(storage).await;
        fixture.sign_in().await;
        let before = fixture.cookies().await;
        fixture.open("/sign-in?prompt=login").await;
        fixture.browser.shows(SIGN_IN).await;
        fixture.browser.back().await.unwrap();
        fixture.browser.shows(HELLO).await;
        fixture.browser.refresh().await.unwrap();
        fixture.browser.shows(HELLO).await;
        assert_eq!(fixture.cookies().await, before);
        assert_eq!(fixture.engine.grants().await.len(), 1);
    }
}

#[tokio::test]
async fn s9_cancelling_at_the_sign_in_page_ends_nothing() {
    for storage in STORAGES {
        let fixture = Fixture::new(storage).await;
        fixture.sign_in().await;
        let before = fixture.cookies().await;
        fixture.open("/sign-in?prompt=login").await;
        fixture.browser.shows(SIGN_IN).await;
        fixture.browser.click("button[name=cancel]").await;
        fixture.browser.shows(PROBLEM).await;
        assert_eq!(
            fixture.cookies().await,
            before,
            "also without a pending sign-in"
        );
        fixture.browser.click("a[href='/']").await;
        fixture.browser.shows(HELLO).await;
        assert_eq!(fixture.engine.grants().await.len(), 1);
    }
}

#[tokio::test]
async fn c15_going_back_after_the_callback_leads_to_no_callback() {
    for storage in STORAGES {
        let fixture = Fixture::new(storage).await;
        fixture.sign_in().await;
        let before = fixture.cookies().await;
        fixture.browser.back().await.unwrap();
        let url = fixture.browser.current_url().await.unwrap();
        assert_eq!(
            url.origin(),
            fixture.engine.issuer().origin(),
            "not the callback"
        );
        fixture.browser.forward().await.unwrap();
        fixture.browser.shows(HELLO).await;
        assert_eq!(fixture.cookies().await, before);
        assert_eq!(
            fixture.engine.requests().await.grants("authorization_code"),
            1
        );
    }
}

/// Chromium keeps pages for going back although they say `no-store`, and does not always notice in time
/// that a cookie has changed: the page itself asks again.
#[tokio::test]
async fn b12_going_back_after_the_sign_out_shows_nothing_of_the_user() {
    for path in ["/sign-out", "/sign-out/local"] {
        let fixture = Fixture::new(StorageKind::Memory).await;
        let browser = &fixture.browser;
        fixture.sign_in().await;
        fixture.open("/user").await;
        browser.back().await.unwrap();
        browser.shows(HELLO).await;

        browser
            .click(&format!("form[action='{path}'] button"))
            .await;
        browser.shows(NOBODY).await;
        browser.back().await.unwrap();
        browser.shows(NOBODY).await;
    }
}

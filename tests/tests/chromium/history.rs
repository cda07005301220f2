//! The back and forward buttons, and sign-ins that are not completed.

use quickstart::args::StorageKind;

use crate::place::{HELLO, NOBODY, PROBLEM, Place, SIGN_IN};

const STORAGES: [StorageKind; 2] = [StorageKind::Memory, StorageKind::Cookie];

#[tokio::test]
async fn s9_going_back_from_the_sign_in_page_ends_nothing() {
    for storage in STORAGES {
        let place = Place::new(storage).await;
        place.sign_in().await;
        let before = place.cookies().await;
        place.open("/sign-in?prompt=login").await;
        place.browser.shows(SIGN_IN).await;
        place.browser.back().await.unwrap();
        place.browser.shows(HELLO).await;
        place.browser.refresh().await.unwrap();
        place.browser.shows(HELLO).await;
        assert_eq!(place.cookies().await, before);
        assert_eq!(place.engine.grants().await.len(), 1);
    }
}

#[tokio::test]
async fn s9_cancelling_at_the_sign_in_page_ends_nothing() {
    for storage in STORAGES {
        let place = Place::new(storage).await;
        place.sign_in().await;
        let before = place.cookies().await;
        place.open("/sign-in?prompt=login").await;
        place.browser.shows(SIGN_IN).await;
        place.browser.click("button[name=cancel]").await;
        place.browser.shows(PROBLEM).await;
        assert_eq!(
            place.cookies().await,
            before,
            "also without a pending sign-in"
        );
        place.browser.click("a[href='/']").await;
        place.browser.shows(HELLO).await;
        assert_eq!(place.engine.grants().await.len(), 1);
    }
}

#[tokio::test]
async fn c15_going_back_after_the_callback_leads_to_no_callback() {
    for storage in STORAGES {
        let place = Place::new(storage).await;
        place.sign_in().await;
        let before = place.cookies().await;
        place.browser.back().await.unwrap();
        let url = place.browser.current_url().await.unwrap();
        assert_eq!(
            url.origin(),
            place.engine.issuer().origin(),
            "not the callback"
        );
        place.browser.forward().await.unwrap();
        place.browser.shows(HELLO).await;
        assert_eq!(place.cookies().await, before);
        assert_eq!(
            place.engine.requests().await.grants("authorization_code"),
            1
        );
    }
}

/// Chromium keeps pages for going back although they say `no-store`, and does not always notice in time
/// that a cookie has changed: the page itself asks again.
#[tokio::test]
async fn b12_going_back_after_the_sign_out_shows_nothing_of_the_user() {
    for path in ["/sign-out", "/sign-out/local"] {
        let place = Place::new(StorageKind::Memory).await;
        let browser = &place.browser;
        place.sign_in().await;
        place.open("/user").await;
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

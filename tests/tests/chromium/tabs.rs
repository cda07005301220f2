//! Several tabs of one browser.

use http::StatusCode;
use logto_tests::engine::SHOPPING;
use quickstart::args::StorageKind;

use crate::fixture::{Fixture, HELLO, NOBODY, SIGN_IN};

#[tokio::test]
async fn s7_c19_two_tabs_sign_in_at_once_and_both_land_with_a_session_in_memory() {
    two_tabs(StorageKind::Memory).await;
}

#[tokio::test]
async fn s7_c19_two_tabs_sign_in_at_once_and_both_land_with_a_session_in_cookies() {
    two_tabs(StorageKind::Cookie).await;
}

async fn two_tabs(storage: StorageKind) {
    for a_first in [true, false] {
        let fixture = Fixture::new(storage).await;
        let a = fixture.browser.window().await.unwrap();
        fixture.open("/sign-in?return_to=/user%3Ftab=a").await;
        fixture.browser.shows(SIGN_IN).await;
        let b = fixture.browser.new_tab().await;
        fixture.open("/sign-in?return_to=/user%3Ftab=b").await;
        fixture.browser.shows(SIGN_IN).await;
        assert_eq!(fixture.all_cookies().await.len(), 1, "one for all sign-ins");

        let mut tabs = [(a, "/user?tab=a"), (b, "/user?tab=b")];
        if !a_first {
            tabs.reverse();
        }
        for (tab, path) in &tabs {
            fixture.browser.go_to_tab(tab).await;
            fixture.confirm().await;
            fixture.browser.arrives_at(&fixture.site.url(path)).await;
        }
        let cookies = fixture.sessions().await;
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        for (tab, _) in &tabs {
            fixture.browser.go_to_tab(tab).await;
            fixture.open("/").await;
            fixture.browser.shows(HELLO).await;
        }
    }
}

#[tokio::test]
async fn a_page_left_open_in_another_tab_is_signed_out_with_a_session_in_memory() {
    left_open(StorageKind::Memory).await;
}

#[tokio::test]
async fn a_page_left_open_in_another_tab_is_signed_out_with_a_session_in_cookies() {
    left_open(StorageKind::Cookie).await;
}

async fn left_open(storage: StorageKind) {
    let fixture = Fixture::new(storage).await;
    let browser = &fixture.browser;
    fixture.sign_in().await;
    let first = browser.window().await.unwrap();
    let second = browser.new_tab().await;
    fixture.open("/").await;
    browser.shows(HELLO).await;

    browser.go_to_tab(&first).await;
    browser.click("form[action='/sign-out'] button").await;
    browser.shows(NOBODY).await;

    browser.go_to_tab(&second).await;
    browser.shows(HELLO).await;
    fixture.open(&format!("/token?resource={SHOPPING}")).await;
    let mut token = fixture.site.last("/token");
    token.cookies.retain(|cookie| !cookie.contains(".browser="));
    assert_eq!(
        (token.status, token.cookies),
        (StatusCode::UNAUTHORIZED, vec![])
    );
    browser.back().await.unwrap();
    browser.shows(NOBODY).await;
    assert_eq!(fixture.cookies().await, []);
}

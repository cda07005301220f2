//! Several tabs of one browser.

use http::StatusCode;
use logto_tests::engine::SHOPPING;
use quickstart::args::StorageKind;

use crate::place::{HELLO, NOBODY, Place, SIGN_IN};

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
        let place = Place::new(storage).await;
        let a = place.browser.window().await.unwrap();
        place.open("/sign-in?return_to=/user%3Ftab=a").await;
        place.browser.shows(SIGN_IN).await;
        let b = place.browser.new_tab().await;
        place.open("/sign-in?return_to=/user%3Ftab=b").await;
        place.browser.shows(SIGN_IN).await;
        assert_eq!(place.all_cookies().await.len(), 1, "one for all sign-ins");

        let mut tabs = [(a, "/user?tab=a"), (b, "/user?tab=b")];
        if !a_first {
            tabs.reverse();
        }
        for (tab, path) in &tabs {
            place.browser.go_to_tab(tab).await;
            place.confirm().await;
            place.browser.arrives_at(&place.site.url(path)).await;
        }
        let cookies = place.sessions().await;
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        for (tab, _) in &tabs {
            place.browser.go_to_tab(tab).await;
            place.open("/").await;
            place.browser.shows(HELLO).await;
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
    let place = Place::new(storage).await;
    let browser = &place.browser;
    place.sign_in().await;
    let first = browser.window().await.unwrap();
    let second = browser.new_tab().await;
    place.open("/").await;
    browser.shows(HELLO).await;

    browser.go_to_tab(&first).await;
    browser.click("form[action='/sign-out'] button").await;
    browser.shows(NOBODY).await;

    browser.go_to_tab(&second).await;
    browser.shows(HELLO).await;
    place.open(&format!("/token?resource={SHOPPING}")).await;
    let mut token = place.site.last("/token");
    token.cookies.retain(|cookie| !cookie.contains(".browser="));
    assert_eq!(
        (token.status, token.cookies),
        (StatusCode::UNAUTHORIZED, vec![])
    );
    browser.back().await.unwrap();
    browser.shows(NOBODY).await;
    assert_eq!(place.cookies().await, []);
}

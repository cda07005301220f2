//! Signing in at the engine.

use logto_tests::chromium::Chromium;
use quickstart::args::StorageKind;

use crate::fixture::{Fixture, HELLO, NOBODY, PROBLEM, SIGN_IN};

/// The badge that says where the writable path has the shopping API's token from.
const SHOPPING_TOKEN: &str = "td a[href^='/token?resource=https%3A%2F%2Fshopping.']";

#[tokio::test]
async fn somebody_signs_in_uses_tokens_and_signs_out_with_a_session_in_memory() {
    sign_in_and_out(StorageKind::Memory).await;
}

#[tokio::test]
async fn somebody_signs_in_uses_tokens_and_signs_out_with_a_session_in_cookies() {
    sign_in_and_out(StorageKind::Cookie).await;
}

async fn sign_in_and_out(storage: StorageKind) {
    let fixture = Fixture::new(storage).await;
    let (browser, engine) = (&fixture.browser, &fixture.engine);
    fixture.sign_in().await;

    let text = async |selector| browser.text(selector).await.unwrap();
    let claims = text("[aria-labelledby=claims]").await;
    let user_info = text("[aria-labelledby=user-info]").await;
    assert!(claims.contains("alice@example.com"), "{claims}");
    assert!(user_info.contains("alice@example.com"), "{user_info}");
    assert_eq!(text(SHOPPING_TOKEN).await, "fetched now");
    browser.refresh().await.unwrap();
    assert_eq!(text(SHOPPING_TOKEN).await, "from the session");
    assert_eq!(engine.requests().await.grants("authorization_code"), 1);
    assert_eq!(engine.requests().await.grants("refresh_token"), 1);
    let cookies = fixture.sessions().await;
    assert_eq!(cookies.len(), 1, "{cookies:?}");

    browser.click("form[action='/sign-out'] button").await;
    browser.shows(NOBODY).await;
    assert_eq!(fixture.cookies().await, []);
    assert!(engine.grants().await.is_empty());

    let mut complaints = browser.complaints().await;
    complaints.retain(|complaint| !complaint.starts_with(engine.endpoint().as_str()));
    assert_eq!(complaints, Vec::<String>::new());

    browser.click("a[href='/sign-in']").await;
    browser.shows(SIGN_IN).await;
}

#[tokio::test]
async fn c5_v30_a_callback_in_another_browser_is_refused() {
    let fixture = Fixture::new(StorageKind::Memory).await;
    fixture.open("/sign-in").await;
    let lure = fixture.site.last("/sign-in").location.unwrap();

    let victim = Chromium::start().await;
    victim.open(&lure).await;
    victim.shows(SIGN_IN).await;
    victim.click("button").await;
    victim.shows(PROBLEM).await;
    assert_eq!(
        victim.text("code").await.unwrap(),
        "sign_in_session_not_found"
    );
    assert_eq!(victim.cookies(fixture.site.host()).await, []);
    assert_eq!(fixture.engine.requests().await.to("token"), 0);

    // The browser in which it began still can.
    fixture.confirm().await;
    fixture.browser.shows(HELLO).await;
}

#[tokio::test]
async fn c8_a_callback_that_is_opened_again_leads_on_and_ends_nothing() {
    for storage in [StorageKind::Memory, StorageKind::Cookie] {
        let fixture = Fixture::new(storage).await;
        fixture.sign_in().await;
        let callback = fixture.site.last("/callback").path;
        let before = fixture.cookies().await;

        for _ in 0..2 {
            fixture.open(&callback).await;
            fixture.browser.shows(HELLO).await;
        }
        assert_eq!(fixture.cookies().await, before);
        assert_eq!(
            fixture.engine.requests().await.grants("authorization_code"),
            1
        );

        assert_eq!(fixture.engine.grants().await.len(), 1, "the grant is alive");
    }
}

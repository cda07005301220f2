//! Magic links: a landing page starts a sign-in with a one-time token.

use logto_client::SignIn;
use logto_storage::MemoryStorage;
use logto_testkit::BrowserError;
use logto_tests::world::{World, callback_of};

const EMAIL: &str = "alice@example.com";

fn magic_link(token: &str) -> SignIn {
    SignIn::new().one_time_token(token).login_hint(EMAIL)
}

#[tokio::test(start_paused = true)]
async fn a_magic_link_signs_in_without_a_page_and_once() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let token = world.logto.create_one_time_token(EMAIL).unwrap();

    let (url, pending) = client.sign_in(&magic_link(&token)).await.unwrap();
    let callback = world.logto.browser().visit(&url).unwrap().unwrap();
    let signed_in = client
        .complete_sign_in(Some(pending), callback_of(&callback), None)
        .await
        .unwrap();
    assert_eq!(signed_in.session.claims().sub, "user-alice");

    let (again, _) = client.sign_in(&magic_link(&token)).await.unwrap();
    assert_eq!(
        world.logto.browser().visit(&again),
        Err(BrowserError::InvalidLink("one_time_token.token_consumed"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_magic_link_replaces_the_session_of_somebody_else() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let browser = world.logto.browser();
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let callback = callback_of(&browser.sign_in(&url, "bob").unwrap());
    let bobs = client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .unwrap();

    let token = world.logto.create_one_time_token(EMAIL).unwrap();
    let (url, pending) = client.sign_in(&magic_link(&token)).await.unwrap();
    let callback = callback_of(&browser.visit(&url).unwrap().unwrap());
    let bobs = bobs.session.handle();
    let alices = client
        .complete_sign_in(Some(pending), callback, Some(&bobs))
        .await
        .unwrap();
    assert_eq!(alices.session.claims().sub, "user-alice");
    assert!(client.session(&bobs).await.unwrap().is_none());
}

//! Third-party applications: access depends on the user's consent, and a lack of consent signs nobody out.

use logto_client::{LogtoClient, SignIn, TokenTarget, core::sign_in::Callback, error::Advice};
use logto_storage::MemoryStorage;
use logto_testkit::{
    Browser, UserConsentScopes,
    demo::{ACME, GLOBEX, SHOPPING_API},
};
use logto_tests::world::{World, callback_of};

/// The world's application may ask for less than it does ask for.
fn world() -> World {
    let scopes = UserConsentScopes::new()
        .user([
            "profile",
            "email",
            "urn:logto:scope:organizations",
            "urn:logto:scope:organization_roles",
        ])
        .resource(SHOPPING_API, ["read:products"])
        .organization(["read:shipments"]);
    World::with(|app| app.third_party(scopes), |tenant| tenant)
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// How a sign-in ends in which the user answers the consent page so: the error's code, or "signed in".
async fn outcome(
    client: &LogtoClient,
    browser: &Browser,
    answer: impl FnOnce(&Browser, &url::Url) -> url::Url,
) -> String {
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let callback: Callback = callback_of(&answer(browser, &url));
    match client.complete_sign_in(Some(pending), callback, None).await {
        Ok(_) => "signed in".to_owned(),
        Err(incomplete) => incomplete.error.code().to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn x15_what_a_third_party_was_not_granted_is_missing_and_the_rest_works() {
    let world = world();
    let session = world
        .sign_in(&world.client(MemoryStorage::new()), "alice")
        .await
        .session;
    let token = session.access_token(&shopping()).await.unwrap();
    assert_eq!(token.scopes.iter().collect::<Vec<_>>(), ["read:products"]);
    let acme = TokenTarget::organization(ACME);
    let acme = session.access_token(&acme).await.unwrap();
    assert_eq!(acme.scopes.iter().collect::<Vec<_>>(), ["read:shipments"]);
    let state = session.snapshot();
    let missing: Vec<_> = state.missing_scopes().into_iter().collect();
    assert_eq!(missing, ["write:products"]);
}

#[tokio::test(start_paused = true)]
async fn x8_an_organization_without_consent_costs_its_token_and_no_session() {
    let world = world();
    let session = world
        .sign_in(&world.client(MemoryStorage::new()), "alice")
        .await
        .session;
    let globex = TokenTarget::organization(GLOBEX);
    let refused = session.access_token(&globex).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.advice()),
        ("access_denied", Advice::Refused)
    );
    let tokens = session.organization_tokens().await.unwrap();
    let given: Vec<_> = tokens
        .iter()
        .map(|(id, token)| (id.as_str(), token.is_ok()))
        .collect();
    assert_eq!(given, [(ACME, true), (GLOBEX, false)]);
    assert!(session.refresh_access_token(&shopping()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn x26_a_user_who_does_not_consent_is_a_typed_error() {
    let world = world();
    let client = world.client(MemoryStorage::new());
    let browser = world.logto.browser();
    let deny = |browser: &Browser, url: &url::Url| browser.deny(url, "alice").unwrap();
    assert_eq!(outcome(&client, &browser, deny).await, "access_denied");
    // By the button of Logto's page, which says nothing.
    let cancel = |browser: &Browser, url: &url::Url| browser.cancel(url, "alice").unwrap();
    assert_eq!(outcome(&client, &browser, cancel).await, "missing_state");
    let consent = |browser: &Browser, url: &url::Url| browser.sign_in(url, "alice").unwrap();
    assert_eq!(outcome(&client, &browser, consent).await, "signed in");
    assert_eq!(world.token_calls(), 1);
}

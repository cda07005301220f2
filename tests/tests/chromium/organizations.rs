//! A user with many organizations, at the test provider: the engine has no organizations.

use logto::client::seal::{KeyRing, SealKey};
use logto_testkit::{App, Logto, Organization, demo};
use logto_tests::{
    chromium::Chromium,
    engine::{SECRET, TRADITIONAL},
    site::Address,
};
use quickstart::{app, args::StorageKind};

use crate::fixture::{NOBODY, SIGN_IN};

/// With thirty, no sign-in of the JavaScript SDK leaves a session.
const ORGANIZATIONS: usize = 60;

#[tokio::test]
async fn s8_a_member_of_sixty_organizations_signs_in_and_gets_their_tokens() {
    let address = Address::new("localhost").await;
    let mut tenant = Logto::demo().app(
        App::traditional(TRADITIONAL, SECRET)
            .redirect_uri(address.callback().as_str())
            .post_logout_redirect_uri(address.base_url().as_str()),
    );
    for n in 0..ORGANIZATIONS {
        // As long as Logto's are.
        let organization = Organization::new(format!("organ{n:07}"), "Guild");
        tenant = tenant.organization(organization.member("alice", ["member"]));
    }
    let logto = tenant.listen(0).await.unwrap();
    let builder = logto::builder(logto.logto().endpoint(), TRADITIONAL)
        .config(|config| {
            config
                .app_secret(SECRET)
                .base_url(address.base_url().as_str())
                .scopes(["email", "urn:logto:scope:organizations", "read:shipments"])
                .resource(demo::SHOPPING_API)
        })
        .keys(KeyRing::new(SealKey::new(&[7; 32])));
    let app = app::App::new(builder, StorageKind::Cookie).await;
    let site = address.serve(app.unwrap().router());

    let browser = Chromium::start().await;
    browser.open(&site.url("/sign-in")).await;
    browser.shows(SIGN_IN).await;
    browser.fill("identifier", "alice").await;
    browser.fill("password", "password").await;
    browser.click("button").await;
    browser.shows("Hello, Alice Lab").await;
    let token = "td a[href='/token?organization_id=acme']";
    assert_eq!(browser.text(token).await.unwrap(), "fetched now");
    browser.refresh().await.unwrap();
    assert_eq!(browser.text(token).await.unwrap(), "from the session");
    let cookies = browser.cookies(site.host()).await;
    assert!(cookies.len() > 1, "{cookies:?}");

    browser.click("form[action='/sign-out'] button").await;
    browser.shows(NOBODY).await;
    let mut left = browser.cookies(site.host()).await;
    left.retain(|cookie| !cookie.name.ends_with(".browser"));
    assert_eq!(left, []);
}

//! Requests from other sites.

use http::{Method, StatusCode};
use quickstart::args::StorageKind;

use crate::fixture::{Fixture, HELLO};

#[tokio::test]
async fn b14_another_site_cannot_sign_a_user_out() {
    let fixture = Fixture::new(StorageKind::Memory).await;
    fixture.sign_in().await;
    let before = fixture.cookies().await;
    for method in [Method::POST, Method::GET] {
        fixture.elsewhere().await;
        fixture.lead_to("/sign-out", &method).await;
        let refused = fixture.site.last("/sign-out");
        assert_eq!(
            (refused.method, refused.status),
            (method.clone(), StatusCode::FORBIDDEN)
        );
        assert_eq!(
            refused.cookies.is_empty(),
            method == Method::POST,
            "SameSite=Lax"
        );
        assert_eq!(fixture.cookies().await, before);
    }
}

#[tokio::test]
async fn b1_a_link_of_another_site_arrives_signed_in() {
    let fixture = Fixture::new(StorageKind::Cookie).await;
    fixture.sign_in().await;
    fixture.elsewhere().await;
    fixture.lead_to("/", &Method::GET).await;
    fixture.browser.shows(HELLO).await;
}

impl Fixture {
    /// Goes to a page of another site.
    async fn elsewhere(&self) {
        let page = self.engine.endpoint().join("/nowhere").unwrap();
        self.browser.open(&page).await;
    }

    /// Lets the page send its reader to an address of the quickstart.
    async fn lead_to(&self, path: &str, method: &Method) {
        let url = self.site.url(path);
        let script = format!(
            "const form = document.createElement('form');
            form.method = '{method}';
            form.action = '{url}';
            document.body.append(form);
            form.submit();
            done(null);"
        );
        self.browser.run(&script).await;
        let mut there = url.clone();
        if *method == Method::GET {
            // What a form without fields makes of a URL.
            there.set_query(Some(""));
        }
        self.browser.arrives_at(&there).await;
    }
}

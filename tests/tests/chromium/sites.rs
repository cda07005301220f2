//! Requests from other sites.

use http::{Method, StatusCode};
use quickstart::args::StorageKind;

use crate::place::{HELLO, Place};

#[tokio::test]
async fn b14_another_site_cannot_sign_a_user_out() {
    let place = Place::new(StorageKind::Memory).await;
    place.sign_in().await;
    let before = place.cookies().await;
    for method in [Method::POST, Method::GET] {
        place.elsewhere().await;
        place.lead_to("/sign-out", &method).await;
        let refused = place.site.last("/sign-out");
        assert_eq!(
            (refused.method, refused.status),
            (method.clone(), StatusCode::FORBIDDEN)
        );
        assert_eq!(
            refused.cookies.is_empty(),
            method == Method::POST,
            "SameSite=Lax"
        );
        assert_eq!(place.cookies().await, before);
    }
}

#[tokio::test]
async fn b1_a_link_of_another_site_arrives_signed_in() {
    let place = Place::new(StorageKind::Cookie).await;
    place.sign_in().await;
    place.elsewhere().await;
    place.lead_to("/", &Method::GET).await;
    place.browser.shows(HELLO).await;
}

impl Place {
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

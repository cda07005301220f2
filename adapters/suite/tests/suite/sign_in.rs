//! Ways of signing in.

use bytes::Bytes;
use http::{Request, StatusCode};
use logto::test::{Browser, Page};
use logto_suite::{Sessions, Stage, is_signed_in};
use url::Url;

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

pub(crate) async fn tabs_finish_in_any_order(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let paths = ["/private", "/user-info", "/organizations"];
    for order in ORDERS {
        let browser = stage.browser();
        let mut forms = Vec::new();
        for path in paths {
            let page = browser.open(path).await.unwrap();
            let form = page.form_with("identifier").expect("Logto asks");
            forms.push(
                form.fill("identifier", "alice")
                    .fill("password", "password"),
            );
        }
        for tab in order {
            let page = browser.submit(&forms[tab]).await.unwrap();
            assert_eq!(page.status(), StatusCode::OK, "{order:?}: {}", page.text());
            assert_eq!(page.url().path(), paths[tab], "{order:?}");
            assert!(is_signed_in(&browser).await, "{order:?}");
        }
    }
}

pub(crate) async fn a_cancelled_sign_in_is_explained_and_can_be_begun_again(
    package: &'static str,
    sessions: Sessions,
) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.browser();
    let start = browser.get("/sign-in?return_to=/private").await.unwrap();
    let authorization_url = start.location().expect("it goes to Logto");
    let callback = stage.logto().deny(&authorization_url, "access_denied");
    let page = come_back(&browser, &callback.unwrap()).await;
    assert!(page.status().is_client_error(), "{page:?}");
    assert!(page.text().contains("<h1>"), "{}", page.text());
    assert!(page.text().contains("href="), "there is a way on");
    assert!(!is_signed_in(&browser).await);
    let page = browser.sign_in("/private", "alice", "password").await;
    assert_eq!(page.unwrap().status(), StatusCode::OK);
}

pub(crate) async fn a_repeated_callback_goes_where_it_wanted_to_go(
    package: &'static str,
    sessions: Sessions,
) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.browser();
    let start = browser.get("/sign-in?return_to=/user-info").await.unwrap();
    let authorization_url = start.location().expect("it goes to Logto");
    let callback = stage.logto().sign_in(&authorization_url, "alice").unwrap();
    for visit in 0..2 {
        let page = come_back(&browser, &callback).await;
        let next = page
            .location()
            .unwrap_or_else(|| panic!("visit {visit}: {page:?}"));
        assert_eq!(next.path(), "/user-info", "visit {visit}");
        assert!(is_signed_in(&browser).await, "visit {visit}");
    }
    let thief = stage.browser();
    let page = come_back(&thief, &callback).await;
    assert!(!page.status().is_server_error(), "{page:?}");
    assert!(!is_signed_in(&thief).await, "the callback is no key");
}

/// The last redirect of Logto, and no further.
async fn come_back(browser: &Browser, callback: &Url) -> Page {
    let request = Request::get(callback.as_str()).header("sec-fetch-site", "cross-site");
    browser
        .send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap()
}

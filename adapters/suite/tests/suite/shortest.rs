//! The programs of the quick starts in the book.

use std::sync::Arc;

use http::StatusCode;
use logto::{
    ReqwestClient,
    test::{
        Browser,
        testkit::{Logto, demo},
    },
};
use logto_suite::{COOKIE_KEY, Program};
use url::Url;

/// Each of them, and whether it has the page `/orders`.
const PROGRAMS: [(&str, bool); 5] = [
    ("shortest-actix-web", true),
    ("shortest-axum", true),
    ("shortest-hyper", true),
    ("shortest-leptos", false),
    ("shortest-rocket", true),
];

/// One after the other: all of them listen where the book says.
#[tokio::test]
async fn every_quick_start_signs_in_and_out() {
    let base_url = Url::parse(demo::BASE_URL).unwrap();
    for (name, has_orders) in PROGRAMS {
        let server = Logto::demo().listen(0).await.expect("a port is free");
        let mut variables = demo::variables(server.logto(), base_url.as_str()).to_vec();
        variables.push(("LOGTO_COOKIE_KEY", COOKIE_KEY.to_owned()));
        let _program = Program::start(name, 3000, variables).await;
        let http = Arc::new(ReqwestClient::new().unwrap());
        let browser = Browser::new(server.logto(), &base_url, http);

        let home = browser.sign_in("/", "alice", "password").await.unwrap();
        assert_eq!((home.status(), home.url()), (StatusCode::OK, &base_url));
        assert!(home.text().contains("user-alice"), "{name}: {home:?}");
        let user = browser.fetch("/user").await.unwrap();
        assert!(
            user.text().contains("alice@example.com"),
            "{name}: {user:?}"
        );
        if has_orders {
            let orders = browser.fetch("/orders").await.unwrap();
            assert!(
                orders.text().contains("read:products"),
                "{name}: {orders:?}"
            );
        }

        let left = browser.post("/sign-out", &[]).await.unwrap();
        assert_eq!(left.url().path(), "/sign-in", "{name}: {left:?}");
        let home = browser.fetch("/").await.unwrap();
        assert_eq!(home.status(), StatusCode::UNAUTHORIZED, "{name}");
    }
}

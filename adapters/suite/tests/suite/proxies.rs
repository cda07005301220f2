//! Behind nginx with its defaults: it answers 502 to response headers of more than 4 KiB, and its requests name
//! another host.

use http::StatusCode;
use logto_suite::{Proxy, Sessions, Stage, is_signed_in};

use crate::tour;

pub(crate) async fn behind_nginx(package: &'static str, sessions: Sessions) {
    let proxy = Proxy::default();
    tour::walk(&Stage::behind_nginx(package, sessions, proxy).await).await;
}

pub(crate) async fn over_https_at_the_proxy(package: &'static str, sessions: Sessions) {
    let proxy = Proxy {
        is_https: true,
        ..Proxy::default()
    };
    let stage = Stage::behind_nginx(package, sessions, proxy).await;
    tour::walk(&stage).await;
    let browser = stage.alice().await;
    for (name, _) in browser.cookies() {
        assert!(name.starts_with("__Host-"), "{name}");
    }
}

pub(crate) async fn below_a_prefix(package: &'static str, sessions: Sessions) {
    let proxy = Proxy {
        prefix: "/shop",
        ..Proxy::default()
    };
    let stage = Stage::behind_nginx(package, sessions, proxy).await;
    let browser = stage.browser();
    let page = browser.sign_in("/sign-in?return_to=/shop/private", "alice", "password");
    let page = page.await.unwrap();
    assert_eq!(
        (page.status(), page.url().path()),
        (StatusCode::OK, "/shop/private")
    );
    let page = browser.post("/sign-out", &[]).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
    assert_eq!(
        page.url().as_str().trim_end_matches('/'),
        stage.base_url().as_str()
    );
    assert!(!is_signed_in(&browser).await);
    // The guard knows the prefix too, although the program does not see it.
    let page = browser
        .sign_in("/private", "alice", "password")
        .await
        .unwrap();
    assert_eq!(
        (page.status(), page.url().path()),
        (StatusCode::OK, "/shop/private")
    );
}

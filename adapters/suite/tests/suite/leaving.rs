//! Signing out.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use logto_suite::{Sessions, Stage, is_signed_in};

pub(crate) async fn signing_out_here(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    let other = stage.alice().await;
    let copy = browser.copied();

    let link = browser.get("/sign-out").await.unwrap();
    assert_eq!(link.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(link.headers()[header::ALLOW], "POST");
    assert!(is_signed_in(&browser).await, "a link signs nobody out");

    let end = browser.post("/sign-out", &[]).await.unwrap();
    assert_eq!(
        (end.status(), end.url()),
        (StatusCode::OK, stage.base_url())
    );
    assert!(!is_signed_in(&browser).await);
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    let private = browser.open("/private").await.unwrap();
    assert!(
        private.form_with("identifier").is_some(),
        "Logto asks again"
    );

    assert!(is_signed_in(&other).await, "another browser stays");
    if sessions == Sessions::Memory {
        assert!(
            !is_signed_in(&copy).await,
            "the session is gone, not only the cookie"
        );
    }
    let orders = copy.fetch("/orders").await.unwrap();
    assert_eq!(
        orders.status(),
        StatusCode::UNAUTHORIZED,
        "{}",
        orders.text()
    );

    let again = browser.post("/sign-out", &[]).await.unwrap();
    assert_eq!(
        again.status(),
        StatusCode::OK,
        "signing out twice is no error"
    );
}

/// Who signs out in one browser signs out of all sessions that began with the same sign-in at Logto.
pub(crate) async fn signing_out_everywhere(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let here = stage.alice().await;
    let there = here.copied();
    for (name, _) in there.cookies() {
        there.remove_cookie(&name);
    }
    let page = there.open("/private").await.unwrap();
    assert_eq!(
        (page.status(), page.url().path()),
        (StatusCode::OK, "/private"),
        "Logto does not ask again"
    );
    let other = stage.alice().await;

    here.post("/sign-out", &[]).await.unwrap();
    for token in stage.logto().take_logout_tokens() {
        let response = stage.send(token.to_request().unwrap()).await;
        assert!(response.status().is_success(), "{response:?}");
    }
    assert!(!is_signed_in(&here).await);
    assert!(!is_signed_in(&there).await);
    assert!(is_signed_in(&other).await, "another sign-in at Logto");
}

pub(crate) async fn a_logout_elsewhere(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    stage.logto().end_sessions("alice").unwrap();
    let tokens = stage.logto().take_logout_tokens();
    assert!(!tokens.is_empty());

    let uri = tokens[0].uri();
    for body in ["", "logout_token=", "logout_token=e30.e30.e30", "%%%"] {
        let request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
            .unwrap();
        let response = stage.send(request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body:?}");
    }
    assert!(is_signed_in(&browser).await);

    for token in tokens {
        let response = stage.send(token.to_request().unwrap()).await;
        assert!(response.status().is_success(), "{response:?}");
    }
    assert!(!is_signed_in(&browser).await);
}

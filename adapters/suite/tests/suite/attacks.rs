//! What attackers send.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use logto::test::Browser;
use logto_suite::{Sessions, Stage, is_signed_in};

pub(crate) async fn cookies_that_were_tampered_with(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let alice = stage.alice().await;
    let cookies = alice.cookies();
    assert!(!cookies.is_empty());
    let mut carriers = 0;
    for (name, value) in &cookies {
        let without = alice.copied();
        without.remove_cookie(name);
        let carries_session = !is_signed_in(&without).await;
        carriers += usize::from(carries_session);
        for tampered in tampered(value) {
            let browser = alice.copied();
            browser.set_cookie(name, &tampered);
            let page = browser.fetch("/private").await.unwrap();
            let status = page.status();
            assert!(!status.is_server_error(), "{name}={tampered}: {status}");
            if carries_session {
                assert!(status.is_client_error(), "{name}={tampered}: {status}");
                let home = browser.open("/").await.unwrap();
                assert!(!home.text().contains("Alice"), "{name}={tampered}");
                assert!(!home.status().is_server_error(), "{name}={tampered}");
            }
        }
    }
    assert!(carriers > 0);
    assert!(
        is_signed_in(&alice).await,
        "none of it has ended the session"
    );
}

pub(crate) async fn cookies_that_are_not_ours(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let alice = stage.alice().await;
    let session = alice.cookies();
    for number in 0..30 {
        alice.set_cookie(&format!("other-{number}"), &"x".repeat(number * 3));
    }
    alice.set_cookie("json", "{\"a\":[1,2]}");
    alice.set_cookie("spaces", "a b c");
    alice.set_cookie("equals", "a=b=c");
    for (name, _) in &session {
        alice.set_cookie(&format!("{name}x"), "similar");
        alice.set_cookie(&name.to_uppercase(), "similar");
    }
    assert!(
        is_signed_in(&alice).await,
        "foreign cookies disturb nothing"
    );
    let page = alice.open("/").await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);

    for header in ["\u{e9}=\u{e9}", "=", ";;;", "a", "\"", "a=\"b; c=d"] {
        let request = Request::get("/private")
            .header(header::COOKIE, header)
            .header(header::ACCEPT, "application/json")
            .header("sec-fetch-mode", "cors");
        let request = request.body(Bytes::new()).unwrap();
        let page = stage.browser().send(request).await.unwrap();
        assert!(!page.status().is_server_error(), "{header:?}: {page:?}");
        assert_ne!(page.status(), StatusCode::OK, "{header:?}");
    }
}

pub(crate) async fn requests_of_other_sites(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let alice = stage.alice().await;
    for path in ["/sign-out", "/profile"] {
        let status = caused_elsewhere(&alice, Method::POST, path, "same-site").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        // Without the cookies it may also be refused as that of somebody who is not signed in.
        let status = caused_elsewhere(&alice, Method::POST, path, "cross-site").await;
        let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
        assert!(refused.contains(&status), "{path}: {status}");
        // An old browser, which only says where the form was.
        let request = Request::post(path)
            .header("sec-fetch-site", "")
            .header(header::ORIGIN, "https://evil.example");
        let page = alice.send(request.body(Bytes::new()).unwrap()).await;
        assert_eq!(page.unwrap().status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert!(is_signed_in(&alice).await);

    // A picture on another site's page starts no sign-in.
    let request = Request::get("/sign-in")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-dest", "image");
    let page = alice
        .send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap();
    assert!(page.location().is_none(), "{page:?}");
}

async fn caused_elsewhere(browser: &Browser, method: Method, path: &str, site: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("sec-fetch-site", site);
    let request = request.body(Bytes::new()).unwrap();
    browser.send(request).await.unwrap().status()
}

/// Other values that look like this one.
fn tampered(value: &str) -> Vec<String> {
    let mut others = vec![
        String::new(),
        "x".to_owned(),
        format!("{value}{value}"),
        format!("{value}="),
        value.chars().rev().collect(),
        value.to_uppercase(),
        value[..value.len() / 2].to_owned(),
        value[1..].to_owned(),
        "A".repeat(value.len()),
        "A".repeat(4_000),
    ];
    for place in [0, 1, value.len() / 2, value.len() - 2] {
        let other = if &value[place..=place] == "A" {
            "B"
        } else {
            "A"
        };
        let mut changed = value.to_owned();
        changed.replace_range(place..=place, other);
        others.push(changed);
    }
    others.retain(|other| other != value);
    others
}

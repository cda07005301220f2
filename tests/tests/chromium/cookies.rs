//! Cookies as Chromium keeps them.

use std::sync::{Arc, Mutex};

use axum::{Router, http::HeaderMap, routing::get};
use http::{HeaderValue, header};
use logto::web::cookies::DEFAULT_RESPONSE_LIMIT;
use logto_testkit::Logto;
use logto_tests::{
    chromium::{Chromium, Cookie},
    engine::SHOPPING,
    site::{Address, Exchange},
    visitor::Visitor,
};
use quickstart::args::StorageKind;
use serde_json::json;

use crate::fixture::{Fixture, HELLO, NOBODY, SIGN_IN};

/// API resources of the engine, with [`SHOPPING`] too many for one cookie.
const APIS: [&str; 6] = [
    "https://billing.your-app.com/api",
    "https://api.test/short",
    "https://api.test/p1",
    "https://api.test/p2",
    "https://api.test/p3",
    "https://api.test/p4",
];
const LIMIT: usize = 4_096;

#[tokio::test]
async fn s8_b6_b8_v58_chromium_keeps_a_session_that_grows_beyond_a_cookie_and_shrinks_again() {
    let fixture = Fixture::with(StorageKind::Cookie, |config| {
        config.scope("read:bills").resources(APIS)
    })
    .await;
    fixture.sign_in().await;

    // The page has fetched a token for each API. They get through as responses have room.
    for _ in 0..4 {
        fixture.open("/").await;
        fixture.browser.shows(HELLO).await;
        assert_all_kept(&fixture.site.last("/"), &fixture.cookies().await);
    }
    let grown = fixture.cookies().await;
    assert_eq!(grown[0].name, fixture.name());
    assert!(
        grown[1..]
            .iter()
            .all(|cookie| cookie.name.starts_with(&format!("{}.t", fixture.name())))
    );
    assert!(kept(&grown).concat().len() > LIMIT);

    // The next request brings it back whole, so that nothing is fetched twice.
    fixture.engine.forget_requests().await;
    fixture.open("/").await;
    fixture.browser.shows(HELLO).await;
    let mut carried = fixture.site.last("/").cookies;
    carried.retain(|cookie| !cookie.contains(".browser="));
    carried.sort();
    let mut expected = kept(&grown);
    expected.sort();
    assert_eq!(carried, expected);
    assert_eq!(fixture.engine.requests().await.to("token"), 0);

    // The page allows no scripts, the JSON of `/user` does.
    fixture.open("/user").await;
    for api in APIS {
        let forget = format!(
            "fetch('/token?resource={api}', {{ method: 'DELETE' }}).then(answer => done(answer.status))"
        );
        assert_eq!(fixture.browser.run(&forget).await, json!(200));
    }
    let shrunk = fixture.cookies().await;
    assert!(shrunk.len() + 4 <= grown.len(), "{:?}", names(&shrunk));

    fixture.open(&format!("/token?resource={SHOPPING}")).await;
    assert_eq!(
        fixture.engine.requests().await.to("token"),
        0,
        "what was not forgotten is there"
    );
    fixture.open("/").await;
    assert!(
        fixture.cookies().await.len() > shrunk.len(),
        "it grows again"
    );
    fixture
        .browser
        .click("form[action='/sign-out'] button")
        .await;
    fixture.browser.shows(NOBODY).await;
    assert_eq!(fixture.cookies().await, []);
}

#[tokio::test]
async fn b1_cookies_are_http_only_lax_and_of_this_host_alone() {
    for storage in [StorageKind::Memory, StorageKind::Cookie] {
        let fixture = Fixture::new(storage).await;
        fixture.open("/sign-in").await;
        fixture.browser.shows(SIGN_IN).await;
        let pending = fixture.all_cookies().await;
        fixture.confirm().await;
        fixture.browser.shows(HELLO).await;
        let session = fixture.sessions().await;
        assert_eq!(
            fixture.browser.run("done(document.cookie)").await,
            json!("")
        );

        assert_eq!((pending.len(), session.len()), (1, 1));
        assert_eq!(pending[0].name, format!("{}.browser", fixture.name()));
        assert_eq!(session[0].name, fixture.name());
        for cookie in [&pending[0], &session[0]] {
            assert!(cookie.http_only);
            assert_eq!(cookie.same_site.as_deref(), Some("Lax"));
            assert_eq!(
                (cookie.domain.as_str(), cookie.path.as_str()),
                ("localhost", "/")
            );
            assert!(!cookie.secure, "plain http on this machine");
            assert!(!cookie.session, "it outlives the browser");
        }
    }
}

/// The browser of the tests that need none obeys the rule of a real one.
#[tokio::test]
async fn s8_v58_chromium_drops_the_cookies_that_the_visitor_of_other_tests_drops() {
    let next = Arc::new(Mutex::new(HeaderMap::new()));
    let answer = Arc::clone(&next);
    let router = Router::new().route("/", get(async move || answer.lock().unwrap().clone()));
    let site = Address::new("localhost").await.serve(router);
    let browser = Chromium::start().await;
    let visitor = Visitor::new(&Logto::demo().build().unwrap());

    for (round, length) in [10, LIMIT - 1, LIMIT, LIMIT + 1, 5_000, 100]
        .into_iter()
        .enumerate()
    {
        // The name counts, the attributes do not.
        let value = round.to_string().repeat(length - "name".len());
        let set_cookie = format!("name={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600");
        let headers = HeaderMap::from_iter([(
            header::SET_COOKIE,
            HeaderValue::from_str(&set_cookie).unwrap(),
        )]);
        next.lock().unwrap().clone_from(&headers);
        browser.open(&site.url("/")).await;
        visitor.receive(&headers);

        let kept = browser.cookies(site.host()).await;
        assert_eq!(kept.len(), 1);
        assert_eq!(
            kept[0].value == value,
            length <= LIMIT,
            "{length}: or the one before"
        );
        assert_eq!(visitor.cookies()["name"], kept[0].value, "{length}");
    }
    assert_eq!(visitor.ignored_cookies(), 2);
}

fn names(cookies: &[Cookie]) -> Vec<String> {
    cookies.iter().map(|cookie| cookie.name.clone()).collect()
}

fn kept(cookies: &[Cookie]) -> Vec<String> {
    let pairs = cookies.iter();
    pairs
        .map(|cookie| format!("{}={}", cookie.name, cookie.value))
        .collect()
}

/// Demands that the browser keeps everything that it was told to set, and forgets what it was told to delete.
fn assert_all_kept(exchange: &Exchange, cookies: &[Cookie]) {
    let kept = kept(cookies);
    let mut lines = 0;
    for set_cookie in &exchange.set_cookies {
        assert!(set_cookie.len() <= LIMIT, "{}", set_cookie.len());
        lines += "set-cookie: \r\n".len() + set_cookie.len();
        let pair = set_cookie.split("; ").next().unwrap().to_owned();
        let is_deleted = set_cookie.contains("; Max-Age=0;");
        assert_eq!(kept.contains(&pair), !is_deleted, "{pair}");
    }
    assert!(lines <= DEFAULT_RESPONSE_LIMIT, "{lines} bytes");
}

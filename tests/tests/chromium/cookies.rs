//! Cookies as Chromium keeps them.

use std::sync::{Arc, Mutex};

use axum::{Router, http::HeaderMap, routing::get};
use http::{HeaderValue, header};
use logto_testkit::Logto;
use logto_tests::{
    chromium::{Chromium, Cookie},
    engine::SHOPPING,
    site::{Address, Exchange},
    visitor::Visitor,
};
use quickstart::args::StorageKind;
use serde_json::json;

use crate::place::{HELLO, NOBODY, Place, SIGN_IN};

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
    let place = Place::with(StorageKind::Cookie, |config| {
        config.scope("read:bills").resources(APIS)
    })
    .await;
    place.sign_in().await;

    // The page has fetched a token for each API.
    let grown = place.cookies().await;
    assert_eq!(
        names(&grown),
        [format!("{}.0", place.name()), format!("{}.1", place.name())]
    );
    assert!(kept(&grown).concat().len() > LIMIT);
    assert_all_kept(&place.site.last("/"), &grown);

    // The next request brings it back whole, so that nothing is fetched twice.
    place.engine.forget_requests().await;
    place.open("/").await;
    place.browser.shows(HELLO).await;
    let mut carried = place.site.last("/").cookies;
    carried.retain(|cookie| !cookie.contains(".browser="));
    carried.sort();
    assert_eq!(carried, kept(&grown));
    assert_eq!(place.engine.requests().await.to("token"), 0);

    // The page allows no scripts, the JSON of `/user` does.
    place.open("/user").await;
    for api in APIS {
        let forget = format!(
            "fetch('/token?resource={api}', {{ method: 'DELETE' }}).then(answer => done(answer.status))"
        );
        assert_eq!(place.browser.run(&forget).await, json!(200));
    }
    let shrunk = place.cookies().await;
    assert_eq!(names(&shrunk), [place.name()], "no chunk is left");

    place.open(&format!("/token?resource={SHOPPING}")).await;
    assert_eq!(
        place.engine.requests().await.to("token"),
        0,
        "what was not forgotten is there"
    );
    place.open("/").await;
    assert_eq!(names(&place.cookies().await).len(), 2, "it grows again");
    place.browser.click("form[action='/sign-out'] button").await;
    place.browser.shows(NOBODY).await;
    assert_eq!(place.cookies().await, []);
}

#[tokio::test]
async fn b1_cookies_are_http_only_lax_and_of_this_host_alone() {
    for storage in [StorageKind::Memory, StorageKind::Cookie] {
        let place = Place::new(storage).await;
        place.open("/sign-in").await;
        place.browser.shows(SIGN_IN).await;
        let pending = place.all_cookies().await;
        place.confirm().await;
        place.browser.shows(HELLO).await;
        let session = place.cookies().await;
        assert_eq!(place.browser.run("done(document.cookie)").await, json!(""));

        assert_eq!((pending.len(), session.len()), (1, 1));
        assert_eq!(pending[0].name, format!("{}.browser", place.name()));
        assert_eq!(session[0].name, place.name());
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

/// Demands that the browser keeps everything that it was told to set, and that no more was told.
fn assert_all_kept(exchange: &Exchange, cookies: &[Cookie]) {
    let (deleted, set): (Vec<&String>, Vec<&String>) = exchange
        .set_cookies
        .iter()
        .partition(|set_cookie| set_cookie.contains("; Max-Age=0;"));
    for set_cookie in &set {
        assert!(set_cookie.len() <= LIMIT, "{}", set_cookie.len());
    }
    let mut set: Vec<String> = set
        .iter()
        .map(|set_cookie| set_cookie.split("; ").next().unwrap().to_owned())
        .collect();
    set.sort();
    assert_eq!(set, kept(cookies), "deleted: {deleted:?}");
}

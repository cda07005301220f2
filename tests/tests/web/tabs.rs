//! Sign-ins under way: any number in one browser, and none in a browser that did not start it.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use logto_client::{
    SignIn,
    web::{LogtoWeb, cookies::DEFAULT_RESPONSE_LIMIT},
};
use logto_tests::{
    stage::{Deployment, Kind, Stage, behind_a_proxy, codec, cookie_storage, key_ring, short},
    visitor::{Visitor, location, request_with},
    world::{BASE_URL, Mishap, World},
};
use serde_json::Value;
use url::Url;

/// What nginx takes with its defaults: one line of request headers, and all headers of a response.
const REQUEST_LINE: usize = 8_192;
const RESPONSE: usize = 4_096;

fn error_code(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).expect("an error is JSON");
    body["error"].as_str().expect("it has a code").to_owned()
}

fn arrived(response: &Response<Bytes>) -> &str {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
    response.headers()[header::LOCATION].to_str().unwrap()
}

fn response_len(response: &Response<Bytes>) -> usize {
    let headers = response.headers().iter();
    headers
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum()
}

/// Starts a sign-in in each of many tabs before the first of them has its answer.
async fn start_in_tabs(web: &LogtoWeb, visitor: &Visitor, tabs: usize) -> Vec<Url> {
    let visits: Vec<_> = (0..tabs).map(|_| visitor.get("/sign-in")).collect();
    let mut urls = Vec::new();
    let mut answers = Vec::new();
    for (tab, visit) in visits.iter().enumerate() {
        let sign_in = SignIn::new().return_to(format!("/tab/{tab}"));
        let response = web.sign_in(visit.parts(), &sign_in).await.unwrap();
        assert!(response_len(&response) < RESPONSE);
        urls.push(location(&response));
        answers.push(response);
    }
    for answer in &answers {
        visitor.receive(answer.headers());
    }
    urls
}

#[tokio::test(start_paused = true)]
async fn c19_sign_ins_in_many_tabs_complete_in_any_order() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let mut callbacks = Vec::new();
    for tab in 0..12 {
        let sign_in = SignIn::new().return_to(format!("/tab/{tab}"));
        let url = alice.start_sign_in_with(web, &sign_in).await;
        callbacks.push(alice.consent(&url, "alice"));
        stage.world.clock.advance(Duration::from_secs(1));
        assert_eq!(alice.cookies().len(), 1, "whatever their number");
    }
    for tab in [10, 0, 11, 9, 5, 1] {
        let response = alice.come_back(web, &callbacks[tab]).await;
        assert_eq!(arrived(&response), format!("/tab/{tab}"));
    }
    assert!(alice.token(web, &short()).await.is_ok());
    assert!(alice.longest_header() < REQUEST_LINE);
}

#[tokio::test(start_paused = true)]
async fn c19_restored_tabs_of_an_ended_session_start_at_once_and_each_arrives_where_it_wanted() {
    for deployment in [
        Deployment::Cookies,
        Deployment::Memory,
        Deployment::CookiesApart,
    ] {
        let stage = Stage::signed_in(Kind::Young, deployment).await;
        let alice = &stage.alice;
        stage.world.clock.advance(Duration::from_secs(15 * 86_400));
        assert!(!alice.is_signed_in(stage.web(0)).await);
        let urls = start_in_tabs(stage.web(0), alice, 50).await;
        for (tab, url) in urls.iter().enumerate() {
            let callback = alice.consent(url, "alice");
            let response = alice.come_back(stage.web(tab), &callback).await;
            assert_eq!(arrived(&response), format!("/tab/{tab}"), "{deployment:?}");
        }
        assert!(alice.longest_header() < REQUEST_LINE);
        assert!(alice.is_signed_in(stage.web(0)).await);
    }
}

/// Nothing tells the first requests of a new browser apart, so that each is given another cookie, and the
/// last one stays.
#[tokio::test(start_paused = true)]
async fn c19_tabs_of_a_new_browser_start_at_once_and_each_arrives_after_one_more_round() {
    for deployment in [
        Deployment::Cookies,
        Deployment::Memory,
        Deployment::CookiesApart,
    ] {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let alice = &stage.alice;
        let urls = start_in_tabs(stage.web(0), alice, 50).await;
        assert_eq!(alice.cookies().len(), 1);
        let mut again = 0;
        for (tab, url) in urls.iter().enumerate() {
            let callback = alice.consent(url, "alice");
            let mut response = alice.come_back(stage.web(tab), &callback).await;
            if location(&response)
                .as_str()
                .starts_with(stage.world.logto.endpoint())
            {
                again += 1;
                let callback = alice.consent(&location(&response), "alice");
                response = alice.come_back(stage.web(tab + 1), &callback).await;
            }
            assert_eq!(arrived(&response), format!("/tab/{tab}"), "{deployment:?}");
        }
        assert_eq!(again, 49);
        assert!(alice.longest_header() < REQUEST_LINE);
    }
}

#[tokio::test(start_paused = true)]
async fn c19_a_flood_of_sign_ins_leaves_one_small_cookie() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    for _ in 0..20 {
        start_in_tabs(web, alice, 50).await;
    }
    assert_eq!(alice.cookies().len(), 1);
    assert!(alice.longest_header() < 300, "{}", alice.longest_header());
}

#[tokio::test(start_paused = true)]
async fn c19_a_full_session_still_leaves_room_to_sign_in() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let full = "A".repeat(codec().capacity());
    let mut headers = HeaderMap::new();
    let full = logto_client::storage::Handle::new(full);
    for cookie in codec()
        .write(&Default::default(), &full, 0)
        .unwrap()
        .set_cookies
    {
        headers.append(header::SET_COOKIE, cookie);
    }
    for name in alice.cookies().keys() {
        alice.lose(name);
    }
    alice.receive(&headers);
    for _ in 0..10 {
        let url = alice.start_sign_in(web).await;
        let callback = alice.consent(&url, "alice");
        alice.get("/page");
        assert!(alice.longest_header() < REQUEST_LINE);
        let response = alice.copied().come_back(web, &callback).await;
        assert_eq!(arrived(&response), "/");
    }
    let mut forgotten = alice.cookies();
    forgotten.retain(|name, _| !name.ends_with(".browser"));
    assert!(forgotten.len() > 1, "the session was left alone");
}

#[tokio::test(start_paused = true)]
async fn c5_v30_the_callback_of_another_browser_is_not_redeemed() {
    for deployment in [Deployment::Cookies, Deployment::Memory] {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let (alice, web) = (&stage.alice, stage.web(0));
        let mallory = Visitor::new(&stage.world.logto);
        let plain = SignIn::new().return_to("/orders");
        let with_app_state = plain.clone().app_state(&"mallory's cart").unwrap();
        alice.start_sign_in(web).await;

        let url = mallory.start_sign_in_with(web, &plain).await;
        let foreign = mallory.consent(&url, "bob");
        let response = alice.come_back(web, &foreign).await;
        let again = location(&response);
        assert!(again.as_str().starts_with(stage.world.logto.endpoint()));
        assert!(!alice.is_signed_in(web).await);
        assert_eq!(stage.token_calls(), 0, "the code stays where it is");
        let callback = alice.consent(&again, "alice");
        assert_eq!(arrived(&alice.come_back(web, &callback).await), "/orders");
        let session = alice.get("/").look(web).await.unwrap().unwrap();
        assert_eq!(
            session.claims().sub,
            "user-alice",
            "herself, and nobody else"
        );

        stage.world.logto.reset_counts();
        let url = mallory.start_sign_in_with(web, &with_app_state).await;
        let foreign = mallory.consent(&url, "bob");
        let response = alice.come_back(web, &foreign).await;
        assert_eq!(error_code(&response), "sign_in_session_not_found");
        assert_eq!(stage.token_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn c5_a_sign_in_starts_again_once_and_not_twice() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let mallory = Visitor::new(&stage.world.logto);
    alice.start_sign_in(web).await;
    mallory.start_sign_in(web).await;
    let url = alice.start_sign_in(web).await;
    let callback = alice.consent(&url, "alice");
    let again = location(&mallory.come_back(web, &callback).await);
    // The browser's cookie changes once more meanwhile.
    let callback = mallory.consent(&again, "alice");
    let response = alice.come_back(web, &callback).await;
    assert_eq!(error_code(&response), "sign_in_session_not_found");
}

#[tokio::test(start_paused = true)]
async fn c8_a_callback_is_good_once_also_at_a_process_that_shares_nothing() {
    for deployment in [Deployment::CookiesApart, Deployment::Store] {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let alice = &stage.alice;
        let mut callbacks = Vec::new();
        for _ in 0..8 {
            let url = alice.start_sign_in(stage.web(0)).await;
            let callback = alice.consent(&url, "alice");
            assert_eq!(
                arrived(&alice.come_back(stage.web(0), &callback).await),
                "/"
            );
            callbacks.push(callback);
        }
        stage.world.logto.reset_counts();
        for callback in &callbacks {
            let response = alice.come_back(stage.web(1), callback).await;
            assert_eq!(arrived(&response), "/", "{deployment:?}");
        }
        assert_eq!(
            stage.token_calls(),
            0,
            "a code that is spent twice ends the grant"
        );
        assert!(alice.token(stage.web(1), &short()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_cannot_be_judged_yet_is_completed_by_a_reload() {
    let world = World::new();
    let web = || LogtoWeb::new(world.client(cookie_storage(&world)), codec(), key_ring());
    let alice = Visitor::new(&world.logto);
    let url = alice.start_sign_in(&web()).await;
    let callback = alice.consent(&url, "alice");
    // A process that has never reached Logto.
    let web = web();
    for _ in 0..2 {
        // What only reads is sent once more.
        world.network.next("/openid-configuration", Mishap::Refused);
        world.network.next("/openid-configuration", Mishap::Refused);
        let response = alice.come_back(&web, &callback).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(arrived(&alice.come_back(&web, &callback).await), "/");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_starts_again_when_the_application_asks_for_more_meanwhile() {
    let world = World::new();
    let alice = Visitor::new(&world.logto);
    let web =
        |world: &World| LogtoWeb::new(world.client(cookie_storage(world)), codec(), key_ring());
    let sign_in = SignIn::new().return_to("/orders");
    let sign_in = sign_in.app_state(&7).unwrap();
    let url = alice.start_sign_in_with(&web(&world), &sign_in).await;
    let callback = alice.consent(&url, "alice");
    let newer = world.clone().configured(|config| config.scope("phone"));
    let response = alice.come_back(&web(&newer), &callback).await;
    let again = location(&response);
    assert!(again.query().unwrap().contains("phone"), "{again}");
    assert_eq!(world.token_calls(), 0);
    let path = alice.consent(&again, "alice");
    assert_eq!(
        arrived(&alice.come_back(&web(&newer), &path).await),
        "/orders"
    );
}

#[tokio::test(start_paused = true)]
async fn every_place_to_come_back_to_starts_a_sign_in_and_never_fails() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (
        &stage.alice,
        &behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT),
    );
    alice.sign_in(web, "alice").await;
    for unit in ["\"", "翻", "😀", "a", "%", "\\", "?", "&", "%E7%BF%BB"] {
        for count in [1, 100, 300, 600, 1_200, 1_700, 2_040, 5_000] {
            let deployment = format!("/search?q={}", unit.repeat(count));
            let sign_in = SignIn::new().return_to(&deployment);
            let visit = alice.get("/sign-in");
            let response = web.sign_in(visit.parts(), &sign_in).await.unwrap();
            assert!(response_len(&response) < RESPONSE, "{unit} {count}");
            alice.receive(response.headers());
            let callback = alice.consent(&location(&response), "alice");
            let response = alice.come_back(web, &callback).await;
            let base = Url::parse(BASE_URL).unwrap();
            let wanted = base.join(&deployment).unwrap();
            let wanted = wanted[url::Position::BeforePath..].replace('\\', "%5C");
            let came_to = arrived(&response).to_owned();
            if wanted.len() <= 1_200 {
                assert_eq!(came_to, wanted, "{unit} {count}");
            } else if came_to.len() < 10 {
                assert_eq!(came_to, "/search", "{unit} {count}");
            }
        }
    }
    assert_eq!(alice.ignored_cookies(), 0);
}

#[tokio::test(start_paused = true)]
async fn c19_state_of_the_application_that_no_url_can_carry_is_a_typed_error() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (
        &stage.alice,
        &behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT),
    );
    let start = async |size: usize| {
        let sign_in = SignIn::new().app_state(&"x".repeat(size)).unwrap();
        web.sign_in(alice.get("/sign-in").parts(), &sign_in).await
    };
    let response = start(1_000).await.unwrap();
    assert!(response_len(&response) < RESPONSE);
    let too_large = |event: &logto_client::event::Event| {
        matches!(event, logto_client::event::Event::ResponseTooLarge { .. })
    };
    assert_eq!(stage.world.events.count(too_large), 0);
    start(3_000).await.unwrap();
    assert_eq!(stage.world.events.count(too_large), 1, "sent, and told");
    let error = start(10_000).await.unwrap_err();
    assert_eq!(error.code(), "invalid_parameter");
    assert!(error.to_string().contains("app_state"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn c19_the_cookie_of_the_browser_has_attributes_of_its_own() {
    use logto_client::web::cookies::{CookieOptions, SameSite};
    let world = World::new();
    let set = async |options: CookieOptions| {
        let client = world.client(logto_storage::MemoryStorage::new());
        let web = LogtoWeb::new(client, options.build().unwrap(), key_ring());
        let response = web
            .sign_in(&request_with(HeaderMap::new()), &SignIn::new())
            .await
            .unwrap();
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let (name, rest) = cookie.split_once('=').unwrap();
        assert_eq!(name, "__Host-logto_app.browser");
        rest.split_once("; ").unwrap().1.to_owned()
    };
    let https = Url::parse("https://app.example.com").unwrap();
    let https = || CookieOptions::new(&https, "app");
    let lax = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600";
    assert_eq!(set(https()).await, lax);
    let strict = set(https().same_site(SameSite::Strict)).await;
    assert_eq!(strict, lax, "the callback comes from another site");
    let none = "Path=/; Secure; HttpOnly; SameSite=None; Max-Age=3600";
    assert_eq!(set(https().cross_site_callback()).await, none);
    assert_eq!(set(https().same_site(SameSite::None)).await, none);
    let partitioned = https().same_site(SameSite::None).partitioned();
    let expected = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=3600";
    assert_eq!(set(partitioned).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_no_user_waits_for_starts_no_sign_in() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    for said in [
        &[("sec-purpose", "prefetch")][..],
        &[("sec-purpose", "prefetch;prerender")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-dest", "iframe"),
        ],
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
    ] {
        let visit = alice.visit(Method::GET, "/orders");
        let mut parts = visit.parts().clone();
        for (name, value) in said {
            parts.headers.insert(*name, HeaderValue::from_static(value));
        }
        let error = web.sign_in(&parts, &SignIn::new()).await.unwrap_err();
        assert_eq!(error.code(), "not_a_navigation", "{said:?}");
        assert_eq!(error.status(), StatusCode::FORBIDDEN);
        let logto_client::web::Guarded::Answer(answer) = web.require(&parts, "/sign-in").await
        else {
            panic!("nobody is signed in")
        };
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c2_every_start_has_its_own_state_verifier_and_nonce_and_shows_none_of_its_secrets() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let sign_in = SignIn::new().return_to("/secret-place").login_hint("alice");
        let url = stage.alice.start_sign_in_with(stage.web(0), &sign_in).await;
        for (name, value) in url.query_pairs() {
            if ["state", "nonce", "code_challenge"].contains(&&*name) {
                assert!(value.len() >= 43, "{name}");
                assert!(seen.insert(value.into_owned()), "{name} comes twice");
            }
        }
        assert!(!url.as_str().contains("secret-place"), "{url}");
    }
}

//! The routes: callbacks, cookies, and requests from other sites.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use logto_client::{
    SignIn, TokenTarget, UnixTime,
    core::{AccessToken, logto_api::AccountApi, sign_out::SignOut},
    web::Guarded,
};
use logto_storage::MemoryStorage;
use logto_tests::{
    stage::{Deployment, Kind, Stage, short},
    visitor::{Visitor, location},
    world::{BASE_URL, World},
};
use serde_json::Value;
use url::Url;

async fn stage() -> Stage {
    Stage::empty(Kind::Young, Deployment::Cookies).await
}

fn error_code(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).expect("an error is JSON");
    body["error"]
        .as_str()
        .expect("an error has a code")
        .to_owned()
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn c5_v30_a_callback_without_this_browsers_cookie_signs_nobody_in() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let mallory = Visitor::new(&stage.world.logto);
        let url = mallory.start_sign_in(stage.web(0)).await;
        let callback = mallory.consent(&url, "bob");
        let response = stage.alice.come_back(stage.web(0), &callback).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(error_code(&response), "sign_in_session_not_found");
        assert!(!stage.alice.is_signed_in(stage.web(0)).await);
        assert_eq!(stage.token_calls(), 0, "the code was not redeemed");
        let response = mallory.come_back(stage.web(0), &callback).await;
        assert_eq!(
            response.status(),
            StatusCode::SEE_OTHER,
            "its own browser may"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_callback_is_good_once_and_a_double_click_is_one_sign_in() {
    let stage = stage().await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let url = alice.start_sign_in(web).await;
    let callback = alice.consent(&url, "alice");
    let impatient = alice.copied();
    let (first, second) = tokio::join!(
        alice.come_back(web, &callback),
        impatient.come_back(web, &callback)
    );
    assert_eq!(
        (first.status(), second.status()),
        (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER)
    );
    assert_eq!(stage.token_calls(), 1);
    let reloaded = alice.come_back(web, &callback).await;
    assert_eq!(reloaded.status(), StatusCode::SEE_OTHER, "where it led to");
    assert_eq!(reloaded.headers()[header::LOCATION], "/");
    assert_eq!(stage.token_calls(), 1);
    assert!(
        alice.token(web, &short()).await.is_ok(),
        "and the grant lives"
    );
}

#[tokio::test(start_paused = true)]
async fn c8_f9_a_failed_callback_is_over_too() {
    for (error, status, reloaded) in [
        ("access_denied", StatusCode::BAD_REQUEST, "access_denied"),
        (
            "invalid_request",
            StatusCode::BAD_REQUEST,
            "sign_in_session_not_found",
        ),
        (
            "server_error",
            StatusCode::SERVICE_UNAVAILABLE,
            "sign_in_session_not_found",
        ),
    ] {
        let stage = stage().await;
        let (alice, web) = (&stage.alice, stage.web(0));
        let url = alice.start_sign_in(web).await;
        let denied = stage.world.logto.deny(&url, error).unwrap();
        let response = alice.come_back(web, &denied).await;
        assert_eq!(
            (response.status(), error_code(&response).as_str()),
            (status, error)
        );
        let again = alice.come_back(web, &denied).await;
        assert_eq!(error_code(&again), reloaded);
        let left: Vec<String> = alice.cookies().into_keys().collect();
        let browser = format!("{}.browser", logto_tests::stage::codec().name());
        assert_eq!(left, [browser], "only that it was answered is left of it");
        assert_eq!(stage.token_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn c14_v35_unsolicited_and_malformed_callbacks_are_refused() {
    let stage = stage().await;
    for query in [
        "",
        "?code=a&state=b",
        "?error=x",
        "?code=a&code=b&state=c",
        "?%00=%ff",
        "?state=&code=",
    ] {
        let callback = format!("{BASE_URL}/callback{query}").parse().unwrap();
        let response = stage.alice.come_back(stage.web(0), &callback).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    let long = format!("{BASE_URL}/callback?code={}", "a".repeat(20_000))
        .parse()
        .unwrap();
    assert_eq!(
        error_code(&stage.alice.come_back(stage.web(0), &long).await),
        "callback_too_long"
    );
    assert_eq!(stage.token_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn c15_the_callback_leads_to_a_clean_url_that_nobody_keeps() {
    let stage = stage().await;
    let sign_in = SignIn::new().return_to("/orders?page=2");
    let url = stage.alice.start_sign_in_with(stage.web(0), &sign_in).await;
    let callback = stage.alice.consent(&url, "alice");
    let response = stage.alice.come_back(stage.web(0), &callback).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/orders?page=2");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
    let refused = stage.alice.come_back(stage.web(0), &callback).await;
    assert_eq!(refused.headers()[header::CACHE_CONTROL], "no-store");
}

/// The page that began the sign-in may have a secret in its address, and the callback has a code in its own.
#[tokio::test(start_paused = true)]
async fn c15_no_page_learns_where_the_browser_came_from() {
    let stage = stage().await;
    let visit = stage.alice.get("/sign-in");
    let to_logto = stage.web(0).sign_in(visit.parts(), &SignIn::new()).await;
    let to_logto = to_logto.unwrap();
    assert_eq!(to_logto.headers()[header::REFERRER_POLICY], "no-referrer");
    stage.alice.receive(to_logto.headers());

    // An application that answers the callback with a page of its own has the headers for it.
    let callback = stage.alice.consent(&location(&to_logto), "alice");
    let mut request = Request::get(callback.as_str());
    *request.headers_mut().unwrap() = stage.alice.get("/callback").headers().clone();
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let answer = stage.web(0).callback(&parts, &Bytes::new()).await;
    assert!(answer.outcome.is_ok());
    assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer");
}

#[tokio::test(start_paused = true)]
async fn c17_an_open_redirect_is_not_to_be_had() {
    let stage = stage().await;
    for bad in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%2f%2fevil.example",
    ] {
        let url = stage
            .alice
            .start_sign_in_with(stage.web(0), &SignIn::new().return_to(bad))
            .await;
        let callback = stage.alice.consent(&url, "alice");
        let response = stage.alice.come_back(stage.web(0), &callback).await;
        assert_eq!(response.headers()[header::LOCATION], "/", "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn c21_b1_cookies_are_lax_and_out_of_reach_of_scripts() {
    let stage = stage().await;
    let visit = stage.alice.get("/sign-in");
    let response = stage
        .web(0)
        .sign_in(visit.parts(), &SignIn::new())
        .await
        .unwrap();
    let cookies = set_cookies(response.headers());
    assert_eq!(cookies.len(), 1);
    for attribute in ["HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=3600"] {
        assert!(
            cookies[0].contains(attribute),
            "{attribute}: {}",
            cookies[0]
        );
    }
    assert!(!cookies[0].contains("Domain"));

    // With `SameSite=Strict` the redirect from Logto would not carry the cookie, as with a form:
    let callback = stage.alice.consent(&location(&response), "alice");
    let (parts, ()) = Request::get(callback.as_str())
        .body(())
        .unwrap()
        .into_parts();
    let without_cookie = stage
        .web(0)
        .callback(&parts, &Bytes::new())
        .await
        .into_response();
    assert_eq!(error_code(&without_cookie), "sign_in_session_not_found");
}

#[tokio::test(start_paused = true)]
async fn c22_a_silent_sign_in_that_finds_nobody_leaves_the_session_alone() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let url = alice.start_sign_in_with(web, &SignIn::silent()).await;
    let callback = stage.world.logto.deny(&url, "login_required").unwrap();
    let path = callback.as_str().strip_prefix(BASE_URL).unwrap();
    let visit = alice.get(path);
    let answer = web.callback(visit.parts(), &Bytes::new()).await;
    assert!(answer.needs_interaction());
    alice.receive(&answer.headers);
    assert!(alice.is_signed_in(web).await);
}

#[tokio::test(start_paused = true)]
async fn b12_v54_nothing_that_depends_on_a_session_is_cached() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let web = stage.web(0);
    let visit = stage.alice.get("/user");
    let mut page = HeaderMap::new();
    let session = web.session(visit.headers()).await.unwrap();
    web.finish(visit.headers(), session.as_ref(), &mut page)
        .unwrap();
    let user = web.user(visit.headers()).await.unwrap();
    let sign_out = web
        .sign_out(visit.parts(), &SignOut::new())
        .await
        .into_response();
    for headers in [&page, user.headers(), sign_out.headers()] {
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::VARY], "Cookie");
    }
}

#[tokio::test(start_paused = true)]
async fn b13_no_token_reaches_the_browser_unasked() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let token = alice.token(web, &short()).await.unwrap();
    let visit = alice.get("/user");
    let session = web
        .session(visit.headers())
        .await
        .unwrap()
        .unwrap()
        .snapshot();
    let user = web.user(visit.headers()).await.unwrap();
    let mut seen = String::from_utf8_lossy(user.body()).into_owned();
    seen.extend(alice.cookies().into_values());
    for secret in [
        &token.token,
        session.refresh_token().unwrap(),
        session.id_token().unwrap(),
    ] {
        assert!(!seen.contains(secret.expose()));
    }
    assert!(seen.contains("alice@example.com"), "claims do");
}

/// What browsers say of a request that the application's own pages did not cause, and of one that nobody
/// can tell.
const NOT_OWN: [&[(&str, &str)]; 8] = [
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "same-site"), ("origin", BASE_URL)],
    &[("origin", "https://evil.example")],
    &[("origin", "http://other.localhost:3000")],
    &[("origin", "http://localhost:3001")],
    &[("origin", "null")],
    &[],
];

#[tokio::test(start_paused = true)]
async fn b14_another_site_cannot_sign_a_user_out() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Memory).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    for method in [Method::GET, Method::POST] {
        for said in NOT_OWN {
            let visit = alice.visit(method.clone(), "/sign-out");
            let mut parts = visit.parts().clone();
            parts.headers.remove("sec-fetch-site");
            parts.headers.remove(header::ORIGIN);
            for (name, value) in said {
                parts.headers.insert(*name, value.parse().unwrap());
            }
            let everywhere = web.sign_out(&parts, &SignOut::new()).await;
            let here = web.sign_out_locally(&parts).await;
            for refused in [everywhere, here] {
                let refused = refused.into_response();
                assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{said:?}");
                assert_eq!(error_code(&refused), "cross_site_request");
                assert!(set_cookies(refused.headers()).is_empty());
            }
            assert!(web.check_own_request(&parts).is_err());
            assert!(alice.is_signed_in(web).await);
        }
    }
    alice.sign_out(web).await;
    assert!(!alice.is_signed_in(web).await);
}

#[tokio::test(start_paused = true)]
async fn b14_the_user_and_browsers_without_fetch_metadata_may_sign_out() {
    for said in [("sec-fetch-site", "none"), ("origin", BASE_URL)] {
        for here_only in [false, true] {
            let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
            let (alice, web) = (&stage.alice, stage.web(0));
            let mut parts = alice.visit(Method::POST, "/sign-out").parts().clone();
            parts.headers.remove("sec-fetch-site");
            parts.headers.remove(header::ORIGIN);
            parts.headers.insert(said.0, said.1.parse().unwrap());
            let answer = match here_only {
                true => web.sign_out_locally(&parts).await,
                false => web.sign_out(&parts, &SignOut::new()).await,
            };
            let response = answer.into_response();
            assert_eq!(response.status(), StatusCode::SEE_OTHER, "{said:?}");
            let home = format!("{BASE_URL}/");
            assert_eq!(
                response.headers()[header::LOCATION] == home.as_str(),
                here_only
            );
            alice.receive(response.headers());
            assert!(!alice.is_signed_in(web).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c8_only_get_and_post_redeem_a_code() {
    let stage = stage().await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let url = alice.start_sign_in(web).await;
    let callback = alice.consent(&url, "alice");
    let path = callback.as_str().strip_prefix(BASE_URL).unwrap();
    let before = alice.cookies();
    for method in [
        "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY",
    ] {
        let visit = alice.visit(method.parse().unwrap(), path);
        let answer = web.callback(visit.parts(), &Bytes::new()).await;
        let response = answer.into_response();
        alice.receive(response.headers());
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(response.headers()[header::ALLOW], "GET, POST");
        assert_eq!(error_code(&response), "method_not_allowed");
    }
    assert_eq!((stage.token_calls(), alice.cookies()), (0, before));
    let response = alice.come_back(web, &callback).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}

#[test]
fn b15_a_request_to_logtos_api_stays_at_logto() {
    let world = World::new();
    let token: AccessToken = serde_json::from_value(serde_json::json!({
        "token": "secret", "scopes": [], "issued_at": 0, "expires_at": 1, "last_used": 0,
    }))
    .unwrap();
    let api = AccountApi::new(world.config(), &token);
    for segment in [
        "//evil.example",
        "http://evil.example",
        "a/../../b",
        "a?b#c",
    ] {
        let request = api.request(Method::GET, &[segment], None).unwrap();
        let sent = Url::parse(&request.uri().to_string()).unwrap();
        assert_eq!(
            sent.origin(),
            world.config().endpoint().origin(),
            "{segment}"
        );
        assert!(sent.path().starts_with("/api/"), "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn f40_a_lost_piece_of_a_session_is_no_session_and_is_cleaned_up_by_the_next_sign_in() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    for target in logto_tests::stage::six() {
        alice.token(web, &target).await.unwrap();
    }
    let pieces: Vec<String> = alice.cookies().into_keys().collect();
    assert!(pieces.len() > 1, "{pieces:?}");
    alice.lose(&pieces[0]);
    assert!(!alice.is_signed_in(web).await, "part of a session is none");
    alice.sign_in(web, "alice").await;
    assert!(alice.is_signed_in(web).await);
    assert!(alice.token(web, &short()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn g29_pages_for_signed_in_users_redirect_people_and_refuse_scripts() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let web = logto_client::web::LogtoWeb::new(
        client,
        logto_tests::stage::codec(),
        logto_tests::stage::key_ring(),
    );
    let require = async |accept: &str| {
        let request = Request::get("/orders?page=2").header(header::ACCEPT, accept);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        match web.require(&parts, "/sign-in").await {
            Guarded::Answer(response) => response,
            Guarded::Session(_) => panic!("nobody is signed in"),
        }
    };
    let page = require("text/html,application/xhtml+xml").await;
    assert_eq!(page.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        page.headers()[header::LOCATION],
        "/sign-in?return_to=%2Forders%3Fpage%3D2"
    );
    let script = require("application/json").await;
    assert_eq!(
        (script.status(), error_code(&script).as_str()),
        (StatusCode::UNAUTHORIZED, "not_authenticated")
    );

    let visitor = Visitor::new(&world.logto);
    visitor.sign_in(&web, "alice").await;
    let visit = visitor.get("/orders");
    let Guarded::Session(session) = web.require(visit.parts(), "/sign-in").await else {
        panic!("alice is signed in")
    };
    let now: UnixTime = world.now();
    assert!(session.claims().exp > now);
    assert!(
        session
            .access_token(&TokenTarget::user_info())
            .await
            .is_ok()
    );
}

/// An application whose base URL is this, and nobody who is signed in.
fn web_at(base_url: &str) -> (World, logto_client::web::LogtoWeb) {
    let callback = format!("{base_url}/callback");
    let world = World::with(|app| app.redirect_uri(callback), |tenant| tenant)
        .configured(|config| config.base_url(base_url));
    let client = world.client(MemoryStorage::new());
    let web = logto_client::web::LogtoWeb::new(
        client,
        logto_tests::stage::codec(),
        logto_tests::stage::key_ring(),
    );
    (world, web)
}

/// Where a browser arrives that asks for a page, is not signed in, and signs in.
async fn arrives_at(base_url: &str, page: &str) -> String {
    let (world, web) = web_at(base_url);
    let visitor = Visitor::new(&world.logto);
    let request = Request::get(page).header(header::ACCEPT, "text/html");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let Guarded::Answer(response) = web.require(&parts, "/sign-in").await else {
        panic!("nobody is signed in")
    };
    let sign_in = location(&response);
    let base_path = Url::parse(base_url).unwrap();
    let base_path = base_path.path().trim_end_matches('/');
    assert_eq!(sign_in.path(), format!("{base_path}/sign-in"));
    let mut wanted = SignIn::new();
    if let Some((_, return_to)) = sign_in.query_pairs().find(|(name, _)| name == "return_to") {
        wanted = wanted.return_to(return_to);
    }
    let url = visitor.start_sign_in_with(&web, &wanted).await;
    let response = visitor
        .come_back(&web, &visitor.consent(&url, "alice"))
        .await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
    let arrived = response.headers()[header::LOCATION].to_str().unwrap();
    arrived.to_owned()
}

#[tokio::test(start_paused = true)]
async fn g29_a_page_is_reached_after_the_sign_in_whatever_its_query_says() {
    let long = "0123456789abcdef".repeat(70);
    for page in [
        "/orders?next=https://shop.example/?a=b%26c",
        "/orders?next=//shop.example/",
        "/orders?at=12:30:00&q=a:b",
        "/orders?q=%22%27%5C%0d%0a",
        "/orders/:id?x",
        &format!("/orders?q={long}"),
    ] {
        assert_eq!(arrives_at(BASE_URL, page).await, page);
    }
    let too_long = format!("/orders?q={}", long.repeat(3));
    assert_eq!(arrives_at(BASE_URL, &too_long).await, "/orders");
}

#[tokio::test(start_paused = true)]
async fn g29_below_a_base_path_the_user_arrives_in_the_application() {
    let shop = "http://localhost:3000/shop";
    for (seen_by_the_router, arrived) in [
        ("/shop/orders?page=2", "/shop/orders?page=2"),
        ("/orders?page=2", "/shop/orders?page=2"),
        ("/shop", "/shop"),
        ("/", "/shop/"),
        ("/shopping", "/shop/shopping"),
        ("/..%2fadmin", "/shop"),
    ] {
        let deployment = arrives_at(shop, seen_by_the_router).await;
        assert_eq!(deployment, arrived, "{seen_by_the_router}");
    }
    let (world, web) = web_at(shop);
    let visitor = Visitor::new(&world.logto);
    for outside in [
        "/",
        "/admin",
        "/shopping",
        "/shop/../admin",
        "/shop%2f..",
        "/shop/%2e%2e/x",
    ] {
        let sign_in = SignIn::new().return_to(outside);
        let url = visitor.start_sign_in_with(&web, &sign_in).await;
        let response = visitor
            .come_back(&web, &visitor.consent(&url, "alice"))
            .await;
        assert_eq!(response.headers()[header::LOCATION], "/shop", "{outside}");
    }
}

#[tokio::test(start_paused = true)]
async fn b5_somebody_who_only_looks_at_pages_stays_signed_in() {
    let stage = Stage::signed_in(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    for _ in 0..20 {
        stage
            .world
            .clock
            .advance(std::time::Duration::from_secs(2 * 86_400));
        let visit = alice.get("/page");
        let session = web
            .session(visit.headers())
            .await
            .unwrap()
            .expect("alice is signed in");
        visit.finish(web, &session);
    }
    assert_eq!(stage.token_calls(), 4, "a renewal every ten days");
    stage
        .world
        .clock
        .advance(std::time::Duration::from_secs(15 * 86_400));
    assert!(
        !alice.is_signed_in(web).await,
        "idle for longer than two weeks"
    );
}

//! Sessions in cookies behind a proxy that takes 4 KiB of response headers and 8 KiB of a request line, as
//! nginx does with its defaults.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use logto_client::{
    AccessToken, SignIn, TokenTarget,
    event::Event,
    web::{LogtoWeb, cookies::DEFAULT_RESPONSE_LIMIT},
};
use logto_testkit::Organization;
use logto_tests::{
    stage::{Deployment, Kind, Stage, behind_a_proxy, short, six},
    visitor::Visitor,
    world::World,
};
use tokio::time::sleep;

const REQUEST_LINE: usize = 8_192;
const RESPONSE: usize = 4_096;
/// The status line, and what servers and proxies add: `date`, `server`, `content-type`, `connection`, …
const OF_THE_SERVER: usize = 300;

fn len(headers: &HeaderMap) -> usize {
    let lines = headers.iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum()
}

/// A page that needs these tokens and has headers of its own; what the proxy would say of its response.
async fn page(
    web: &LogtoWeb,
    visitor: &Visitor,
    targets: &[TokenTarget],
    headers: &HeaderMap,
) -> Vec<AccessToken> {
    let visit = visitor.get("/page");
    let session = web.session(visit.headers()).await.unwrap().unwrap();
    let mut tokens = Vec::new();
    for target in targets {
        tokens.push(session.access_token(target).await.unwrap());
    }
    let mut response = headers.clone();
    web.finish(visit.headers(), Some(&session), &mut response)
        .unwrap();
    let size = len(&response) + OF_THE_SERVER;
    assert!(size <= RESPONSE, "502 for {size} bytes");
    visitor.receive(&response);
    let line = "cookie: \r\n".len() + visitor.longest_header();
    assert!(line <= REQUEST_LINE, "400 for {line} bytes");
    tokens
}

fn targets() -> Vec<TokenTarget> {
    let mut targets = six().to_vec();
    targets.push(TokenTarget::organization("initech"));
    targets.push(TokenTarget::user_info());
    targets
}

#[tokio::test(start_paused = true)]
async fn b6_a_page_with_eight_tokens_is_served_and_its_tokens_get_through_one_by_one() {
    for kind in [Kind::Young, Kind::Public] {
        let stage = Stage::empty(kind, Deployment::Cookies).await;
        let web = behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
        let alice = &stage.alice;
        alice.sign_in(&web, "alice").await;
        stage.world.logto.reset_counts();
        let fitting = &targets()[..5];
        for _ in 0..4 {
            page(&web, alice, fitting, &HeaderMap::new()).await;
        }
        // Another process, which knows nothing but the cookies.
        let other = behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
        let calls = stage.token_calls();
        page(&other, alice, fitting, &HeaderMap::new()).await;
        assert_eq!(
            stage.token_calls(),
            calls,
            "{kind:?}: all of them got there"
        );
        if kind == Kind::Young {
            assert_eq!(calls, 5, "and each was fetched once");
        }
        // More than cookies can carry.
        for _ in 0..6 {
            let tokens = page(&web, alice, &targets(), &HeaderMap::new()).await;
            assert_eq!(tokens.len(), 8);
        }
        assert_eq!(alice.ignored_cookies(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b6_a_page_that_has_large_headers_gets_its_tokens_through_as_well() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let web = behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
    stage.alice.sign_in(&web, "alice").await;
    stage.world.logto.reset_counts();
    let mut headers = HeaderMap::new();
    let policy = HeaderValue::from_str(&"p".repeat(1_500)).unwrap();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for _ in 0..3 {
        page(&web, &stage.alice, &[short()], &headers).await;
    }
    let other = behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
    page(&other, &stage.alice, &[short()], &headers).await;
    assert_eq!(stage.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn b6_the_refresh_token_gets_through_whatever_else_has_room() {
    let stage = Stage::empty(Kind::Public, Deployment::Cookies).await;
    let web = || behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
    stage.alice.sign_in(&web(), "alice").await;
    for _ in 0..10 {
        // Each process is another, and asks Logto about what the cookies bring.
        page(&web(), &stage.alice, &targets(), &HeaderMap::new()).await;
        sleep(Duration::from_secs(5)).await;
    }
    assert!(stage.alice.token(&web(), &short()).await.is_ok());
}

/// A user whose claims take more than a response.
fn in_organizations(number: usize) -> World {
    let organizations: Vec<Organization> = (0..number)
        .map(|n| {
            let id = format!("org{:x}", n * 7_919 + 123_456_789);
            Organization::new(id, format!("Organization {n}")).member("alice", ["member"])
        })
        .collect();
    World::with(
        |app| app,
        |tenant| {
            organizations
                .into_iter()
                .fold(tenant, |tenant, organization| {
                    tenant.organization(organization)
                })
        },
    )
}

#[tokio::test(start_paused = true)]
async fn b6_after_the_sign_in_of_a_member_of_many_organizations_the_redirect_has_room() {
    for number in [0, 50, 100, 200, 400] {
        let world = in_organizations(number);
        let web = behind_a_proxy(&world, DEFAULT_RESPONSE_LIMIT);
        let alice = Visitor::new(&world.logto);
        for length in [1, 500, 1_000, 1_500] {
            let path = format!("/{}", "a".repeat(length));
            let sign_in = SignIn::new().return_to(&path);
            let url = alice.start_sign_in_with(&web, &sign_in).await;
            let response = alice.come_back(&web, &alice.consent(&url, "alice")).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            let size = len(response.headers()) + OF_THE_SERVER;
            assert!(size <= RESPONSE, "502 for {size} bytes");
            let location = response.headers()[header::LOCATION].to_str().unwrap();
            assert!([path.as_str(), "/"].contains(&location), "{location}");
            if number == 0 {
                assert_eq!(location, path, "there is room for both");
            }
            let visit = alice.get("/page");
            let session = web.session(visit.headers()).await.unwrap().unwrap();
            let organizations = session.organizations().await.unwrap();
            assert!(organizations.len() >= number);
            assert!(number == 0 || session.organization_token(&organizations[0]).await.is_ok());
        }
        let too_large = world
            .events
            .count(|event| matches!(event, Event::ResponseTooLarge { .. }));
        assert_eq!(too_large, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b6_what_the_session_cannot_do_without_is_sent_all_the_same_and_told() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let web = behind_a_proxy(&stage.world, DEFAULT_RESPONSE_LIMIT);
    let alice = &stage.alice;
    alice.sign_in(&web, "alice").await;
    let visit = alice.get("/page");
    let session = web.session(visit.headers()).await.unwrap().unwrap();
    session.refresh_access_token(&short()).await.unwrap();
    let mut response = HeaderMap::new();
    let policy = HeaderValue::from_str(&"p".repeat(3_000)).unwrap();
    response.insert(header::CONTENT_SECURITY_POLICY, policy);
    web.finish(visit.headers(), Some(&session), &mut response)
        .unwrap();
    let cookies: Vec<_> = response.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 1, "no token beside it");
    let told = stage.world.events.count(|event| {
        matches!(event, Event::ResponseTooLarge { size, limit: DEFAULT_RESPONSE_LIMIT }
            if *size == len(&response))
    });
    assert_eq!(told, 1);
}

//! A router with Logto: routes, extractors, guards and errors, without a network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Request, StatusCode, Uri, header},
    routing::get,
};
use logto::axum::{Guard, ReadOnly, Result, RouterExt, Session, Token, User, in_process};
use logto::client::http::{HttpClient, http_fn};
use logto::client::{resource_server::ResourceServer, web::Requirement};
use logto::core::{LogtoConfig, api_token::AccessTokenVerification};
use logto::test::{Browser, Page, http_client};
use logto::{Cached, Error, TokenTarget};
use logto_testkit::{
    App, Logto,
    demo::{ACME, SHOPPING_API},
};
use tower::ServiceExt;
use url::Url;

const BASE_URL: &str = "http://localhost:3000";

/// A Logto, and the router with it.
async fn with_logto(base_url: &str) -> (Logto, Router) {
    let app = App::traditional("app", "secret").redirect_uri(format!("{base_url}/callback"));
    let logto = Logto::demo().app(app).build().unwrap();
    let config = LogtoConfig::builder(logto.endpoint(), "app").app_secret("secret");
    let server = ResourceServer::new(config.build().unwrap(), http_client(&logto)).unwrap();
    let demands = AccessTokenVerification::api(server.issuer(), SHOPPING_API)
        .require_scopes(["read:products"]);
    let api = Router::new()
        .route("/api", get(async |token: Token| token.sub.clone()))
        .route_layer(Guard::token(server, demands));
    let base_url = base_url.to_owned();
    let app = logto::builder(logto.endpoint(), "app")
        .config(|config| {
            config
                .app_secret("secret")
                .base_url(base_url)
                .scopes(["urn:logto:scope:organizations", "read:products"])
                .resource(SHOPPING_API)
        })
        .cookie_key("a cookie key for a test that nobody else has 0123456789")
        .context(http_client(&logto))
        .await
        .unwrap();
    let router = router().with_logto(app).merge(api);
    (logto, router)
}

/// A browser that visits the router.
async fn browser() -> Browser {
    let (logto, router) = with_logto(BASE_URL).await;
    Browser::new(&logto, &Url::parse(BASE_URL).unwrap(), in_process(router))
}

async fn text(browser: &Browser, path: &str) -> String {
    browser.get(path).await.unwrap().text().into_owned()
}

/// Signs alice in; the path where that ends, and the page there.
async fn sign_in(browser: &Browser, path: &str) -> (String, Page) {
    let page = browser.sign_in(path, "alice", "password").await.unwrap();
    (page.url()[url::Position::BeforePath..].to_owned(), page)
}

/// The path that a page redirects to.
fn leads_to(page: &Page) -> String {
    assert_eq!(page.status(), StatusCode::SEE_OTHER, "{}", page.text());
    page.location().unwrap()[url::Position::BeforePath..].to_owned()
}

fn router() -> Router {
    let staff = Router::new()
        .route("/staff", get(async || "staff"))
        .route_layer(Guard::user(Requirement::user().role("emperor")));
    let members = Router::new()
        .route("/members", get(async || "members"))
        .route_layer(Guard::user(Requirement::user().organization(ACME)));
    Router::new()
        .route("/", get(home))
        .route("/orders", get(orders))
        .route("/look", get(look))
        .route("/token", get(token))
        .route("/fails", get(fails))
        .merge(staff)
        .merge(members)
}

async fn home(user: Option<User>) -> &'static str {
    match user {
        Some(_) => "somebody",
        None => "nobody",
    }
}

async fn orders(session: Session) -> Result<String> {
    let token = session
        .access_token(&TokenTarget::resource(SHOPPING_API))
        .await?;
    Ok(format!("{:?}", token.scopes))
}

async fn token(session: Session) -> Result<String> {
    let token = session
        .access_token(&TokenTarget::resource(SHOPPING_API))
        .await?;
    Ok(token.token.expose().to_owned())
}

async fn look(session: ReadOnly) -> &'static str {
    match session.access_token(&TokenTarget::resource(SHOPPING_API)) {
        Cached::Valid(_) => "at hand",
        _ => "not yet",
    }
}

async fn fails(session: Session) -> Result<String> {
    session
        .access_token(&TokenTarget::organization(ACME))
        .await?;
    Err(Error::Busy.into())
}

#[tokio::test]
async fn a_router_signs_a_user_in_and_keeps_what_its_handlers_fetch() {
    let browser = browser().await;
    assert_eq!(text(&browser, "/").await, "nobody");
    let page = browser.get("/look?page=2").await.unwrap();
    assert_eq!(leads_to(&page), "/sign-in?return_to=%2Flook%3Fpage%3D2");
    let (arrived, page) = sign_in(&browser, "/look?page=2").await;
    assert_eq!((&*arrived, &*page.text()), ("/look?page=2", "not yet"));
    assert_eq!(text(&browser, "/").await, "somebody");
    assert_eq!(text(&browser, "/orders").await, "{\"read:products\"}");
    assert_eq!(text(&browser, "/look").await, "at hand");
}

#[tokio::test]
async fn a_script_gets_401_and_an_error_of_a_handler_is_a_page_or_json() {
    let browser = browser().await;
    let answer = browser.fetch("/orders").await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json().unwrap()["error"], "not_authenticated");
    sign_in(&browser, "/sign-in").await;
    let before = browser.cookies();
    let answer = browser.fetch("/fails").await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json().unwrap()["error"], "temporarily_unavailable");
    assert_ne!(
        browser.cookies(),
        before,
        "what was fetched before the failure is kept"
    );
    let page = text(&browser, "/fails").await;
    assert!(page.contains("<a href=\"/fails\">Try again</a>"), "{page}");
}

#[tokio::test]
async fn guards_admit_users_and_tokens() {
    let browser = browser().await;
    let page = browser.get("/members").await.unwrap();
    assert_eq!(leads_to(&page), "/sign-in?return_to=%2Fmembers");
    sign_in(&browser, "/sign-in").await;
    assert_eq!(text(&browser, "/members").await, "members");
    let page = browser.get("/staff").await.unwrap();
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert_eq!(text(&browser, "/").await, "somebody");

    let call = async |authorization: Option<&str>| {
        let mut request = Request::get("/api").body(Bytes::new()).unwrap();
        if let Some(authorization) = authorization {
            let authorization = HeaderValue::from_str(authorization).unwrap();
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization);
        }
        browser.send(request).await.unwrap()
    };
    let bearer = format!("Bearer {}", text(&browser, "/token").await);
    let answer = call(Some(&bearer)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.text().is_empty());
    for refused in [None, Some(format!("{bearer}x").as_str())] {
        assert_eq!(call(refused).await.status(), StatusCode::UNAUTHORIZED);
    }
}

/// A proxy that removes the prefix.
fn without_prefix(application: impl HttpClient + 'static) -> impl HttpClient {
    let application = Arc::new(application);
    http_fn(move |mut request: Request<Bytes>| {
        let application = Arc::clone(&application);
        let uri = request.uri().to_string().replacen("/shop", "", 1);
        async move {
            *request.uri_mut() = uri.parse::<Uri>().unwrap();
            application.send(request).await
        }
    })
}

#[tokio::test]
async fn below_a_prefix_everything_stays_below_it() {
    let base_url = Url::parse("http://localhost:3000/shop").unwrap();
    for is_stripped_by_a_proxy in [false, true] {
        let (logto, router) = with_logto(base_url.as_str()).await;
        let browser = match is_stripped_by_a_proxy {
            true => Browser::new(&logto, &base_url, without_prefix(in_process(router))),
            false => {
                let nested = Router::new().nest("/shop", router);
                Browser::new(&logto, &base_url, in_process(nested))
            }
        };
        let page = browser.get("/look").await.unwrap();
        assert_eq!(leads_to(&page), "/shop/sign-in?return_to=%2Fshop%2Flook");
        let (arrived, page) = sign_in(&browser, "/look").await;
        assert_eq!((&*arrived, &*page.text()), ("/shop/look", "not yet"));
    }
}

#[tokio::test]
async fn an_extractor_without_the_layer_says_what_is_missing() {
    let router = Router::new().route("/", get(home));
    let request = Request::get("/").header(header::COOKIE, HeaderValue::from_static("a=b"));
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    assert!(
        String::from_utf8(body.to_vec())
            .unwrap()
            .contains("with_logto")
    );
}

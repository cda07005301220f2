//! A router with Logto: routes, extractors, guards and errors, without a network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Request, StatusCode, header},
    routing::get,
};
use logto::axum::{Guard, ReadOnly, Result, RouterExt, Session, Token, User};
use logto::client::{resource_server::ResourceServer, web::Requirement};
use logto::core::{LogtoConfig, api_token::AccessTokenVerification};
use logto::test::http_client;
use logto::{Cached, Error, TokenTarget};
use logto_testkit::{
    App, Browser, Logto,
    demo::{ACME, SHOPPING_API},
};
use tower::ServiceExt;
use url::Url;

const BASE_URL: &str = "http://localhost:3000";

/// A browser that visits a router.
struct Visitor {
    router: Router,
    cookies: BTreeMap<String, String>,
    at_logto: Browser,
}

impl Visitor {
    async fn new(base_url: &str, router: Router) -> Self {
        let logto = Logto::demo();
        let app = App::traditional("app", "secret").redirect_uri(format!("{base_url}/callback"));
        let logto = logto.app(app).build().unwrap();
        let config = |secret| {
            LogtoConfig::builder(logto.endpoint(), "app")
                .app_secret(secret)
                .build()
                .unwrap()
        };
        let server = ResourceServer::new(config("secret"), http_client(&logto)).unwrap();
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
        Self {
            router: router.with_logto(app).merge(api),
            cookies: BTreeMap::new(),
            at_logto: logto.browser(),
        }
    }

    async fn get(&mut self, path: &str) -> (StatusCode, String, String) {
        self.send(
            path,
            &[
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-site", "same-origin"),
            ],
        )
        .await
    }

    async fn send(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> (StatusCode, String, String) {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let mut request = Request::get(path).header(header::COOKIE, cookies);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let location = response.headers().get(header::LOCATION);
        let location = location
            .map_or("", |location| location.to_str().unwrap())
            .to_owned();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, location, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Follows a redirect to Logto and back; where the browser is sent in the end.
    async fn sign_in(&mut self, path: &str) -> String {
        let (status, location, body) = self.get(path).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        let callback = self
            .at_logto
            .sign_in(&Url::parse(&location).unwrap(), "alice");
        let callback = callback.unwrap();
        let callback = format!("{}?{}", callback.path(), callback.query().unwrap());
        let (status, location, body) = self.get(&callback).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        location
    }
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
    let mut visitor = Visitor::new(BASE_URL, router()).await;
    assert_eq!(visitor.get("/").await.2, "nobody");
    let (status, location, _) = visitor.get("/look?page=2").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(location, "/sign-in?return_to=%2Flook%3Fpage%3D2");
    assert_eq!(visitor.sign_in(&location).await, "/look?page=2");
    assert_eq!(visitor.get("/").await.2, "somebody");
    assert_eq!(visitor.get("/look").await.2, "not yet");
    assert_eq!(visitor.get("/orders").await.2, "{\"read:products\"}");
    assert_eq!(visitor.get("/look").await.2, "at hand");
}

#[tokio::test]
async fn a_script_gets_401_and_an_error_of_a_handler_is_a_page_or_json() {
    let mut visitor = Visitor::new(BASE_URL, router()).await;
    let script = [
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "same-origin"),
    ];
    let (status, _, body) = visitor.send("/orders", &script).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("\"not_authenticated\""), "{body}");
    visitor.sign_in("/sign-in").await;
    let before = visitor.cookies.clone();
    let (status, _, body) = visitor.send("/fails", &script).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("\"temporarily_unavailable\""), "{body}");
    assert_ne!(
        visitor.cookies, before,
        "what was fetched before the failure is kept"
    );
    let (_, _, page) = visitor.get("/fails").await;
    assert!(page.contains("<a href=\"/fails\">Try again</a>"), "{page}");
}

#[tokio::test]
async fn guards_admit_users_and_tokens() {
    let mut visitor = Visitor::new(BASE_URL, router()).await;
    let (status, location, _) = visitor.get("/members").await;
    assert_eq!(
        (status, &*location),
        (StatusCode::SEE_OTHER, "/sign-in?return_to=%2Fmembers")
    );
    visitor.sign_in("/sign-in").await;
    assert_eq!(visitor.get("/members").await.2, "members");
    assert_eq!(visitor.get("/staff").await.0, StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/").await.2, "somebody");

    let (_, _, token) = visitor.get("/token").await;
    let bearer = format!("Bearer {token}");
    let (status, _, sub) = visitor.send("/api", &[("authorization", &bearer)]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!sub.is_empty());
    let forged = format!("{bearer}x");
    for (headers, expected) in [
        (&[][..], StatusCode::UNAUTHORIZED),
        (
            &[("authorization", forged.as_str())],
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        assert_eq!(visitor.send("/api", headers).await.0, expected);
    }
}

#[tokio::test]
async fn below_a_prefix_everything_stays_below_it() {
    let base_url = "http://localhost:3000/shop";
    for is_stripped_by_a_proxy in [false, true] {
        let mut visitor = Visitor::new(base_url, router()).await;
        let prefix = match is_stripped_by_a_proxy {
            true => "",
            false => {
                visitor.router = Router::new().nest("/shop", visitor.router);
                "/shop"
            }
        };
        let (_, location, _) = visitor.get(&format!("{prefix}/look")).await;
        assert_eq!(location, "/shop/sign-in?return_to=%2Fshop%2Flook");
        let sign_in = location.strip_prefix("/shop").unwrap();
        let (_, at_logto, _) = visitor.get(&format!("{prefix}{sign_in}")).await;
        let callback = visitor
            .at_logto
            .sign_in(&Url::parse(&at_logto).unwrap(), "alice");
        let callback = callback.unwrap();
        let query = callback.query().unwrap();
        let (status, location, _) = visitor.get(&format!("{prefix}/callback?{query}")).await;
        assert_eq!((status, &*location), (StatusCode::SEE_OTHER, "/shop/look"));
        assert_eq!(visitor.get(&format!("{prefix}/look")).await.2, "not yet");
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

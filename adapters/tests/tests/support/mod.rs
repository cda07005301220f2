//! A visitor of an application that signs in at a Logto in the same process: the adapters are tested alike.
//!
//! Every application has the same handlers: `/` for everybody, `/private` for users, `/orders` with a token for the
//! API, `/fails` and `/breaks` that get that token and fail, with an error of the SDK and of the framework, and
//! `/stream`, which asks for the token once the response has begun.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use logto::{
    AccessToken, LogtoApp, LogtoBuilder, SignIn, TokenTarget,
    client::resource_server::ResourceServer,
    core::{api_token::AccessTokenVerification, sign_in::Callback},
    storage::{
        MemoryStorage,
        faulty::{Fault, FaultyStorage},
    },
    test::http_client,
};
use logto_testkit::{
    App, Logto,
    demo::{ACME, SHOPPING_API},
};
use url::Url;

pub(crate) mod hosts;

const APP_ID: &str = "adapter";
const APP_SECRET: &str = "adapter-secret";
const ORIGIN: &str = "http://localhost:3000";

pub(crate) fn logto() -> Logto {
    let app = App::traditional(APP_ID, APP_SECRET)
        .redirect_uri(format!("{ORIGIN}/callback"))
        .post_logout_redirect_uri(format!("{ORIGIN}/"))
        .backchannel_logout_uri(format!("{ORIGIN}/back-channel-logout"));
    Logto::demo().app(app).build().unwrap()
}

/// An application with its sessions in cookies.
pub(crate) async fn application(logto: &Logto) -> LogtoApp {
    builder(logto).await.unwrap()
}

/// An application with its sessions in a storage that can be broken.
pub(crate) async fn breakable(logto: &Logto) -> (LogtoApp, Arc<FaultyStorage<MemoryStorage>>) {
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let app = builder(logto).storage(Arc::clone(&storage)).await.unwrap();
    (app, storage)
}

fn builder(logto: &Logto) -> LogtoBuilder {
    logto::builder(logto.endpoint(), APP_ID)
        .config(|config| config.app_secret(APP_SECRET).base_url(ORIGIN))
        .config(|config| config.scopes(["read:products", "write:products", "read:shipments"]))
        .config(|config| config.scopes(["urn:logto:scope:organizations"]))
        .config(|config| config.resource(SHOPPING_API))
        .cookie_key("Qm1zdGlsbCBhIHNlY3JldCBmb3IgdGVzdHMgb25seSE")
        .context(http_client(logto))
}

/// A browser, and what the requests of its user and of its scripts are answered.
pub(crate) struct Visitor<S> {
    pub(crate) logto: Logto,
    pub(crate) cookies: BTreeMap<String, String>,
    send: S,
}

impl<S: AsyncFn(Request<Bytes>) -> Response<Bytes>> Visitor<S> {
    pub(crate) fn new(logto: &Logto, send: S) -> Self {
        let (logto, cookies) = (logto.clone(), BTreeMap::new());
        Self {
            logto,
            cookies,
            send,
        }
    }

    /// Opens a page.
    pub(crate) async fn page(&mut self, path: &str) -> Response<Bytes> {
        self.visit(Method::GET, path, "navigate").await
    }

    /// Fetches from a script.
    pub(crate) async fn fetch(&mut self, path: &str) -> Response<Bytes> {
        self.visit(Method::GET, path, "cors").await
    }

    pub(crate) async fn visit(
        &mut self,
        method: Method,
        path: &str,
        mode: &str,
    ) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", mode);
        // HTTP/2 may send one header for each cookie.
        let cookies = self.cookies.iter();
        let request = cookies.fold(request, |request, (name, value)| {
            request.header(header::COOKIE, format!("{name}={value}"))
        });
        let response = (self.send)(request.body(Bytes::new()).unwrap()).await;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap();
            match value {
                "" => drop(self.cookies.remove(name)),
                _ => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        response
    }

    /// Signs alice in by the link at `path`, and tells where that leads.
    pub(crate) async fn sign_in(&mut self, path: &str) -> String {
        let response = self.page(path).await;
        let callback = self
            .logto
            .sign_in(&Url::parse(&location(&response)).unwrap(), "alice");
        let callback = callback.unwrap();
        let response = self
            .page(callback.as_str().strip_prefix(ORIGIN).unwrap())
            .await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
        location(&response)
    }

    /// The whole tour.
    pub(crate) async fn tour(&mut self) {
        let response = self.page("/").await;
        assert_eq!(text(&response), "Hello, stranger");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");

        let response = self.page("/private?page=2").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let sign_in = location(&response);
        assert_eq!(sign_in, "/sign-in?return_to=%2Fprivate%3Fpage%3D2");
        let response = self.fetch("/private").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert!(
            text(&response).contains("not_authenticated"),
            "{response:?}"
        );

        assert_eq!(self.sign_in(&sign_in).await, "/private?page=2");
        assert_eq!(text(&self.page("/private?page=2").await), "Alice Lab");
        assert_eq!(text(&self.page("/").await), "Hello, Alice Lab");
        let user = self.fetch("/user").await;
        assert!(
            text(&user).contains("\"is_authenticated\":true"),
            "{user:?}"
        );
        assert_eq!(
            text(&self.fetch("/stream").await),
            "Loading ... needs refresh"
        );
        assert_eq!(
            text(&self.fetch("/orders").await),
            "read:products write:products"
        );
        assert_eq!(
            text(&self.fetch("/stream").await),
            "Loading ... read:products write:products"
        );

        let response = self.visit(Method::POST, "/sign-out", "navigate").await;
        assert!(
            location(&response).contains("/session/end?"),
            "{response:?}"
        );
        assert_eq!(text(&self.page("/").await), "Hello, stranger");
    }

    /// A page for users of a kind that alice is not.
    pub(crate) async fn staff(&mut self) {
        let response = self.page("/staff").await;
        assert_eq!(location(&response), "/sign-in?return_to=%2Fstaff");
        self.sign_in("/sign-in").await;
        let response = self.page("/staff").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(text(&response).starts_with("<!doctype html>"));
    }

    /// What a handler has fetched is stored when it fails, and the visitor is shown what happened.
    pub(crate) async fn failures(&mut self) {
        self.sign_in("/sign-in").await;
        let before = self.cookies.clone();
        let response = self.page("/fails").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            text(&response).starts_with("<!doctype html>"),
            "{response:?}"
        );
        assert_ne!(self.cookies, before);
        assert!(
            response
                .headers()
                .get_all(header::SET_COOKIE)
                .iter()
                .count()
                > 1
        );
        let response = self.fetch("/fails").await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");

        self.visit(Method::POST, "/sign-out", "navigate").await;
        self.sign_in("/sign-in").await;
        let before = self.cookies.clone();
        let response = self.page("/breaks").await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(text(&response).contains("broken"), "{response:?}");
        assert_ne!(self.cookies, before);
        assert_eq!(
            text(&self.fetch("/stream").await),
            "Loading ... read:products write:products"
        );
    }

    /// Bodies reach the routes, unless they are too long.
    pub(crate) async fn logout_elsewhere(&mut self) {
        self.sign_in("/sign-in").await;
        self.logto.end_sessions("alice").unwrap();
        let request = self.logto.take_logout_tokens()[0].to_request().unwrap();
        let (mut head, body) = request.into_parts();
        head.uri = "/back-channel-logout".parse().unwrap();
        let mut long = body.to_vec();
        long.extend(format!("&padding={}", "x".repeat(LogtoApp::MAX_BODY_LENGTH)).bytes());
        let request = Request::from_parts(head.clone(), Bytes::from(long));
        assert_eq!((self.send)(request).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(text(&self.page("/").await), "Hello, Alice Lab");
        let request = Request::from_parts(head, body);
        assert_eq!((self.send)(request).await.status(), StatusCode::OK);
        assert_eq!(text(&self.page("/").await), "Hello, stranger");
    }

    /// While the storage is down nobody is taken for signed out, also where a handler takes a user or none.
    pub(crate) async fn outage(&mut self, storage: &FaultyStorage<MemoryStorage>) {
        self.sign_in("/sign-in").await;
        storage.go_down(Fault::Before);
        for path in ["/", "/private"] {
            let response = self.page(path).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(text(&response).contains("Try again"), "{response:?}");
            let response = self.fetch(path).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        }
        storage.come_back();
        assert_eq!(text(&self.page("/").await), "Hello, Alice Lab");
    }

    /// What is none of the routes' business, and what is.
    pub(crate) async fn edges(&mut self) {
        let response = self.page("/nowhere").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.headers().get(header::VARY).is_none());
        let response = self.page("/plain").await;
        assert_eq!(text(&response), "nobody asks");
        assert!(response.headers().get(header::CACHE_CONTROL).is_none());
        for method in [Method::HEAD, Method::PUT] {
            let response = self.visit(method, "/sign-in", "navigate").await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers()[header::ALLOW], "GET");
        }
        let response = self.page("/callback?state=forged&code=1").await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(
            text(&response).starts_with("<!doctype html>"),
            "{response:?}"
        );
    }
}

/// Tokens of alice for an API, for an organization and for the API in the organization, at an API.
pub(crate) struct Api {
    pub(crate) server: ResourceServer,
    tokens: [String; 3],
}

impl Api {
    pub(crate) async fn new(logto: &Logto) -> Self {
        let app = application(logto).await;
        let client = app.client();
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        let callback = Callback::from_url(&logto.sign_in(&url, "alice").unwrap()).unwrap();
        let completed = client.complete_sign_in(Some(pending), callback, None).await;
        let session = completed.map_err(|failed| failed.error).unwrap().session;
        let api = TokenTarget::resource(SHOPPING_API);
        let mut tokens = [(); 3].map(|()| String::new());
        for (token, target) in tokens.iter_mut().zip([
            api.clone(),
            TokenTarget::organization(ACME),
            api.in_organization(ACME),
        ]) {
            *token = session
                .access_token(&target)
                .await
                .unwrap()
                .token
                .expose()
                .to_owned();
        }
        let server = ResourceServer::new(client.config().clone(), http_client(logto)).unwrap();
        Self { server, tokens }
    }

    /// What the routes require, by their names.
    pub(crate) fn demands(issuer: &str, route: &str) -> AccessTokenVerification {
        match route {
            "products" => {
                AccessTokenVerification::api(issuer, SHOPPING_API).require_scopes(["read:products"])
            }
            "prices" => {
                AccessTokenVerification::api(issuer, SHOPPING_API).require_scopes(["write:prices"])
            }
            "shipments" => AccessTokenVerification::organization(issuer, ACME)
                .require_scopes(["read:shipments"]),
            _ => AccessTokenVerification::organization_api(issuer, SHOPPING_API, ACME),
        }
    }

    /// Every token at every route: its own model passes, another is refused as RFC 6750 says.
    pub(crate) async fn admits(&self, send: impl AsyncFn(Request<Bytes>) -> Response<Bytes>) {
        let invalid = (401, "Bearer error=\"invalid_token\"");
        let insufficient = (403, "Bearer error=\"insufficient_scope\"");
        let admitted = (200, "");
        let expected = [
            ("products", [admitted, invalid, insufficient]),
            ("prices", [insufficient, invalid, insufficient]),
            ("shipments", [invalid, admitted, invalid]),
            ("stock", [insufficient, invalid, admitted]),
        ];
        for (route, expected) in expected {
            for (token, (status, challenge)) in self.tokens.iter().zip(expected) {
                let response = at(&send, route, Some(&format!("Bearer {token}"))).await;
                assert_eq!(response.status(), status, "{route}: {response:?}");
                let found = response.headers().get(header::WWW_AUTHENTICATE);
                let found = found.map_or("", |value| value.to_str().unwrap());
                assert!(found.starts_with(challenge), "{route}: {found}");
                assert_eq!(found.is_empty(), status == 200, "{route}: {found}");
                if status == 200 {
                    assert!(text(&response).starts_with("user"), "{response:?}");
                }
            }
        }
        let response = at(&send, "prices", Some(&format!("Bearer {}", self.tokens[0]))).await;
        let challenge = response.headers()[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap();
        assert!(challenge.contains("scope=\"write:prices\""), "{challenge}");
        for (authorization, status, challenge) in [
            (None, 401, "Bearer"),
            (Some("Basic YWxpY2U6"), 401, "Bearer"),
            (Some("Bearer"), 400, "Bearer error=\"invalid_request\""),
            (
                Some("Bearer e30.e30.e30"),
                401,
                "Bearer error=\"invalid_token\"",
            ),
        ] {
            let response = at(&send, "products", authorization).await;
            assert_eq!(response.status(), status, "{authorization:?}");
            let found = response.headers()[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap();
            assert!(found.starts_with(challenge), "{authorization:?}: {found}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        }
    }
}

async fn at(
    send: &impl AsyncFn(Request<Bytes>) -> Response<Bytes>,
    route: &str,
    authorization: Option<&str>,
) -> Response<Bytes> {
    let mut request = Request::get(format!("/{route}"));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    send(request.body(Bytes::new()).unwrap()).await
}

pub(crate) fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

pub(crate) fn location(response: &Response<Bytes>) -> String {
    let location = response.headers().get(header::LOCATION);
    let location = location.unwrap_or_else(|| panic!("no redirect: {response:?}"));
    location.to_str().unwrap().to_owned()
}

pub(crate) fn scopes(token: &AccessToken) -> String {
    let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
    scopes.join(" ")
}

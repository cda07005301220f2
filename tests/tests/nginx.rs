//! An application with sessions in cookies behind a real nginx with its defaults: it answers 502 to response
//! headers of more than 4 KiB, and 400 to request lines of more than 8 KiB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{io::ErrorKind, net::Ipv4Addr, path::PathBuf, process::Stdio, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use logto::{
    ReqwestClient,
    test::{Browser, Page},
};
use logto_client::{
    LogtoClient, SignIn, TokenTarget,
    web::{
        LogtoWeb,
        cookies::{CookieOptions, DEFAULT_RESPONSE_LIMIT},
    },
};
use logto_storage::CookieStorage;
use logto_testkit::{Logto, Organization, Resource};
use logto_tests::{stage::key_ring, world::World};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    time::sleep,
};
use url::{Url, form_urlencoded};

const APIS: usize = 12;
/// The page about deployment shows it.
const SERVER: &str = include_str!("nginx.conf");

fn api(number: usize) -> String {
    format!("https://api-{number}.example.com/v1")
}

/// nginx in front of an application in front of a Logto.
struct Site {
    base_url: Url,
    logto: Logto,
    _nginx: Child,
    _directory: Directory,
}

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Site {
    async fn new(response_limit: usize) -> Self {
        let (application, nginx) = (listener().await, listener().await);
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let base_url = format!("http://localhost:{}", port(&nginx));
        let callback = format!("{base_url}/callback");
        let world = World::with(
            |app| app.redirect_uri(callback),
            |tenant| {
                let apis = (0..APIS).map(|number| Resource::new(api(number)));
                let tenant = apis.fold(tenant, |tenant, api| tenant.resource(api));
                let organizations = (0..150).map(|number| {
                    let id = format!("org{:x}", number * 7_919 + 123_456_789);
                    Organization::new(id, format!("Organization {number}"))
                        .member("bob", ["member"])
                });
                organizations.fold(tenant, |tenant, organization| {
                    tenant.organization(organization)
                })
            },
        );
        let world = world.configured(|config| {
            let config = config.base_url(&base_url).other_hosts(["*.localhost"]);
            config.resources((0..APIS).map(api))
        });
        let base_url = Url::parse(&base_url).unwrap();
        let cookies = CookieOptions::new(&base_url, world.config().app_id())
            .response_limit(response_limit)
            .budget(if response_limit > 4_096 {
                16_384
            } else {
                7_168
            })
            .build()
            .unwrap();
        let storage = CookieStorage::new(key_ring(), world.config(), &cookies);
        let client: LogtoClient = world.client(storage);
        let web = LogtoWeb::new(client, cookies, key_ring());
        let directory =
            Directory(std::env::temp_dir().join(format!("logto-nginx-{}", port(&nginx))));
        std::fs::create_dir_all(&directory.0).unwrap();
        let process = start_nginx(&directory, port(&nginx), port(&application));
        // Only to find a free port.
        drop(nginx);
        tokio::spawn(async move { axum::serve(application, router(web)).await });
        let site = Self {
            base_url,
            logto: world.logto,
            _nginx: process.await,
            _directory: directory,
        };
        site.until_it_serves().await;
        site
    }

    async fn until_it_serves(&self) {
        for _ in 0..200 {
            if reqwest::get(self.url("/nobody")).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx does not answer");
    }

    fn url(&self, path: &str) -> Url {
        self.base_url.join(path).unwrap()
    }

    fn visitor(&self) -> Browser {
        Browser::new(&self.logto, &self.base_url, ReqwestClient::new().unwrap())
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

/// With its defaults: nothing is said of buffers.
async fn start_nginx(directory: &Directory, port: u16, application: u16) -> Child {
    let root = directory.0.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {root}/{what};\n"))
        .concat();
    let server = SERVER
        .replace("listen 80", &format!("listen 127.0.0.1:{port}"))
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{application}"));
    let configuration = format!(
        "daemon off;
master_process off;
pid {root}/pid;
error_log {root}/error.log;
events {{}}
http {{
    access_log off;
{temporary}{server}}}
"
    );
    let file = directory.0.join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    // Debian keeps it out of the PATH of ordinary users.
    for program in ["nginx", "/usr/sbin/nginx"] {
        let started = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(process) => return process,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("nginx does not start: {error}"),
        }
    }
    panic!("these tests need nginx: `ci/install.sh` installs it on Debian");
}

fn router(web: LogtoWeb) -> Router {
    Router::new()
        .route("/sign-in", get(to_logto))
        .route("/callback", get(callback))
        .route("/page", get(page))
        .route("/nobody", get(async || "here"))
        .with_state(web)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    return_to: String,
    #[serde(default)]
    tokens: usize,
}

async fn to_logto(
    State(web): State<LogtoWeb>,
    Query(wanted): Query<Wanted>,
    parts: Parts,
) -> Response {
    let sign_in = SignIn::new().return_to(wanted.return_to);
    let answer = web.sign_in(&parts, &sign_in).await;
    let answer = answer.unwrap_or_else(|error| web.error_response(&error));
    answer.map(Body::from)
}

async fn callback(State(web): State<LogtoWeb>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let answer = web.callback(&parts, &Bytes::new()).await;
    answer.into_response().map(Body::from)
}

/// A page that needs a number of tokens.
async fn page(
    State(web): State<LogtoWeb>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let session = match web.session(&headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(error) => return web.error_response(&error).map(Body::from),
    };
    for number in 0..wanted.tokens {
        let target = TokenTarget::resource(api(number));
        session.access_token(&target).await.expect("a token");
    }
    let mut response = format!("{} tokens", wanted.tokens).into_response();
    web.finish(&headers, Some(&session), response.headers_mut())
        .expect("the session fits");
    response
}

/// Asks to be signed in, and follows no redirect.
async fn start(browser: &Browser, return_to: &str) -> Page {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", return_to)
        .finish();
    browser.get(&format!("/sign-in?{query}")).await.unwrap()
}

async fn come_back(browser: &Browser, started: Page, user: &str) -> Url {
    let page = browser.finish_sign_in(started, user, "password").await;
    page.unwrap().url().clone()
}

async fn sign_in(browser: &Browser, user: &str) {
    let started = start(browser, "/nobody").await;
    assert_eq!(come_back(browser, started, user).await.path(), "/nobody");
}

async fn open(browser: &Browser, path: &str) -> StatusCode {
    browser.get(path).await.unwrap().status()
}

#[tokio::test]
async fn b6_pages_with_up_to_twelve_tokens_are_served() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    sign_in(&alice, "alice").await;
    for tokens in (0..=APIS).chain([APIS; 5]) {
        let status = open(&alice, &format!("/page?tokens={tokens}")).await;
        assert_eq!(status, StatusCode::OK, "{tokens} tokens");
    }
}

/// Without this the others would say nothing of nginx.
#[tokio::test]
async fn b6_without_the_limits_nginx_refuses_both() {
    let site = Site::new(16_384).await;
    let alice = site.visitor();
    sign_in(&alice, "alice").await;
    let status = open(&alice, &format!("/page?tokens={APIS}")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);

    let site = Site::new(16_384).await;
    let alice = site.visitor();
    sign_in(&alice, "alice").await;
    for tokens in 1..=APIS {
        let status = open(&alice, &format!("/page?tokens={tokens}")).await;
        if status == StatusCode::BAD_REQUEST {
            return;
        }
    }
    panic!("no request was too long");
}

#[tokio::test]
async fn b6_a_member_of_many_organizations_signs_in() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let bob = site.visitor();
    for return_to in ["/nobody", &format!("/page?q={}", "翻".repeat(150))] {
        let started = start(&bob, return_to).await;
        come_back(&bob, started, "bob").await;
        assert_eq!(open(&bob, "/page?tokens=3").await, StatusCode::OK);
    }
}

#[tokio::test]
async fn c19_forty_tabs_that_start_a_sign_in_at_once_all_arrive() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    let starts: Vec<_> = (0..40)
        .map(|tab| {
            let alice = alice.clone();
            tokio::spawn(async move { start(&alice, &format!("/page?tab={tab}")).await })
        })
        .collect();
    let mut pages = Vec::new();
    for start in starts {
        pages.push(start.await.unwrap());
    }
    assert_eq!(open(&alice, "/nobody").await, StatusCode::OK);
    for (tab, page) in pages.into_iter().enumerate() {
        let arrived = come_back(&alice, page, "alice").await;
        assert_eq!(arrived.query(), Some(format!("tab={tab}").as_str()));
    }
    assert_eq!(open(&alice, "/page").await, StatusCode::OK);
}

#[tokio::test]
async fn c17_a_place_to_come_back_to_is_never_too_long() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    for length in [10, 1_000, 1_300, 1_800, 2_040, 4_000] {
        let return_to = format!("/page?q={}", "q".repeat(length));
        let started = start(&alice, &return_to).await;
        let arrived = come_back(&alice, started, "alice").await;
        assert_eq!(arrived.path(), "/page");
        let wanted = length <= 1_300;
        assert!(!wanted || arrived.query().is_some(), "{length}");
    }
}

#[tokio::test]
async fn c16_the_application_sees_the_host_that_the_browser_asked_for() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let port = site.base_url.port().unwrap();
    for (host, expected) in [
        (format!("localhost:{port}"), "localhost"),
        (format!("shop.localhost:{port}"), "shop.localhost"),
        (format!("a.shop.localhost:{port}"), "localhost"),
        (format!("shop.localhost:{}", port ^ 1), "localhost"),
        ("evil.example".to_owned(), "localhost"),
    ] {
        let request = Request::get("/sign-in").header(header::HOST, &host);
        let request = request.body(Bytes::new()).unwrap();
        let to_logto = site.visitor().send(request).await.unwrap().location();
        let to_logto = to_logto.unwrap();
        let mut query = to_logto.query_pairs();
        let (_, redirect_uri) = query.find(|(name, _)| name == "redirect_uri").unwrap();
        assert_eq!(
            redirect_uri,
            format!("http://{expected}:{port}/callback"),
            "{host}"
        );
    }
}

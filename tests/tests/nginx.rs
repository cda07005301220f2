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
use logto_client::{
    LogtoClient, SignIn, TokenTarget,
    web::{
        LogtoWeb,
        cookies::{CookieOptions, DEFAULT_RESPONSE_LIMIT},
    },
};
use logto_storage::CookieStorage;
use logto_testkit::{Browser, Logto, Organization, Resource};
use logto_tests::{stage::key_ring, world::World};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    time::sleep,
};
use url::Url;

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
        let world =
            world.configured(|config| config.base_url(&base_url).resources((0..APIS).map(api)));
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

    fn visitor(&self) -> Visitor {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none());
        Visitor {
            base_url: self.base_url.clone(),
            http: http.build().unwrap(),
            at_logto: self.logto.browser(),
        }
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
        .route("/sign-in", get(sign_in))
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

async fn sign_in(
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

/// A browser: cookies, and no redirect followed by itself.
#[derive(Clone)]
struct Visitor {
    base_url: Url,
    http: reqwest::Client,
    at_logto: Browser,
}

impl Visitor {
    async fn get(&self, path: &str) -> reqwest::Response {
        let url = self.base_url.join(path).unwrap();
        self.http.get(url).send().await.unwrap()
    }

    async fn start(&self, return_to: &str) -> Url {
        let mut url = self.base_url.join("/sign-in").unwrap();
        url.query_pairs_mut().append_pair("return_to", return_to);
        let response = self.http.get(url).send().await.unwrap();
        location(&response, &self.base_url)
    }

    /// Comes back from Logto, and once more if the sign-in starts again; where that leads.
    async fn come_back(&self, mut to_logto: Url, user: &str) -> Url {
        for _ in 0..2 {
            let callback = self.at_logto.sign_in(&to_logto, user).unwrap();
            let response = self.http.get(callback).send().await.unwrap();
            to_logto = location(&response, &self.base_url);
            if to_logto.origin() == self.base_url.origin() {
                return to_logto;
            }
        }
        panic!("it starts again and again");
    }

    async fn sign_in(&self, user: &str) {
        let to_logto = self.start("/").await;
        self.come_back(to_logto, user).await;
    }
}

fn location(response: &reqwest::Response, base_url: &Url) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    base_url.join(location).unwrap()
}

#[tokio::test]
async fn b6_pages_with_up_to_twelve_tokens_are_served() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    alice.sign_in("alice").await;
    for tokens in (0..=APIS).chain([APIS; 5]) {
        let response = alice.get(&format!("/page?tokens={tokens}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{tokens} tokens");
    }
}

/// Without this the others would say nothing of nginx.
#[tokio::test]
async fn b6_without_the_limits_nginx_refuses_both() {
    let site = Site::new(16_384).await;
    let alice = site.visitor();
    alice.sign_in("alice").await;
    let response = alice.get(&format!("/page?tokens={APIS}")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);

    let site = Site::new(16_384).await;
    let alice = site.visitor();
    alice.sign_in("alice").await;
    for tokens in 1..=APIS {
        let response = alice.get(&format!("/page?tokens={tokens}")).await;
        if response.status() == StatusCode::BAD_REQUEST {
            return;
        }
    }
    panic!("no request was too long");
}

#[tokio::test]
async fn b6_a_member_of_many_organizations_signs_in() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let bob = site.visitor();
    for return_to in ["/", &format!("/page?q={}", "翻".repeat(150))] {
        let to_logto = bob.start(return_to).await;
        bob.come_back(to_logto, "bob").await;
        let response = bob.get("/page?tokens=3").await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn c19_forty_tabs_that_start_a_sign_in_at_once_all_arrive() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    let starts: Vec<_> = (0..40)
        .map(|tab| {
            let alice = alice.clone();
            tokio::spawn(async move { alice.start(&format!("/page?tab={tab}")).await })
        })
        .collect();
    let mut urls = Vec::new();
    for start in starts {
        urls.push(start.await.unwrap());
    }
    assert_eq!(alice.get("/nobody").await.status(), StatusCode::OK);
    for (tab, url) in urls.into_iter().enumerate() {
        let arrived = alice.come_back(url, "alice").await;
        assert_eq!(arrived.query(), Some(format!("tab={tab}").as_str()));
    }
    assert_eq!(alice.get("/page").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn c17_a_place_to_come_back_to_is_never_too_long() {
    let site = Site::new(DEFAULT_RESPONSE_LIMIT).await;
    let alice = site.visitor();
    for length in [10, 1_000, 1_300, 1_800, 2_040, 4_000] {
        let return_to = format!("/page?q={}", "q".repeat(length));
        let to_logto = alice.start(&return_to).await;
        let arrived = alice.come_back(to_logto, "alice").await;
        assert_eq!(arrived.path(), "/page");
        let wanted = length <= 1_300;
        assert!(!wanted || arrived.query().is_some(), "{length}");
    }
}

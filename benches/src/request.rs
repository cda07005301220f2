//! A page of a signed-in user in axum: the SDK beside the session middleware that others use, and beside a page
//! without any session. All are asked with the same `Cookie` header.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    routing::{get, post},
};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId};
use logto_axum::{RouterExt, User};
use logto_client::{
    Context, LogtoClient, LogtoConfig,
    seal::{KeyRing, SealKey},
    storage::SessionStorage,
    web::{
        LogtoApp, LogtoWeb,
        cookies::{CookieCodec, CookieOptions},
    },
};
use logto_storage::{CookieStorage, MemoryStorage};
use logto_testkit::Logto;
use tower::ServiceExt;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::{
    contest::Contest,
    cookie_session::{Then, Tokens},
    fixtures::{self, at_once},
};

/// The page, which answers who is signed in.
pub const PAGE: &str = "/page";

const USER: &str = "user-0";

/// One way to know who is signed in.
pub struct Application {
    /// What it is.
    pub name: &'static str,
    /// With [`PAGE`].
    pub router: Router,
}

/// The cookies of a browser, as a header, with those that are not ours.
#[derive(Clone)]
pub struct Cookies(pub Vec<String>);

impl Default for Cookies {
    fn default() -> Self {
        Self(vec!["theme=dark".to_owned()])
    }
}

impl Cookies {
    /// Takes what a response sets.
    pub fn set<'a>(&mut self, set_cookies: impl IntoIterator<Item = &'a HeaderValue>) {
        self.0.extend(set_cookies.into_iter().map(pair));
    }

    /// The `Cookie` header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0.join("; ")).expect("ASCII")
    }
}

/// All of them. Each adds to the cookies, which then are good for all.
pub async fn applications(cookies: &mut Cookies) -> Vec<Application> {
    let (seen, first_sight) = (config("seen"), config("first-sight"));
    let mut applications = vec![Application {
        name: "no session",
        router: Router::new().route(PAGE, get(async || USER)),
    }];
    let mut add = |name, router| applications.push(Application { name, router });
    let seen_storage = in_cookies(&seen);
    add(
        "logto-axum, cookies seen before",
        logto(&seen, seen_storage, cookies).await,
    );
    let storage = in_cookies(&first_sight).keep_opened(0);
    add(
        "logto-axum, cookies at first sight",
        logto(&first_sight, storage, cookies).await,
    );
    let memory = config("memory");
    add(
        "logto-axum, session in memory",
        logto(&memory, MemoryStorage::new(), cookies).await,
    );
    add(
        "tower-sessions, one value in memory",
        tower_sessions(cookies).await,
    );
    add(
        "tower-sessions and axum-login, in memory",
        axum_login(cookies).await,
    );
    applications
}

/// The application of the cookies that were seen before, without a framework.
pub fn seen_before() -> LogtoApp {
    let config = config("seen");
    app(&config, Arc::new(in_cookies(&config)))
}

/// The applications without a network.
pub fn contest() -> Contest {
    let runtime = fixtures::runtime();
    let mut cookies = Cookies::default();
    let applications = runtime.block_on(applications(&mut cookies));
    let cookies = cookies.header();
    let title = format!(
        "A page of a signed-in user in axum, cookies of {} bytes",
        cookies.len()
    );
    applications
        .into_iter()
        .fold(Contest::new(title), |contest, application| {
            let (router, cookies) = (application.router, cookies.clone());
            contest.enter(application.name, move || {
                let request = Request::get(PAGE).header(header::COOKIE, cookies.clone());
                let request = request.body(Body::empty()).expect("a request");
                let response = at_once(router.clone().oneshot(request)).expect("infallible");
                assert_eq!(response.status(), 200);
                response
            })
        })
}

async fn logto(
    config: &LogtoConfig,
    storage: impl SessionStorage + 'static,
    cookies: &mut Cookies,
) -> Router {
    let storage = Arc::new(storage);
    let session = Tokens::sample(0).session_with(1);
    let created = storage.create(&session, Then::NOW).await;
    let (handle, _) = created.expect("it fits");
    let written = codec(config).write(&codec(config).read(&HeaderMap::new()), &handle, 0);
    cookies.set(&written.expect("it fits").set_cookies);
    let page = async |user: User| user.sub.clone();
    Router::new()
        .route(PAGE, get(page))
        .with_logto(app(config, storage))
}

fn app(config: &LogtoConfig, storage: Arc<dyn SessionStorage>) -> LogtoApp {
    let demo = Logto::demo().build().expect("a tenant");
    let context = Context::new(fixtures::http(&demo)).clock(Then);
    let client = LogtoClient::builder(config.clone(), context, storage);
    let web = LogtoWeb::new(client.build().expect("a client"), codec(config), keys());
    LogtoApp::builder(web).build()
}

async fn tower_sessions(cookies: &mut Cookies) -> Router {
    let page = async |session: Session| {
        let user: Option<String> = session.get("user").await.expect("memory");
        user.expect("signed in")
    };
    let sign_in = async |session: Session| session.insert("user", USER).await.expect("memory");
    let router = Router::new()
        .route(PAGE, get(page))
        .route("/sign-in", post(sign_in))
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_name("tower"));
    sign_in_to(&router, cookies).await;
    router
}

async fn axum_login(cookies: &mut Cookies) -> Router {
    let page = async |session: AuthSession<Users>| session.user.expect("signed in").0;
    let sign_in = async |mut session: AuthSession<Users>| {
        session
            .login(&Named(USER.to_owned()))
            .await
            .expect("memory");
    };
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_name("login");
    let router = Router::new()
        .route(PAGE, get(page))
        .route("/sign-in", post(sign_in))
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build());
    sign_in_to(&router, cookies).await;
    router
}

async fn sign_in_to(router: &Router, cookies: &mut Cookies) {
    let request = Request::post("/sign-in")
        .body(Body::empty())
        .expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    cookies.set(response.headers().get_all(header::SET_COOKIE));
}

fn pair(set_cookie: &HeaderValue) -> String {
    let set_cookie = set_cookie.to_str().expect("ASCII");
    set_cookie.split(';').next().unwrap_or_default().to_owned()
}

fn config(app_id: &str) -> LogtoConfig {
    LogtoConfig::builder("https://tenant.logto.app", app_id)
        .app_secret("secret")
        .base_url("https://app.example.com")
        .build()
        .expect("a configuration")
}

fn keys() -> KeyRing {
    KeyRing::new(SealKey::new(&[7; 32]))
}

fn in_cookies(config: &LogtoConfig) -> CookieStorage {
    CookieStorage::new(keys(), config, &codec(config))
}

fn codec(config: &LogtoConfig) -> CookieCodec {
    CookieOptions::new(config.base_url().expect("set above"), config.app_id())
        .build()
        .expect("cookies")
}

/// Users that need not be looked for.
#[derive(Clone, Debug)]
struct Users;

#[derive(Clone, Debug)]
struct Named(String);

impl AuthUser for Named {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl AuthnBackend for Users {
    type User = Named;
    type Credentials = ();
    type Error = std::convert::Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Named>, Self::Error> {
        Ok(None)
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<Named>, Self::Error> {
        Ok(Some(Named(id.clone())))
    }
}

//! Runs the code of the book against a Logto in the process.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use logto::axum::{ReadOnly, RouterExt, Session, User, in_process};
use logto::client::m2m::M2mClient;
use logto::client::seal::{KeyRing, SealKey};
use logto::core::logto_api::ManagementApi;
use logto::storage::{ExternalStorage, Lifetimes, MemoryStorage};
use logto::test::testkit::{App, Endpoint, Fault, Organization, Resource, Role, Webhook, demo};
use logto::test::{Browser, DemoTenant, app_fn, http_client};
use logto::{LogtoApp, LogtoClient, LogtoConfig, Secret, TokenTarget};
use logto_book::{
    apis, audit, configuration, deployment, devices, framework, http_client as own_http, machines,
    organizations, pages, protection, sign_in, storage, users,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn Error>>;

const SECRET: &str = "report-secret";
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY";
const OLDER_KEY: &str = "dnV0c3JxcG9ubWxramloZ2ZlZGNiYTk4NzY1NDMyMTA";

fn demo() -> DemoTenant {
    DemoTenant::with(|tenant| {
        let management = "https://default.logto.app/api";
        tenant
            .resource(Resource::new(management).scopes(["all"]))
            .role(Role::new("report").permissions(demo::SHOPPING_API, ["read:products"]))
            .role(Role::new("manager").permissions(management, ["all"]))
            .organization(Organization::new("fleet", "Fleet"))
            .app(
                App::machine_to_machine("nightly-report", SECRET)
                    .role("report")
                    .role("manager")
                    .allow_token_exchange(),
            )
            .app(App::native("tv").device_flow())
    })
    .unwrap()
}

fn browser(demo: &DemoTenant, router: Router) -> Browser {
    demo.browser(in_process(router))
}

async fn signed_in(demo: &DemoTenant, router: Router) -> Result<Browser, Box<dyn Error>> {
    let browser = browser(demo, router);
    let page = browser.sign_in("/sign-in", "alice", "password").await?;
    assert!(page.status() != StatusCode::UNAUTHORIZED, "{}", page.text());
    Ok(browser)
}

fn machine(demo: &DemoTenant) -> M2mClient {
    let secret = Secret::new(SECRET);
    let http = http_client(demo.logto());
    machines::machine(demo.logto().endpoint(), secret, http).unwrap()
}

#[tokio::test]
async fn an_organization_gives_tokens_on_both_paths() -> Outcome {
    async fn page(session: Session) -> String {
        let shipments = organizations::shipments(&session).await.unwrap();
        let products = organizations::products(&session, demo::SHOPPING_API);
        let fresh = organizations::after_a_change(&session).await.unwrap();
        assert_eq!(shipments, fresh);
        format!("{shipments:?} {:?}", products.await.unwrap())
    }
    async fn overview(session: Session) -> String {
        organizations::overview(&session).await.unwrap().join("\n")
    }
    async fn link(session: ReadOnly) -> &'static str {
        organizations::shipments_link(&session)
    }
    let demo = demo();
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/page", get(page))
        .route("/overview", get(overview))
        .route("/link", get(link))
        .with_logto(demo.builder().await?);
    let browser = signed_in(&demo, router).await?;
    assert_eq!(browser.open("/link").await?.text(), "load your shipments");
    let page = browser.open("/page").await?;
    let expected = r#"["read:shipments"] ["read:products", "write:products"]"#;
    assert_eq!(page.text(), expected);
    assert_eq!(browser.open("/link").await?.text(), "your shipments");
    let overview = browser.open("/overview").await?;
    assert!(
        overview.text().contains("globex: {}"),
        "{}",
        overview.text()
    );
    Ok(())
}

#[tokio::test]
async fn a_user_has_claims_from_the_network_and_of_the_application() -> Outcome {
    async fn page(session: Session) -> String {
        let plan = users::plan(&session).map(|plan| plan.plan);
        format!("{} {plan:?}", users::theme(&session).await.unwrap())
    }
    let demo = demo();
    demo.logto()
        .update_user("alice", |user| user.custom_data(json!({ "theme": "dark" })));
    let logto = demo.builder().config(|config| config.scope("custom_data"));
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/page", get(page))
        .with_logto(logto.await?);
    let browser = signed_in(&demo, router).await?;
    let page = browser.open("/page").await?;
    assert_eq!(page.text(), "dark None");
    Ok(())
}

/// The parameters of the sign-in that a page starts.
async fn started(path: &str) -> Vec<(String, String)> {
    let demo = demo();
    let logto = sign_in::with_link_parameters(demo.builder());
    let router = Router::new()
        .route("/join", get(sign_in::join))
        .route("/silent", get(sign_in::try_silently))
        .route("/magic", get(sign_in::magic_link))
        .with_logto(logto.await.unwrap());
    let browser = browser(&demo, router);
    let location = browser.get(path).await.unwrap().location().unwrap();
    let pairs = location.query_pairs().into_owned();
    pairs.collect()
}

fn value<'p>(parameters: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let found = parameters.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn pages_start_sign_ins_of_their_own() -> Outcome {
    let join = started("/join").await;
    assert_eq!(value(&join, "first_screen"), Some("identifier:register"));
    assert_eq!(value(&join, "identifier"), Some("email"));
    let silent = started("/silent").await;
    assert_eq!(value(&silent, "prompt"), Some("none"));
    let magic = started("/magic?token=t&email=alice@example.com").await;
    assert_eq!(value(&magic, "one_time_token"), Some("t"));
    assert_eq!(value(&magic, "login_hint"), Some("alice@example.com"));
    let link = started("/sign-in?prompt=login&login_hint=bob").await;
    assert_eq!(value(&link, "prompt"), Some("login"));
    assert_eq!(value(&link, "login_hint"), Some("bob"));
    assert!(sign_in::with_basket(7)?.has_app_state());
    let app = demo().builder().await?;
    for (sign_in, expected) in [
        (sign_in::with_github(), "direct_sign_in=social%3Agithub"),
        (sign_in::new_login(), "prompt=login+consent"),
    ] {
        let (url, _) = app.client().sign_in(&sign_in).await?;
        assert!(url.query().unwrap().contains(expected), "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn a_magic_link_signs_in() -> Outcome {
    let demo = demo();
    let router = Router::new()
        .route("/", get(async |user: User| user.sub.clone()))
        .route("/magic", get(sign_in::magic_link))
        .with_logto(demo.builder().await?);
    let email = "alice@example.com";
    let token = demo.logto().create_one_time_token(email).unwrap();
    let link = format!("/magic?token={token}&email={email}");
    let page = browser(&demo, router).open(&link).await?;
    assert_eq!(page.text(), "user-alice");
    Ok(())
}

#[tokio::test]
async fn a_transfer_needs_a_login_of_the_last_minutes() -> Outcome {
    let demo = demo();
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/transfer", get(sign_in::transfer))
        .with_logto(demo.builder().await?);
    let browser = signed_in(&demo, router).await?;
    // The first sign-in did not ask when the user logged in; the one that the page starts does.
    assert_eq!(browser.open("/transfer").await?.text(), "transferred");
    demo.clock().advance(std::time::Duration::from_secs(600));
    let page = browser.open("/transfer").await?;
    assert!(page.form_with("identifier").is_some(), "Logto asks again");
    Ok(())
}

#[tokio::test]
async fn machines_and_scripts_get_tokens() -> Outcome {
    let demo = demo();
    let machine = machine(&demo);
    assert!(
        machines::report(&machine)
            .await?
            .scopes
            .contains("read:products")
    );
    let logto = demo.logto();
    let subject = logto.create_subject_token("alice").unwrap();
    let token = machines::as_user(&machine, Secret::new(subject)).await?;
    assert!(token.scopes.contains("read:products"));
    let personal = logto.create_personal_access_token("alice").unwrap();
    let token = machines::for_script(&machine, Secret::new(personal)).await?;
    assert!(token.scopes.contains("read:products"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_device_signs_in() -> Outcome {
    let demo = demo();
    let config = LogtoConfig::builder(demo.logto().endpoint(), "tv").build()?;
    let http = http_client(demo.logto());
    let client = LogtoClient::builder(config, http, MemoryStorage::new()).build()?;
    let logto = demo.logto().clone();
    let session = devices::sign_in(&client, |device| {
        assert!(logto.approve_device(&device.user_code, "alice"));
    });
    assert_eq!(session.await?.claims().sub, "user-alice");
    Ok(())
}

#[tokio::test]
async fn the_apis_of_logto_answer() -> Outcome {
    let demo = demo();
    let logto = demo.logto();
    logto.answer_api(Method::PATCH, "/api/my-account", StatusCode::OK, json!({}));
    let found = json!([{ "id": "user-alice" }]);
    logto.answer_api(Method::GET, "/api/users", StatusCode::OK, found.clone());
    let http = http_client(logto);
    let config = LogtoConfig::builder(logto.endpoint(), demo::APP_ID).build()?;
    let management = ManagementApi::self_hosted(&config);
    assert_eq!(
        apis::users(&management, &machine(&demo), &http).await?,
        found
    );

    let app = demo.builder().await?;
    let (url, pending) = app.client().sign_in(&logto::SignIn::new()).await?;
    let callback = logto.sign_in(&url, "alice")?;
    let callback = logto::core::sign_in::Callback::from_url(&callback)?;
    let signed_in = app.client().complete_sign_in(Some(pending), callback, None);
    let session = signed_in.await.map_err(logto::Error::from)?.session;
    let config = app.client().config();
    assert_eq!(apis::rename(config, &session, &http, "Alice").await?, 200);
    Ok(())
}

/// The status of a request to an API with a token for `target`.
async fn status(router: &Router, path: &str, token: &str) -> StatusCode {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let client = in_process(router.clone());
    let request = request.body(Bytes::new()).unwrap();
    let response = logto::client::http::HttpClient::send(&client, request).await;
    response.unwrap().status()
}

#[tokio::test]
async fn an_api_lets_tokens_in_by_each_model() -> Outcome {
    let demo = demo();
    let app = demo.builder().await?;
    let (url, pending) = app.client().sign_in(&logto::SignIn::new()).await?;
    let callback = demo.logto().sign_in(&url, "alice")?;
    let callback = logto::core::sign_in::Callback::from_url(&callback)?;
    let signed_in = app.client().complete_sign_in(Some(pending), callback, None);
    let session = signed_in.await.map_err(logto::Error::from)?.session;
    let api = TokenTarget::resource(demo::SHOPPING_API);
    let of_api = session.access_token(&api).await?;
    let of_acme = session.organization_token("acme").await?;
    let of_api_in_acme = session.access_token(&api.in_organization("acme")).await?;
    let opaque = session.access_token(&TokenTarget::user_info()).await?;

    let config = app.client().config().clone();
    let server = protection::server(config, http_client(demo.logto()))?;
    let router = protection::products(&server).merge(protection::shipments(&server));
    for (path, token, expected) in [
        ("/products", &of_api, 200),
        ("/products", &of_acme, 401),
        ("/organizations/acme/shipments", &of_acme, 200),
        ("/organizations/globex/shipments", &of_acme, 403),
        ("/organizations/acme/products", &of_api_in_acme, 200),
        ("/organizations/acme/products", &of_api, 403),
    ] {
        let found = status(&router, path, token.token.expose()).await;
        assert_eq!(found.as_u16(), expected, "{path}");
    }
    let applications = [demo::APP_ID.to_owned()];
    let claims = protection::opaque(&server, opaque.token.expose(), &applications).await;
    assert_eq!(claims.unwrap().sub, "user-alice");

    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", of_api.token.expose());
    headers.insert(header::AUTHORIZATION, bearer.parse()?);
    let issuers = [server.issuer().to_owned()];
    let claims = protection::of_either(&server, &issuers, &headers).await;
    assert_eq!(claims.unwrap().sub, "user-alice");
    Ok(())
}

#[tokio::test]
async fn pages_are_for_those_who_may_see_them() -> Outcome {
    let demo = demo();
    let log = audit::AuditLog::default();
    let logto = audit::with_audit_log(pages::with_error_page(demo.builder()), log.clone());
    let browser = signed_in(&demo, pages::router(logto.await?)).await?;
    assert_eq!(browser.open("/").await?.text(), "Hello, Alice Lab");
    let refused = browser.open("/reports").await?;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(
        refused
            .text()
            .contains("<h1>This page is for other users.</h1>")
    );
    assert!(
        log.lines().contains(&"user-alice signed in".to_owned()),
        "{:?}",
        log.lines()
    );
    Ok(())
}

#[tokio::test]
async fn the_application_admits_its_members() -> Outcome {
    for (member, path) in [("user-alice", "/welcome"), ("user-bob", "/callback")] {
        let demo = demo();
        let admission = pages::Admission {
            members: vec![member.to_owned()],
        };
        let logto = demo.builder().routes(|routes| routes.on_sign_in(admission));
        let router = Router::new().route("/welcome", get(async |_: User| "welcome"));
        let browser = browser(&demo, router.with_logto(logto.await?));
        let page = browser.sign_in("/sign-in", "alice", "password").await?;
        assert_eq!(page.url().path(), path);
    }
    Ok(())
}

#[tokio::test]
async fn a_session_has_the_data_of_its_sign_in() -> Outcome {
    let demo = demo();
    let logto = demo.builder();
    let logto = logto.routes(|routes| routes.on_sign_in(pages::Provisioning));
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/plan", get(pages::plan));
    let browser = signed_in(&demo, router.with_logto(logto.await?)).await?;
    let page = browser.open("/plan").await?;
    assert_eq!(page.text(), "User 42 has the plan pro");
    Ok(())
}

#[tokio::test]
async fn a_webhook_signs_a_suspended_user_out() -> Outcome {
    let demo = demo();
    let logto = pages::with_webhook(demo.builder(), "the signing key".to_owned()).await?;
    let router = Router::new()
        .route(
            "/",
            get(async |user: Option<User>| user.is_some().to_string()),
        )
        .with_logto(logto);
    let browser = signed_in(&demo, router.clone()).await?;
    assert_eq!(browser.open("/").await?.text(), "true");
    let hook = Webhook::new("http://localhost:3000/webhooks/logto", "the signing key");
    let data = json!({ "data": { "id": "user-alice", "isSuspended": true } });
    let event = "User.SuspensionStatus.Updated";
    let delivery = demo.logto().data_webhook(&hook, event, data).unwrap();
    let response = logto::client::http::HttpClient::send(&in_process(router), delivery).await?;
    assert!(response.status().is_success(), "{response:?}");
    assert_eq!(browser.open("/").await?.text(), "false");
    Ok(())
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() -> Outcome {
    let demo = demo();
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/order", axum::routing::post(pages::order))
        .with_logto(demo.builder().await?);
    let browser = signed_in(&demo, router).await?;
    assert_eq!(
        browser.post("/order", &[]).await?.text(),
        "Ordered for user-alice"
    );
    // A page of a sibling host, to which the browser sends the cookies all the same.
    let foreign = Request::post("/order").header("sec-fetch-site", "same-site");
    let refused = browser.send(foreign.body(Bytes::new())?).await?;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn a_new_key_signs_nobody_out() -> Outcome {
    fn router(logto: LogtoApp) -> Router {
        let home = async |user: Option<User>| user.is_some().to_string();
        Router::new().route("/", get(home)).with_logto(logto)
    }
    let demo = demo();
    let ring = |key: &str| KeyRing::new(SealKey::from_secret(key).unwrap());
    let store = storage::MapStore::default();
    let before = demo.builder().keys(ring(OLDER_KEY)).store(store.clone());
    let browser = signed_in(&demo, router(before.await?)).await?;
    let after = configuration::with_new_key(demo.builder(), KEY, OLDER_KEY)?.store(store);
    let after = in_process(router(after.await?));
    let cookies = browser.cookies();
    let browser = demo.browser(after);
    for (name, value) in cookies {
        browser.set_cookie(&name, &value);
    }
    assert_eq!(browser.open("/").await?.text(), "true");
    Ok(())
}

#[tokio::test]
async fn every_other_setting_starts() -> Outcome {
    let demo = demo();
    let keys = KeyRing::new(SealKey::from_secret(KEY)?);
    let store = storage::MapStore::default();
    configuration::with_shared_ledger(demo.builder(), keys, store).await?;
    configuration::behind_large_buffers(demo.builder()).await?;
    let in_frames = configuration::in_frames(demo.builder());
    let on_https = in_frames.config(|config| config.base_url("https://app.example.com"));
    on_https.await?;
    let on_https = demo
        .builder()
        .config(|config| config.base_url("https://app.example.com"));
    let logto = configuration::at_several_hosts(on_https).await?;
    let at_preview = logto.client().config().for_host("pr-7.preview.example.com");
    assert_eq!(
        at_preview.redirect_uri()?.as_str(),
        "https://pr-7.preview.example.com/callback"
    );
    let logto = configuration::with_routes(demo.builder()).await?;
    assert!(logto.route("/sign-out/local").is_some());
    Ok(())
}

#[tokio::test]
async fn the_map_is_a_storage() -> Outcome {
    use logto_storage::conformance::{self, Promises, StorageKind};

    let config = LogtoConfig::builder("https://tenant.logto.app", "app-id").build()?;
    let keys = KeyRing::new(SealKey::from_secret(KEY)?);
    let store = storage::MapStore::default();
    let promises = Promises {
        kind: StorageKind::Shared,
        lifetimes: Lifetimes::default(),
    };
    let make = async || Arc::new(ExternalStorage::new(store.clone(), keys.clone(), &config)) as _;
    conformance::run(promises, make).await?;
    Ok(())
}

#[tokio::test]
async fn everything_goes_through_a_client_of_ones_own() -> Outcome {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static SENT: AtomicUsize = AtomicUsize::new(0);

    let demo = demo();
    let logto = own_http::measured(demo.builder(), http_client(demo.logto()), |path, _| {
        assert!(!path.contains('?'));
        SENT.fetch_add(1, Ordering::Relaxed);
    });
    logto.await?.client().metadata().await?;
    assert_eq!(SENT.load(Ordering::Relaxed), 1);
    Ok(())
}

/// The visitor has gone while Logto was answering, and then the process is told to end.
#[tokio::test]
async fn a_process_ends_after_its_refreshes() -> Outcome {
    async fn products(session: Session) -> logto::axum::Result<()> {
        let api = TokenTarget::resource(demo::SHOPPING_API);
        session.access_token(&api).await?;
        Ok(())
    }
    async fn has_token(session: ReadOnly) -> String {
        let api = TokenTarget::resource(demo::SHOPPING_API);
        let token = session.access_token(&api).token();
        token.is_some().to_string()
    }
    let demo = demo();
    let logto = demo.builder().await?;
    let routes = Router::new()
        .route("/products", get(products))
        .route("/has-token", get(has_token));
    let browser = signed_in(&demo, routes.clone().with_logto(logto.clone())).await?;
    let port = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = port.local_addr()?;
    let server = tokio::spawn(deployment::serve(port, routes, logto));
    // It answers, so it also listens for the signal.
    let mut connection = TcpStream::connect(address).await?;
    connection
        .write_all(b"GET /nowhere HTTP/1.0\r\n\r\n")
        .await?;
    connection.read_to_end(&mut Vec::new()).await?;

    let before = demo.logto().count(Endpoint::Token);
    let late = Fault::Delay(Duration::from_millis(500));
    demo.logto().break_down(Endpoint::Token, late);
    let visit = {
        let browser = browser.clone();
        tokio::spawn(async move { browser.open("/products").await })
    };
    while demo.logto().count(Endpoint::Token) == before {
        tokio::task::yield_now().await;
    }
    visit.abort();
    assert_eq!(browser.open("/has-token").await?.text(), "false");

    let process = std::process::id().to_string();
    let told = Command::new("kill").args(["-TERM", &process]).status()?;
    assert!(told.success());
    server.await??;
    assert_eq!(browser.open("/has-token").await?.text(), "true");
    Ok(())
}

#[tokio::test]
async fn any_framework_makes_three_calls() -> Outcome {
    let demo = demo();
    let logto = demo.builder().await?;
    let application = app_fn(move |request| {
        let logto = logto.clone();
        async move { framework::serve(&logto, request).await }
    });
    let page = demo
        .browser(application)
        .sign_in("/", "alice", "password")
        .await?;
    assert_eq!(page.text(), "Hello, user-alice");
    Ok(())
}

#[test]
fn the_api_is_the_demo_s() {
    assert_eq!(machines::API, demo::SHOPPING_API);
    assert_eq!(protection::API, demo::SHOPPING_API);
}

//! Back-channel logout.

use std::{collections::HashSet, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use logto_client::{
    LogtoClient, SignIn, TokenTarget, UnixTime, WritableSession,
    clock::Clock,
    core::api_token::AccessTokenVerification,
    event::Event,
    resource_server::ResourceServer,
    seal::{KeyRing, SealKey},
    storage::{SessionReader, SessionStorage},
    web::{
        Guarded, LogtoApp, LogtoWeb, Route,
        cookies::{CookieOptions, DEFAULT_RESPONSE_LIMIT},
    },
};
use logto_storage::{
    CookieStorage, ExternalStorage, MemoryStorage,
    faulty::{Fault as StorageFault, FaultyStorage, Operation},
};
use logto_testkit::{Endpoint, Fault, KeyType, demo::SHOPPING_API};
use logto_tests::{
    raw::decode_jwt,
    shared::{CountingStore, MapStore},
    world::{APP_ID, World, WorldClock, refresh_token_of},
};
use serde_json::{Value, json};

const URI: &str = "http://localhost:3000/back-channel-logout";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn world() -> World {
    World::with(|app| app.backchannel_logout_uri(URI), |logto| logto)
}

fn world_without_sid() -> World {
    World::with(
        |app| app.backchannel_logout_uri_without_sid(URI),
        |logto| logto,
    )
}

fn options(world: &World) -> logto_client::web::cookies::CookieCodec {
    let config = world.config();
    CookieOptions::new(config.base_url().unwrap(), config.app_id())
        .build()
        .unwrap()
}

fn keys() -> KeyRing {
    KeyRing::new(SealKey::new(&[7; 32]))
}

fn cookies(world: &World) -> CookieStorage {
    CookieStorage::new(keys(), world.config(), &options(world))
}

/// An application that hears of sign-outs.
struct Application {
    world: World,
    client: LogtoClient,
    web: LogtoWeb,
}

impl Application {
    fn new(world: World, storage: impl SessionStorage + 'static) -> Self {
        let client = world.client(storage);
        let web = LogtoWeb::new(client.clone(), options(&world), keys());
        Self { world, client, web }
    }

    async fn sign_in(&self, user: &str) -> WritableSession {
        self.world.sign_in(&self.client, user).await.session
    }

    async fn is_alive(&self, session: &WritableSession) -> bool {
        self.client
            .session(&session.handle())
            .await
            .unwrap()
            .is_some()
    }

    async fn hear(&self, token: &str) -> Response<Bytes> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", token)
            .finish();
        self.receive(
            Request::post(URI),
            "application/x-www-form-urlencoded",
            body,
        )
        .await
    }

    async fn receive(
        &self,
        request: http::request::Builder,
        content_type: &str,
        body: String,
    ) -> Response<Bytes> {
        let request = request.header(header::CONTENT_TYPE, content_type);
        let (parts, body) = request.body(Bytes::from(body)).unwrap().into_parts();
        let response = self.web.back_channel_logout(&parts, &body).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        response
    }

    /// Claims of a good logout token for a session.
    fn claims(&self, session: &WritableSession) -> Value {
        let now = self.world.now().as_secs();
        let claims = session.claims();
        json!({
            "iss": self.world.logto.issuer(), "aud": APP_ID, "sub": claims.sub, "sid": claims.sid,
            "iat": now, "exp": now + 120, "jti": "token-1", "events": { EVENT: {} },
            "ignored_claim": { "any": "thing" },
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.world
            .logto
            .sign_token(json!({"typ": "logout+jwt"}), claims)
            .unwrap()
    }

    /// What Logto sends when all sessions of a user end.
    fn end_sessions(&self, user: &str) -> Vec<String> {
        self.world.logto.end_sessions(user).unwrap();
        let tokens = self.world.logto.take_logout_tokens();
        tokens
            .iter()
            .map(|token| token.token().to_owned())
            .collect()
    }
}

fn sid(token: &str) -> Option<String> {
    decode_jwt(token).1["sid"].as_str().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn t42_l7_by_sid_one_session_ends_and_all_others_survive() {
    let world = world();
    let storages: [Arc<dyn SessionStorage>; 2] =
        [Arc::new(MemoryStorage::new()), Arc::new(cookies(&world))];
    for storage in storages {
        let application = Application::new(world.clone(), storage);
        let (first, second) = (
            application.sign_in("alice").await,
            application.sign_in("alice").await,
        );
        let bob = application.sign_in("bob").await;
        assert_ne!(first.claims().sid, second.claims().sid);
        let tokens = application.end_sessions("alice");
        let of_first = tokens
            .iter()
            .find(|token| sid(token) == first.claims().sid)
            .unwrap();
        let response = application.hear(of_first).await;
        assert_eq!(
            (response.status(), response.body().len()),
            (StatusCode::OK, 0)
        );
        assert!(!application.is_alive(&first).await);
        assert!(
            first.access_token(&TokenTarget::user_info()).await.is_err(),
            "not even an open one"
        );
        assert!(application.is_alive(&second).await);
        assert!(application.is_alive(&bob).await);
        assert_eq!(application.world.logto.count(Endpoint::Revocation), 0, "l9");
    }
}

#[tokio::test(start_paused = true)]
async fn l7_by_sub_all_sessions_of_the_user_end_and_a_later_one_lives() {
    let world = world_without_sid();
    let storages: [Arc<dyn SessionStorage>; 2] =
        [Arc::new(MemoryStorage::new()), Arc::new(cookies(&world))];
    for storage in storages {
        let application = Application::new(world.clone(), storage);
        let (first, second) = (
            application.sign_in("alice").await,
            application.sign_in("alice").await,
        );
        let bob = application.sign_in("bob").await;
        let tokens = application.end_sessions("alice");
        assert_eq!(sid(&tokens[0]), None);
        assert_eq!(application.hear(&tokens[0]).await.status(), 200);
        assert!(!application.is_alive(&first).await);
        assert!(!application.is_alive(&second).await);
        assert!(application.is_alive(&bob).await);
        application.world.clock.advance(Duration::from_secs(1));
        let again = application.sign_in("alice").await;
        assert!(application.is_alive(&again).await);
        application.end_sessions("bob");
    }
}

#[tokio::test(start_paused = true)]
async fn l7_a_session_at_logto_that_ended_is_over_also_when_the_clocks_disagree() {
    let world = world();
    let application = Application::new(world.clone(), cookies(&world));
    let session = application.sign_in("alice").await;
    let mut claims = application.claims(&session);
    let a_little_before = world.now().as_secs() - 30;
    claims["iat"] = json!(a_little_before);
    claims["exp"] = json!(a_little_before + 120);
    assert_eq!(
        application.hear(&application.sign(&claims)).await.status(),
        200
    );
    assert!(!application.is_alive(&session).await);
}

/// A logout of all of the user's sessions so many seconds after `session` began by the provider's clock.
fn logout_of_user(application: &Application, session: &WritableSession, seconds: i64) -> String {
    let at = session.snapshot().began_at().as_secs() + seconds;
    let mut claims = application.claims(session);
    claims.as_object_mut().unwrap().remove("sid");
    claims["iat"] = json!(at);
    claims["exp"] = json!(at + 120);
    claims["jti"] = json!(format!("token-{at}"));
    application.sign(&claims)
}

/// The provider's clock, read wrongly by the application.
#[derive(Debug)]
struct WrongClock(WorldClock, i64);

impl Clock for WrongClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.now().as_secs() + self.1)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

#[tokio::test(start_paused = true)]
async fn l7_only_times_of_the_provider_decide_whatever_the_clock_of_the_application_says() {
    let world = world();
    for wrong_by in [-30, 0, 30] {
        let application = |storage| {
            let clock = WrongClock(WorldClock(world.clock.clone()), wrong_by);
            let client = world.client_builder(storage).clock(clock).build().unwrap();
            let web = LogtoWeb::new(client.clone(), options(&world), keys());
            let world = world.clone();
            Application { world, client, web }
        };
        let storages: [Arc<dyn SessionStorage>; 2] =
            [Arc::new(MemoryStorage::new()), Arc::new(cookies(&world))];
        for storage in storages {
            let application = application(storage);
            let session = application.sign_in("alice").await;
            let before = logout_of_user(&application, &session, -1);
            assert_eq!(application.hear(&before).await.status(), 200);
            assert!(application.is_alive(&session).await, "{wrong_by}");
            world.clock.advance(Duration::from_secs(10));
            let after = logout_of_user(&application, &session, 1);
            assert_eq!(application.hear(&after).await.status(), 200);
            assert!(!application.is_alive(&session).await, "{wrong_by}");
            world.clock.advance(Duration::from_secs(1));
            let again = application.sign_in("alice").await;
            assert!(application.is_alive(&again).await, "{wrong_by}: no loop");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l7_a_refresh_after_a_logout_does_not_make_the_session_younger() {
    let world = world();
    let storages: [Arc<dyn SessionStorage>; 2] =
        [Arc::new(MemoryStorage::new()), Arc::new(cookies(&world))];
    for storage in storages {
        let application = Application::new(world.clone(), storage);
        let session = application.sign_in("alice").await;
        let token = logout_of_user(&application, &session, 5);
        world.clock.advance(Duration::from_secs(10));
        let refreshed = session
            .refresh_access_token(&TokenTarget::user_info())
            .await;
        refreshed.unwrap();
        let snapshot = session.snapshot();
        assert!(snapshot.claims().iat > snapshot.began_at(), "it moved");
        assert_eq!(application.hear(&token).await.status(), 200);
        assert!(!application.is_alive(&session).await);
    }
}

#[tokio::test(start_paused = true)]
async fn l7_of_two_logouts_of_a_user_the_later_stands_whichever_comes_first() {
    let world = world();
    let application = Application::new(world.clone(), cookies(&world));
    let first = application.sign_in("alice").await;
    world.clock.advance(Duration::from_secs(10));
    let second = application.sign_in("alice").await;
    world.clock.advance(Duration::from_secs(10));
    let (earlier, later) = (
        logout_of_user(&application, &first, 5),
        logout_of_user(&application, &second, 5),
    );
    for token in [later, earlier] {
        assert_eq!(application.hear(&token).await.status(), 200);
        assert!(!application.is_alive(&first).await);
        assert!(!application.is_alive(&second).await);
    }
    let third = application.sign_in("alice").await;
    assert!(application.is_alive(&third).await);
}

/// All sequences of these logouts, without repetition.
fn sequences(of: &[usize]) -> Vec<Vec<usize>> {
    let longer = of.iter().flat_map(|first| {
        let rest: Vec<usize> = of.iter().copied().filter(|it| it != first).collect();
        let ends = sequences(&rest).into_iter();
        ends.map(|end| [vec![*first], end].concat())
    });
    std::iter::once(Vec::new()).chain(longer).collect()
}

#[tokio::test(start_paused = true)]
async fn l7_logouts_end_the_same_sessions_in_every_order_with_refreshes_between_or_without() {
    let orders = sequences(&[0, 1, 2]);
    assert_eq!(orders.len(), 16);
    for (order, refreshes) in orders.iter().flat_map(|it| [(it, false), (it, true)]) {
        let world = world();
        let application = Application::new(world.clone(), cookies(&world));
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(application.sign_in("alice").await);
            world.clock.advance(Duration::from_secs(10));
        }
        let tokens = [
            logout_of_user(&application, &sessions[0], 5),
            logout_of_user(&application, &sessions[1], 5),
            application.sign(&application.claims(&sessions[0])),
        ];
        let sid = |session: &WritableSession| session.claims().sid.clone();
        let ended = |session: usize| {
            order.iter().any(|logout| match logout {
                0 => session == 0,
                1 => session <= 1,
                _ => sid(&sessions[session]) == sid(&sessions[0]),
            })
        };
        for logout in order {
            assert_eq!(application.hear(&tokens[*logout]).await.status(), 200);
            if refreshes {
                for session in &sessions {
                    let target = TokenTarget::user_info();
                    let _ = session.refresh_access_token(&target).await;
                }
            }
        }
        for (index, session) in sessions.iter().enumerate() {
            let is_alive = application.is_alive(session).await;
            assert_eq!(is_alive, !ended(index), "{index} after {order:?}");
        }
    }
}

/// A request of the browser that has this session in a cookie.
fn request_of(application: &Application, session: &WritableSession) -> http::request::Parts {
    let (codec, handle) = (options(&application.world), session.handle());
    let request = Request::get("http://localhost:3000/page")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
        .header(
            header::COOKIE,
            format!("{}={}", codec.name(), handle.value()),
        );
    request.body(()).unwrap().into_parts().0
}

fn deletes_the_session(application: &Application, headers: &HeaderMap) -> bool {
    let begin = format!("{}=; ", options(&application.world).name());
    let mut cookies = headers.get_all(header::SET_COOKIE).into_iter();
    cookies.any(|cookie| {
        let cookie = cookie.to_str().unwrap();
        cookie.starts_with(&begin) && cookie.contains("Max-Age=0")
    })
}

#[tokio::test(start_paused = true)]
async fn l7_the_next_visit_of_a_browser_that_was_signed_out_elsewhere_deletes_its_cookie() {
    let world = world();
    let application = Application::new(world.clone(), cookies(&world));
    let web = &application.web;
    let session = application.sign_in("alice").await;
    let parts = request_of(&application, &session);
    let page = async |read_only: bool| {
        let mut response = HeaderMap::new();
        let found = if read_only {
            assert!(
                web.read_only_session(&parts.headers)
                    .await
                    .unwrap()
                    .is_none()
            );
            None
        } else {
            web.session(&parts.headers).await.unwrap()
        };
        web.finish(&parts.headers, found.as_ref(), &mut response)
            .unwrap();
        response
    };
    assert!(!deletes_the_session(&application, &page(false).await));
    let token = application.sign(&application.claims(&session));
    assert_eq!(application.hear(&token).await.status(), 200);

    for read_only in [false, true] {
        let response = page(read_only).await;
        assert!(deletes_the_session(&application, &response), "{read_only}");
    }
    let user = web.user(&parts.headers).await.unwrap();
    assert!(deletes_the_session(&application, user.headers()));
    let Guarded::Answer(answer) = web.require(&parts, "/sign-in").await else {
        panic!("nobody is signed in")
    };
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(deletes_the_session(&application, answer.headers()));

    // Whoever gives the sign-in up is left without the cookie as well, and a proxy takes the response.
    let long = format!("/orders?q={}", "a".repeat(2_000));
    for return_to in ["/", &long] {
        let sign_in = SignIn::new().return_to(return_to);
        let started = web.sign_in(&parts, &sign_in).await.unwrap();
        assert!(deletes_the_session(&application, started.headers()));
        let lines = started.headers().iter();
        let size: usize = lines
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        assert!(size <= DEFAULT_RESPONSE_LIMIT, "{size}");
    }

    // So is one whose sign-in fails, or who comes by a method that a route does not take.
    let app = LogtoApp::builder(web.clone()).build();
    let failing = |of: &Parts, method: Method| {
        let mut failing = of.clone();
        failing.uri = "/callback?code=code&state=state".parse().unwrap();
        failing.method = method;
        failing
    };
    for method in [Method::GET, Method::PUT] {
        let parts = failing(&parts, method);
        let answer = web.callback(&parts, &Bytes::new()).await;
        assert!(answer.outcome.is_err());
        let answer = answer.into_response();
        let page = app.answer(Route::Callback, &parts, &Bytes::new()).await;
        for response in [answer, page] {
            assert!(response.status().is_client_error());
            let headers = response.headers();
            assert!(deletes_the_session(&application, headers));
            let set_cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
            let different: HashSet<_> = set_cookies.iter().collect();
            assert_eq!(set_cookies.len(), different.len(), "{set_cookies:?}");
        }
    }

    // A cookie that opens as no session may belong to a newer version, and stays.
    let mut strange = parts.clone();
    let cookie = format!("{}=AAAA", options(&world).name());
    strange
        .headers
        .insert(header::COOKIE, cookie.parse().unwrap());
    let user = web.user(&strange.headers).await.unwrap();
    assert!(!deletes_the_session(&application, user.headers()));
    let started = web.sign_in(&strange, &SignIn::new()).await.unwrap();
    assert!(!deletes_the_session(&application, started.headers()));
    let alive = request_of(&application, &application.sign_in("bob").await);
    let started = web.sign_in(&alive, &SignIn::new()).await.unwrap();
    assert!(!deletes_the_session(&application, started.headers()));
    for parts in [strange, alive] {
        let parts = failing(&parts, Method::GET);
        let page = app.answer(Route::Callback, &parts, &Bytes::new()).await;
        assert!(page.status().is_client_error());
        assert!(!deletes_the_session(&application, page.headers()));
    }
}

#[tokio::test(start_paused = true)]
async fn l7_an_ended_session_is_refused_for_as_long_as_its_cookie_could_live() {
    let world = world();
    let application = Application::new(world.clone(), cookies(&world));
    let (ended, signed_out) = (
        application.sign_in("alice").await,
        application.sign_in("bob").await,
    );
    let token = application.sign(&application.claims(&ended));
    assert_eq!(application.hear(&token).await.status(), 200);
    signed_out.sign_out_locally().await.unwrap();
    for days in [0, 1, 1, 11] {
        world.clock.advance(Duration::from_secs(days * 86_400));
        let storage = cookies(&world);
        for session in [&ended, &signed_out] {
            let stored = storage.load(&session.handle(), world.now()).await.unwrap();
            assert!(stored.is_some(), "the cookie opens");
            assert!(!application.is_alive(session).await, "{days}");
        }
    }
}

/// Two processes with sessions in cookies that share a ledger.
fn with_shared_ledger(world: &World, store: &CountingStore) -> Application {
    let builder = world.client_builder(cookies(world));
    let client = builder
        .shared_ledger(store.clone(), keys())
        .build()
        .unwrap();
    let web = LogtoWeb::new(client.clone(), options(world), keys());
    Application {
        world: world.clone(),
        client,
        web,
    }
}

#[tokio::test(start_paused = true)]
async fn l7_processes_that_share_a_ledger_learn_of_an_end_within_seconds_and_after_a_restart() {
    let world = world();
    let store = CountingStore::default();
    let (one, other) = (
        with_shared_ledger(&world, &store),
        with_shared_ledger(&world, &store),
    );
    let by_sid = one.sign_in("alice").await;
    let by_sub = one.sign_in("bob").await;
    let signed_out = one.sign_in("alice").await;
    let alive = one.sign_in("alice").await;
    for session in [&by_sid, &by_sub, &signed_out, &alive] {
        assert!(other.is_alive(session).await);
    }
    let token = one.sign(&one.claims(&by_sid));
    assert_eq!(one.hear(&token).await.status(), 200);
    let token = logout_of_user(&one, &by_sub, 0);
    assert_eq!(one.hear(&token).await.status(), 200);
    signed_out.sign_out_locally().await.unwrap();
    for session in [&by_sid, &by_sub, &signed_out] {
        assert!(!one.is_alive(session).await, "here it counts at once");
    }

    tokio::time::sleep(Duration::from_secs(6)).await;
    for session in [&by_sid, &by_sub, &signed_out] {
        assert!(!other.is_alive(session).await);
    }
    assert!(other.is_alive(&alive).await);
    let restarted = with_shared_ledger(&world, &store);
    for session in [&by_sid, &by_sub, &signed_out] {
        assert!(!restarted.is_alive(session).await);
    }

    // No request asks again before its time.
    store.calls();
    for _ in 0..100 {
        assert!(other.is_alive(&alive).await);
    }
    assert!(!store.calls().contains(&"get"));
    let told = world.events.all();
    assert!(!told.contains(&Event::LogoutNotShared));
}

#[tokio::test(start_paused = true)]
async fn l7_an_operator_is_warned_where_a_restart_forgets_a_logout() {
    for (in_cookies, warned) in [(true, true), (false, false)] {
        let world = world();
        let storage: Arc<dyn SessionStorage> = match in_cookies {
            true => Arc::new(cookies(&world)),
            false => Arc::new(MemoryStorage::new()),
        };
        let application = Application::new(world.clone(), storage);
        let session = application.sign_in("alice").await;
        let token = application.sign(&application.claims(&session));
        assert_eq!(application.hear(&token).await.status(), 200);
        let told = world.events.all();
        assert_eq!(told.contains(&Event::LogoutNotShared), warned);
    }
}

#[tokio::test(start_paused = true)]
async fn l6_a_token_is_good_once_in_all_processes_that_share_something() {
    let world = world();
    let store = MapStore::default();
    let processes = |with_ledger: bool| {
        let storage: Arc<dyn SessionStorage> = match with_ledger {
            true => Arc::new(cookies(&world)),
            false => Arc::new(ExternalStorage::new(store.clone(), keys(), world.config())),
        };
        let mut builder = world.client_builder(storage);
        if with_ledger {
            builder = builder.shared_ledger(store.clone(), keys());
        }
        let client = builder.build().unwrap();
        let web = LogtoWeb::new(client.clone(), options(&world), keys());
        let world = world.clone();
        Application { world, client, web }
    };
    for with_ledger in [false, true] {
        let (one, other) = (processes(with_ledger), processes(with_ledger));
        let session = one.sign_in("alice").await;
        let token = one.sign(&one.claims(&session));
        assert_eq!(one.hear(&token).await.status(), 200);
        assert_eq!(other.hear(&token).await.status(), 400, "{with_ledger}");
        assert!(!one.is_alive(&session).await);
    }
}

#[tokio::test(start_paused = true)]
async fn t43_t44_t45_t46_t47_t48_t49_l6_a_bad_token_is_400_and_the_session_stays() {
    let application = Application::new(world(), MemoryStorage::new());
    let session = application.sign_in("alice").await;
    let good = application.claims(&session);
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        application.sign(&claims)
    };
    let typed = |header: Value| application.world.logto.sign_token(header, &good).unwrap();
    let unsigned = {
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"logout+jwt"}"#);
        format!(
            "{header}.{}.",
            BASE64_URL_SAFE_NO_PAD.encode(good.to_string())
        )
    };
    let old = application.world.now().as_secs() - 3600;
    let cases = [
        ("t43 alg none", unsigned),
        ("t44 no event", with("events", json!(null))),
        ("t45 with nonce", with("nonce", json!("n"))),
        (
            "t46 wrong alg",
            typed(json!({"alg": "HS256", "typ": "logout+jwt"})),
        ),
        (
            "t46 another wrong alg",
            typed(json!({"alg": "RS256", "typ": "logout+jwt"})),
        ),
        ("t47 wrong aud", with("aud", json!("another-app"))),
        (
            "t48 wrong event",
            with(
                "events",
                json!({"http://schemas.openid.net/event/foobar": {}}),
            ),
        ),
        (
            "t49 wrong iss",
            with("iss", json!("https://evil.example.com/oidc")),
        ),
        ("no jti", with("jti", json!(null))),
        ("stale", with("iat", json!(old))),
        ("expired", with("exp", json!(old))),
        ("no exp", with("exp", json!(null))),
        (
            "event that is no object",
            with("events", json!({ EVENT: true })),
        ),
        ("events in an array", with("events", json!([EVENT]))),
        ("event in an array", with("events", json!({ EVENT: [] }))),
        ("no events", with("events", json!({}))),
        ("two audiences", with("aud", json!([APP_ID, "another-app"]))),
        ("no audience", with("aud", json!([]))),
        ("sid that is no text", with("sid", json!(5))),
        ("no date", with("iat", json!(null))),
        ("not yet", with("nbf", json!(old + 7200))),
        ("no type", typed(json!({ "typ": null }))),
        ("any type", typed(json!({"typ": "JWT"}))),
        ("no alg", typed(json!({"typ": "logout+jwt", "alg": null}))),
        (
            "critical header",
            typed(json!({"typ": "logout+jwt", "crit": ["x"]})),
        ),
        ("type of an access token", typed(json!({"typ": "at+jwt"}))),
        (
            "unknown key",
            typed(json!({"typ": "logout+jwt", "kid": "unknown"})),
        ),
        ("not a token", "nonsense".to_owned()),
        ("empty", String::new()),
    ];
    for (case, token) in cases {
        assert_eq!(application.hear(&token).await.status(), 400, "{case}");
        assert!(application.is_alive(&session).await, "{case}");
    }
    assert_eq!(
        application.hear(&application.sign(&good)).await.status(),
        200
    );
    assert!(!application.is_alive(&session).await);
}

#[tokio::test(start_paused = true)]
async fn l8_tokens_of_other_kinds_log_nobody_out_and_a_logout_token_opens_nothing() {
    let application = Application::new(world(), MemoryStorage::new());
    let session = application.sign_in("alice").await;
    let shopping = TokenTarget::resource(SHOPPING_API);
    let access_token = session.access_token(&shopping).await.unwrap().token;
    let id_token = session.snapshot().id_token().unwrap().clone();
    for token in [&access_token, &id_token] {
        assert_eq!(application.hear(token.expose()).await.status(), 400);
    }
    assert!(application.is_alive(&session).await);

    let world = &application.world;
    let server = ResourceServer::new(world.config().clone(), world.context()).unwrap();
    let demands = AccessTokenVerification::api(server.issuer(), SHOPPING_API);
    assert!(server.verify(access_token.expose(), &demands).await.is_ok());
    let mut claims = application.claims(&session);
    claims["aud"] = json!(SHOPPING_API);
    claims["client_id"] = json!(APP_ID);
    let refused = server
        .verify(&application.sign(&claims), &demands)
        .await
        .unwrap_err();
    assert_eq!(refused.response().status(), 401);
}

#[tokio::test(start_paused = true)]
async fn l6_only_a_form_with_exactly_one_token_is_read() {
    let application = Application::new(world(), MemoryStorage::new());
    let session = application.sign_in("alice").await;
    let form = format!(
        "logout_token={}",
        application.sign(&application.claims(&session))
    );
    let urlencoded = "application/x-www-form-urlencoded";
    let cases = [
        (Request::get(URI), urlencoded, form.clone()),
        (Request::put(URI), urlencoded, form.clone()),
        (Request::post(URI), "application/json", form.clone()),
        (Request::post(URI), "text/plain", form.clone()),
        (
            Request::post(URI),
            "application/x-www-form-urlencoded-but-not-really",
            form.clone(),
        ),
        (Request::post(URI), urlencoded, format!("{form}&{form}")),
        (Request::post(URI), urlencoded, "state=s".to_owned()),
        (Request::post(URI), urlencoded, String::new()),
        (
            Request::post(URI),
            urlencoded,
            format!("{form}&x={}", "x".repeat(1_000_000)),
        ),
    ];
    for (request, content_type, body) in cases {
        let response = application.receive(request, content_type, body).await;
        assert_eq!(response.status(), 400, "{content_type}");
        assert!(application.is_alive(&session).await);
    }
    let content_type = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    assert_eq!(
        application
            .receive(Request::post(URI), content_type, form)
            .await
            .status(),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn l6_a_token_is_good_once() {
    let application = Application::new(world(), MemoryStorage::new());
    let session = application.sign_in("alice").await;
    let token = application.sign(&application.claims(&session));
    assert_eq!(application.hear(&token).await.status(), 200);
    for seconds in [0, 60, 100, 300] {
        application
            .world
            .clock
            .advance(Duration::from_secs(seconds));
        assert_eq!(application.hear(&token).await.status(), 400, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn l6_a_storage_that_fails_is_503_and_the_token_may_come_again() {
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let application = Application::new(world(), Arc::clone(&storage));
    let session = application.sign_in("alice").await;
    let token = application.sign(&application.claims(&session));
    storage.fail_next(Operation::RemoveAll, StorageFault::Before);
    assert_eq!(application.hear(&token).await.status(), 503);
    assert_eq!(application.hear(&token).await.status(), 200);
    assert_eq!(application.hear(&token).await.status(), 400);
}

#[tokio::test(start_paused = true)]
async fn f5_keys_that_cannot_be_had_are_503_and_a_rotation_is_noticed_at_once() {
    let storage = Arc::new(MemoryStorage::new());
    let application = Application::new(world(), Arc::clone(&storage));
    let session = application.sign_in("alice").await;
    application.world.logto.rotate_keys(KeyType::Rsa).unwrap();
    let token = application.sign(&application.claims(&session));

    // A process that has no keys yet.
    let other = Application::new(application.world.clone(), storage);
    other
        .world
        .logto
        .break_down(Endpoint::Jwks, Fault::status(StatusCode::BAD_GATEWAY));
    assert_eq!(other.hear(&token).await.status(), 503);
    assert!(application.is_alive(&session).await);
    other.world.logto.recover(Endpoint::Jwks);

    // One that has the keys from before the rotation.
    assert_eq!(application.hear(&token).await.status(), 200);
    assert!(!other.is_alive(&session).await);
}

#[tokio::test(start_paused = true)]
async fn f42_a_logout_wins_over_a_refresh_in_flight() {
    let world = world();
    let storages: [Arc<dyn SessionStorage>; 2] =
        [Arc::new(MemoryStorage::new()), Arc::new(cookies(&world))];
    for storage in storages {
        world.network.set_latency(Duration::ZERO);
        let application = Application::new(world.clone(), storage);
        let session = application.sign_in("alice").await;
        let refresh_token = refresh_token_of(session.snapshot());
        let token = application.sign(&{
            let mut claims = application.claims(&session);
            claims["jti"] = json!(refresh_token);
            claims
        });
        world.network.set_latency(Duration::from_millis(1_500));
        let refreshing = session.clone();
        let refresh = tokio::spawn(async move {
            refreshing
                .refresh_access_token(&TokenTarget::resource(SHOPPING_API))
                .await
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(application.hear(&token).await.status(), 200);
        let error = refresh.await.unwrap().unwrap_err();
        assert_eq!(error.code(), "session_ended");
        assert!(
            !application.is_alive(&session).await,
            "it does not come back"
        );
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!application.is_alive(&session).await);
        assert!(
            !world.logto.grant_is_alive(&refresh_token),
            "what the refresh brought is revoked"
        );
    }
}

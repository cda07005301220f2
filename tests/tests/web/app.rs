//! An application as one value: its routes, the session of a request, and what visitors are shown.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use logto_client::{
    Cached, CompletedSignIn, Error,
    core::error::UsageError,
    error::{RequestError, SessionEnd, SignInRefused},
    event::Event,
    web::{
        Failure, LinkParameter, LogtoApp, LogtoAppBuilder, RequestSession, Requirement, Route,
        SignInHook,
    },
};
use logto_testkit::demo::ACME;
use logto_tests::{
    stage::{Deployment, Kind, Stage, short},
    visitor::{Visit, Visitor, location},
};

/// A visitor of an application that is mounted as an adapter mounts it.
pub(crate) struct Mounted {
    pub(crate) stage: Stage,
    app: LogtoApp,
}

impl Mounted {
    pub(crate) async fn new(
        deployment: Deployment,
        set: impl FnOnce(LogtoAppBuilder) -> LogtoAppBuilder,
    ) -> Self {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let app = set(LogtoApp::builder(stage.web(0).clone())).build();
        Self { stage, app }
    }

    pub(crate) fn alice(&self) -> &Visitor {
        &self.stage.alice
    }

    pub(crate) async fn send(&self, visit: &Visit) -> Response<Bytes> {
        self.send_body(visit, Bytes::new()).await
    }

    async fn send_body(&self, visit: &Visit, body: Bytes) -> Response<Bytes> {
        let parts = visit.parts();
        let route = self.app.route(parts.uri.path()).expect("a route");
        let response = self.app.answer(route, parts, &body).await;
        self.alice().receive(response.headers());
        response
    }

    pub(crate) async fn sign_in(&self, path: &str) -> Response<Bytes> {
        let response = self.send(&self.alice().get(path)).await;
        let callback = self.alice().consent(&location(&response), "alice");
        let callback = callback.as_str().strip_prefix("http://localhost:3000");
        self.send(&self.alice().get(callback.unwrap())).await
    }

    /// Answers a request that Logto itself sends.
    pub(crate) async fn deliver(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let route = self.app.route(parts.uri.path()).expect("a route");
        self.app.answer(route, &parts, &body).await
    }

    fn begin(&self, parts: &Parts) -> RequestSession {
        self.app.begin(&parts.method, &parts.uri, &parts.headers)
    }

    /// Runs a handler as an adapter does.
    async fn page(
        &self,
        path: &str,
        handler: impl AsyncFnOnce(RequestSession) -> Result<Response<Bytes>, Error>,
    ) -> Response<Bytes> {
        self.request(self.alice().get(path).parts(), handler).await
    }

    pub(crate) async fn request(
        &self,
        parts: &Parts,
        handler: impl AsyncFnOnce(RequestSession) -> Result<Response<Bytes>, Error>,
    ) -> Response<Bytes> {
        let session = self.begin(parts);
        let response = handler(session.clone()).await.unwrap_or_else(|error| {
            let mut response = Response::new(Bytes::new());
            response.extensions_mut().insert(Failure(error));
            response
        });
        let (mut head, body) = response.into_parts();
        let body = session.finish(&mut head).unwrap_or(body);
        let response = Response::from_parts(head, body);
        self.alice().receive(response.headers());
        response
    }
}

fn plain(builder: LogtoAppBuilder) -> LogtoAppBuilder {
    builder
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

fn ok() -> Result<Response<Bytes>, Error> {
    Ok(Response::new(Bytes::from_static(b"a page")))
}

async fn no_session_asked_for(_: RequestSession) -> Result<Response<Bytes>, Error> {
    ok()
}

/// A request of a script on a page of the application.
fn script(visitor: &Visitor, method: Method, path: &str) -> Parts {
    let mut parts = visitor.visit(method, path).parts().clone();
    let headers = &mut parts.headers;
    headers.insert("sec-fetch-mode", HeaderValue::from_static("cors"));
    headers.insert("sec-fetch-dest", HeaderValue::from_static("empty"));
    parts
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_an_application_sign_a_user_in_and_out() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        let mounted = Mounted::new(deployment, plain).await;
        let response = mounted.sign_in("/sign-in?return_to=/orders%3Fpage=2").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[header::LOCATION], "/orders?page=2");

        let response = mounted.send(&mounted.alice().get("/user")).await;
        let user: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(user["is_authenticated"], true);

        let out = mounted.alice().visit(Method::POST, "/sign-out");
        let response = mounted.send(&out).await;
        assert!(location(&response).path().ends_with("/session/end"));
        let response = mounted.page("/private", async |session| {
            assert!(session.session().await?.is_none());
            ok()
        });
        assert_eq!(response.await.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_takes_its_methods_only_and_says_which() {
    let mounted = Mounted::new(Deployment::Memory, plain).await;
    for (method, path, allowed) in [
        (Method::POST, "/sign-in", "GET"),
        (Method::HEAD, "/sign-up", "GET"),
        (Method::GET, "/sign-out", "POST"),
        (Method::PUT, "/callback", "GET, POST"),
        (Method::GET, "/back-channel-logout", "POST"),
    ] {
        let visit = mounted.alice().visit(method, path);
        let response = mounted.send(&visit).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()[header::ALLOW], allowed);
    }
    assert_eq!(mounted.app.route("/sign-in/"), None);
    assert_eq!(mounted.app.path(Route::Webhook), None);

    let mounted = Mounted::new(Deployment::Cookies, |builder| {
        let builder = builder.path(Route::SignOutLocally, "/sign-out/local");
        builder.webhook("/webhook", "key")
    });
    let mounted = mounted.await;
    mounted.sign_in("/sign-in").await;
    let started = mounted.send(&mounted.alice().get("/sign-in")).await;
    let callback = mounted.alice().consent(&location(&started), "alice");
    let callback = &callback[url::Position::BeforePath..];
    let (cookies, calls) = (mounted.alice().cookies(), mounted.stage.token_calls());
    for (route, path) in mounted.app.paths() {
        let path = match route {
            Route::Callback => callback,
            _ => path,
        };
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response = mounted.send(&mounted.alice().visit(method, path)).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
    assert_eq!(mounted.alice().cookies(), cookies);
    assert_eq!(mounted.stage.token_calls(), calls, "the code is not spent");
}

#[tokio::test(start_paused = true)]
async fn a_link_sets_only_what_the_application_allows() {
    let link =
        "/sign-in?first_screen=register&login_hint=a%40b.c&prompt=login&one_time_token=T&scope=x";
    let asked = async |mounted: &Mounted| {
        let response = mounted.send(&mounted.alice().get(link)).await;
        let url = location(&response);
        let names = url.query_pairs().into_owned();
        let names = names.filter(|(name, value)| {
            ["first_screen", "login_hint", "one_time_token"].contains(&name.as_str())
                || (name == "prompt" && value.contains("login"))
                || value == "x"
        });
        names.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let mounted = Mounted::new(Deployment::Memory, plain).await;
    assert_eq!(asked(&mounted).await, ["first_screen"]);
    let open = Mounted::new(Deployment::Memory, |builder| {
        builder.link_parameters([
            LinkParameter::LoginHint,
            LinkParameter::Prompt,
            LinkParameter::OneTimeToken,
        ])
    });
    let mut names = asked(&open.await).await;
    names.sort();
    assert_eq!(
        names,
        ["first_screen", "login_hint", "one_time_token", "prompt"]
    );
}

#[tokio::test(start_paused = true)]
async fn b14_a_link_signs_out_where_allowed_and_only_as_a_navigation_of_the_application() {
    let mounted = Mounted::new(Deployment::Cookies, LogtoAppBuilder::sign_out_links).await;
    for (pairs, signs_out) in [
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "navigate"),
            ][..],
            true,
        ),
        (
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            true,
        ),
        (
            &[
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-mode", "navigate"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "no-cors"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "none"),
                ("sec-fetch-mode", "navigate"),
                ("sec-purpose", "prefetch"),
            ],
            false,
        ),
        (&[("origin", "http://localhost:3000")], false),
        (&[], false),
    ] {
        let mut parts = mounted.alice().get("/sign-out").parts().clone();
        for name in ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"] {
            parts.headers.remove(name);
        }
        for (name, value) in pairs {
            parts.headers.insert(*name, HeaderValue::from_static(value));
        }
        let before = failures(&mounted);
        let response = mounted
            .app
            .answer(Route::SignOut, &parts, &Bytes::new())
            .await;
        let expected = match signs_out {
            true => StatusCode::SEE_OTHER,
            false => StatusCode::FORBIDDEN,
        };
        assert_eq!(response.status(), expected, "{pairs:?}");
        let told = failures(&mounted) - before;
        assert_eq!(told, usize::from(!signs_out), "once: {pairs:?}");
    }
}

fn failures(mounted: &Mounted) -> usize {
    let events = &mounted.stage.world.events;
    events.count(|event| matches!(event, Event::RequestFailed { .. }))
}

#[tokio::test(start_paused = true)]
async fn b14_a_local_sign_out_has_the_path_that_the_application_names() {
    const PATH: &str = "/sign-out/local";
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        assert!(
            Mounted::new(deployment, plain)
                .await
                .app
                .route(PATH)
                .is_none()
        );
        let set = |routes: LogtoAppBuilder| routes.path(Route::SignOutLocally, PATH);
        let mounted = Mounted::new(deployment, set).await;
        mounted.sign_in("/sign-in").await;
        let is_signed_in = async || mounted.alice().is_signed_in(mounted.stage.web(0)).await;

        let out = mounted.alice().visit(Method::POST, PATH);
        let mut foreign = out.parts().clone();
        let site = HeaderValue::from_static("cross-site");
        foreign.headers.insert("sec-fetch-site", site);
        let route = mounted.app.route(PATH).unwrap();
        let response = mounted.app.answer(route, &foreign, &Bytes::new()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(is_signed_in().await);
        assert_eq!(failures(&mounted), 1);

        let response = mounted.send(&out).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response).as_str(), "http://localhost:3000/");
        assert!(!is_signed_in().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_asks_for_no_session_is_left_alone() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    mounted.sign_in("/sign-in").await;
    let response = mounted.page("/style.css", no_session_asked_for).await;
    assert!(response.headers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_response_is_finished_whatever_the_handler_does() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        let mounted = Mounted::new(deployment, plain).await;
        mounted.sign_in("/sign-in").await;
        let before = mounted.alice().cookies();
        let response = mounted
            .page("/orders", async |session| {
                let session = session.session().await?.expect("signed in");
                session.access_token(&short()).await?;
                Err(Error::Busy)
            })
            .await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(text(&response).contains("href=\"/orders\""), "try again");
        let is_kept_there = before != mounted.alice().cookies();
        assert_eq!(is_kept_there, matches!(deployment, Deployment::Cookies));

        // The token was stored: it is at hand now.
        let calls = mounted.stage.token_calls();
        let response = mounted.page("/orders", async |session| {
            let session = session.read_only().await?.expect("signed in");
            assert!(matches!(session.access_token(&short()), Cached::Valid(_)));
            ok()
        });
        assert_eq!(response.await.status(), StatusCode::OK);
        assert_eq!(mounted.stage.token_calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_take_part_in_a_request_share_one_session() {
    let mounted = Mounted::new(Deployment::Store, plain).await;
    mounted.sign_in("/sign-in").await;
    let response = mounted.page("/", async |request| {
        let first = request.session().await?.expect("signed in");
        first.access_token(&short()).await?;
        let again = request.session().await?.expect("signed in");
        assert_eq!(again.handle(), first.handle());
        let looking = request.read_only().await?.expect("signed in");
        assert!(matches!(looking.access_token(&short()), Cached::Valid(_)));
        assert_eq!(
            request.claims().await?.expect("signed in").sub,
            first.claims().sub
        );
        ok()
    });
    response.await;
}

#[tokio::test(start_paused = true)]
async fn once_the_response_has_begun_a_session_in_cookies_fetches_nothing_that_would_be_lost() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        let mounted = Mounted::new(deployment, plain).await;
        mounted.sign_in("/sign-in").await;
        let visit = mounted.alice().get("/stream");

        // Opened before, used after.
        let request = mounted.begin(visit.parts());
        let session = request.session().await.unwrap().expect("signed in");
        let (mut head, ()) = Response::new(()).into_parts();
        assert!(request.finish(&mut head).is_none());
        let calls = mounted.stage.token_calls();
        let token = session.access_token(&short()).await;
        let in_cookies = matches!(deployment, Deployment::Cookies);
        assert_eq!(
            matches!(token, Err(Error::ResponseBegun)),
            in_cookies,
            "{token:?}"
        );
        assert_eq!(mounted.stage.token_calls() == calls, in_cookies);
        if let Err(error) = token {
            let refusal = request.refusal(&error);
            let shown = text(&refusal);
            let sentence = "A part of this page could not be loaded. Reloading it may help.";
            assert!(shown.contains(sentence), "{shown}");
        }

        // Asked for after.
        let request = mounted.begin(visit.parts());
        request.finish(&mut head);
        let opened = request.session().await;
        assert_eq!(matches!(opened, Err(Error::ResponseBegun)), in_cookies);
        assert!(request.read_only().await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn s6_what_was_refreshed_ahead_is_at_hand_right_after_the_sign_in() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    mounted.sign_in("/sign-in").await;
    let visit = mounted.alice().get("/stream");
    let request = mounted.begin(visit.parts());
    let fetched = request
        .refresh_ahead(&[short()], Duration::from_secs(5))
        .await;
    assert!(fetched.unwrap().iter().all(|(_, token)| token.is_ok()));
    let (mut head, ()) = Response::new(()).into_parts();
    request.finish(&mut head);
    assert!(head.headers.contains_key(header::SET_COOKIE));
    let streaming = request.read_only().await.unwrap().expect("signed in");
    assert!(matches!(streaming.access_token(&short()), Cached::Valid(_)));
}

#[tokio::test(start_paused = true)]
async fn a_page_asks_to_sign_in_and_a_script_gets_401() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    let guarded = async |request: RequestSession| match request.require().await {
        Ok(_) => ok(),
        Err(response) => Ok(*response),
    };
    let response = mounted.page("/orders?page=2", guarded).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let target = &response.headers()[header::LOCATION];
    assert_eq!(target, "/sign-in?return_to=%2Forders%3Fpage%3D2");
    for method in [Method::GET, Method::POST] {
        let parts = script(mounted.alice(), method, "/orders");
        let response = mounted.request(&parts, guarded).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    }
    mounted.sign_in("/sign-in").await;
    assert_eq!(
        mounted.page("/orders", guarded).await.status(),
        StatusCode::OK
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_page_answers_the_whole_request() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    let part = async |request: RequestSession| {
        if request.claims().await?.is_none() {
            request.answer_with(RequestSession::ask_to_sign_in);
            request.answer_with(|request| request.refusal(&RequestError::Forbidden.into()));
            return Err(UsageError::NotSignedIn.into());
        }
        ok()
    };
    let response = mounted.page("/orders", part).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let target = &response.headers()[header::LOCATION];
    assert_eq!(target, "/sign-in?return_to=%2Forders");
    assert_eq!(text(&response), "");
    let parts = script(mounted.alice(), Method::GET, "/orders");
    let response = mounted.request(&parts, part).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(text(&response).contains(r#""error":"not_authenticated""#));

    mounted.sign_in("/sign-in").await;
    assert_eq!(text(&mounted.page("/orders", part).await), "a page");
}

#[tokio::test(start_paused = true)]
async fn a_guard_admits_members_and_refuses_others_without_signing_them_out() {
    for deployment in [Deployment::Cookies, Deployment::Memory] {
        let mounted = Mounted::new(deployment, plain).await;
        mounted.sign_in("/sign-in").await;
        for (requirement, status) in [
            (Requirement::user(), StatusCode::OK),
            (Requirement::user().organization(ACME), StatusCode::OK),
            (
                Requirement::user().organization("nowhere"),
                StatusCode::FORBIDDEN,
            ),
            (Requirement::user().role("emperor"), StatusCode::FORBIDDEN),
            (
                Requirement::user().organization_role(ACME, "emperor"),
                StatusCode::FORBIDDEN,
            ),
            (
                Requirement::user().organization(ACME).role("emperor"),
                StatusCode::FORBIDDEN,
            ),
        ] {
            let response = mounted.page("/staff", async |request| {
                match request.require_as(&requirement).await {
                    Ok(_) => ok(),
                    Err(response) => Ok(*response),
                }
            });
            assert_eq!(response.await.status(), status, "{requirement:?}");
        }
        assert!(mounted.alice().is_signed_in(mounted.stage.web(0)).await);
    }
}

/// Whether each way to ask for the session refuses the request as another site's.
async fn is_refused(request: &RequestSession) -> bool {
    let mut refusals = Vec::new();
    let answers = [
        request.session().await.map(drop),
        request.read_only().await.map(drop),
        request.claims().await.map(drop),
        request
            .refresh_ahead(&[short()], Duration::from_secs(5))
            .await
            .map(drop),
    ];
    for answer in answers {
        refusals.push(match answer {
            Ok(()) => false,
            Err(Error::Request(RequestError::CrossSite)) => true,
            Err(error) => panic!("{error}"),
        });
    }
    let required = request.require().await;
    refusals.push(required.is_err_and(|response| response.status() == StatusCode::FORBIDDEN));
    assert!(
        refusals.iter().all(|refused| *refused == refusals[0]),
        "{refusals:?}"
    );
    refusals[0]
}

#[tokio::test(start_paused = true)]
async fn b14_a_form_of_another_site_cannot_act_for_the_user() {
    for deployment in [Deployment::Cookies, Deployment::Memory] {
        let mounted = Mounted::new(deployment, plain).await;
        let open = Mounted::new(deployment, LogtoAppBuilder::cross_site_forms).await;
        for (mounted, protects) in [(&mounted, true), (&open, false)] {
            mounted.sign_in("/sign-in").await;
            for (method, upgrade, site, from_elsewhere) in [
                (Method::POST, None, "same-origin", false),
                (Method::POST, None, "none", false),
                (Method::POST, None, "same-site", true),
                (Method::POST, None, "cross-site", true),
                (Method::DELETE, None, "cross-site", true),
                (Method::GET, Some("websocket"), "same-origin", false),
                (Method::GET, Some("websocket"), "same-site", true),
                // A link leads here.
                (Method::GET, None, "cross-site", false),
            ] {
                let mut parts = mounted.alice().visit(method, "/profile").parts().clone();
                let headers = &mut parts.headers;
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
                if let Some(upgrade) = upgrade {
                    headers.insert(header::UPGRADE, HeaderValue::from_static(upgrade));
                }
                let request = mounted.begin(&parts);
                let expected = from_elsewhere && protects;
                assert_eq!(is_refused(&request).await, expected, "{site}");
                let (mut response, ()) = Response::new(()).into_parts();
                request.finish(&mut response);
                assert_eq!(is_refused(&request).await, expected, "{site}, late");

                // A request without a session is nobody's, from wherever it comes.
                parts.headers.remove(header::COOKIE);
                let request = mounted.begin(&parts);
                assert!(matches!(request.session().await, Ok(None)), "{site}");
                assert!(matches!(request.claims().await, Ok(None)), "{site}");
            }
            // What is no browser says nothing.
            let mut parts = mounted
                .alice()
                .visit(Method::POST, "/profile")
                .parts()
                .clone();
            parts.headers.remove("sec-fetch-site");
            parts.headers.remove(header::ORIGIN);
            assert!(!is_refused(&mounted.begin(&parts)).await);
            assert!(mounted.alice().is_signed_in(mounted.stage.web(0)).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b14_another_site_does_not_keep_a_session_in_use() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    mounted.sign_in("/sign-in").await;
    let two_days = Duration::from_secs(2 * 24 * 60 * 60);
    mounted.stage.world.clock.advance(two_days);
    for (site, is_marked) in [("cross-site", false), ("same-origin", true)] {
        let mut parts = mounted
            .alice()
            .visit(Method::POST, "/profile")
            .parts()
            .clone();
        let site = HeaderValue::from_static(site);
        parts.headers.insert("sec-fetch-site", site);
        let request = mounted.begin(&parts);
        assert_eq!(request.claims().await.is_ok(), is_marked);
        let (mut response, ()) = Response::new(()).into_parts();
        request.finish(&mut response);
        assert_eq!(response.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers.contains_key(header::SET_COOKIE), is_marked);
    }
}

struct Doorman {
    refuses: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl SignInHook for Doorman {
    async fn on_sign_in(&self, completed: &mut CompletedSignIn) -> Result<(), Error> {
        // A token that the hook fetches is not lost.
        completed.session.access_token(&short()).await.unwrap();
        self.seen
            .lock()
            .unwrap()
            .push(completed.session.claims().sub.clone());
        completed.return_to = "/welcome".to_owned();
        match self.refuses {
            true => Err(SignInRefused::new("No seat is left <in> your plan.").into()),
            false => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_takes_part_in_the_sign_in_and_may_refuse_the_user() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        for refuses in [false, true] {
            let seen = Arc::default();
            let doorman = Doorman {
                refuses,
                seen: Arc::clone(&seen),
            };
            let mounted = Mounted::new(deployment, |builder| builder.on_sign_in(doorman)).await;
            let response = mounted.sign_in("/sign-in").await;
            assert_eq!(seen.lock().unwrap().len(), 1);
            let is_in = mounted.alice().is_signed_in(mounted.stage.web(0)).await;
            assert_eq!(is_in, !refuses, "{deployment:?}");
            let events = mounted.stage.world.events.all();
            let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
            let signed_in = count(|event| matches!(event, Event::SignedIn { .. }));
            let refused = count(|event| matches!(event, Event::SignInRefused { .. }));
            assert_eq!(
                (signed_in, refused),
                (usize::from(!refuses), usize::from(refuses))
            );
            if refuses {
                assert_eq!(response.status(), StatusCode::FORBIDDEN);
                assert!(text(&response).contains("No seat is left &lt;in&gt; your plan."));
                assert_eq!(count(|event| matches!(event, Event::SignedOut { .. })), 0);
            } else {
                assert_eq!(response.headers()[header::LOCATION], "/welcome");
                let calls = mounted.stage.token_calls();
                let token = mounted.alice().token(mounted.stage.web(0), &short()).await;
                token.unwrap();
                assert_eq!(
                    mounted.stage.token_calls(),
                    calls,
                    "the hook's token was kept"
                );
                let out = mounted.alice().visit(Method::POST, "/sign-out");
                mounted.send(&out).await;
                let events = mounted.stage.world.events.all();
                let is_out = |event: &&Event| matches!(event, Event::SignedOut { .. });
                assert_eq!(events.iter().filter(is_out).count(), 1);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_shows_errors_in_its_own_look() {
    let mounted = Mounted::new(Deployment::Memory, |builder| {
        builder.error_page(|context: &logto_client::web::ErrorContext<'_>| {
            let page = format!("<h1>Ours</h1><a href=\"{}\">on</a>", context.next);
            context.wants_page.then(|| Response::new(page.into()))
        })
    });
    let mounted = mounted.await;
    let failing = async |_: RequestSession| Err(Error::SessionEnded(SessionEnd::Removed));
    let response = mounted.page("/orders", failing).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let page = "<h1>Ours</h1><a href=\"/sign-in?return_to=%2Forders\">on</a>";
    assert_eq!(text(&response), page);
    let parts = script(mounted.alice(), Method::GET, "/orders");
    let response = mounted.request(&parts, failing).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    // A callback without a sign-in has nowhere to come back to.
    let response = mounted
        .send(&mounted.alice().get("/callback?code=c&state=s"))
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(&response).contains("href=\"/sign-in\""));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_sign_in_is_a_page_with_a_way_on() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    let response = mounted
        .send(&mounted.alice().get("/sign-in?return_to=/orders"))
        .await;
    let logto = &mounted.stage.world.logto;
    let callback = logto.deny(&location(&response), "access_denied").unwrap();
    let callback = callback
        .as_str()
        .strip_prefix("http://localhost:3000")
        .unwrap();
    let response = mounted.send(&mounted.alice().get(callback)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = text(&response);
    assert!(page.contains("<h1>Access is denied.</h1>"), "{page}");
    assert!(
        response
            .headers()
            .contains_key(header::CONTENT_SECURITY_POLICY)
    );
    let reloaded = mounted.send(&mounted.alice().get(callback)).await;
    assert_eq!(text(&reloaded), page);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_end_of_a_session_hears_of_it() {
    for deployment in [Deployment::Cookies, Deployment::Memory, Deployment::Store] {
        let mounted = Mounted::new(deployment, plain).await;
        mounted.sign_in("/sign-in").await;
        let request = mounted.begin(mounted.alice().get("/socket").parts());
        let session = request.session().await.unwrap().expect("signed in");
        let client = mounted.app.client().clone();
        let waiting = tokio::spawn(async move { client.until_ended(&session).await });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished());
        let out = mounted.alice().visit(Method::POST, "/sign-out");
        mounted.send(&out).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(waiting.is_finished(), "{deployment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cookies_in_several_headers_are_one_session() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    mounted.sign_in("/sign-in").await;
    let mut headers = HeaderMap::new();
    for (name, value) in mounted.alice().cookies() {
        let cookie = HeaderValue::from_str(&format!("{name}={value}")).unwrap();
        headers.append(header::COOKIE, cookie);
    }
    headers.append(header::COOKIE, HeaderValue::from_static("theme=dark"));
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = headers;
    assert!(mounted.begin(&parts).claims().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_visit_of_127_0_0_1_is_led_to_the_base_url_before_it_signs_in() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    for (host, leads_to) in [
        (
            "127.0.0.1:3000",
            Some("http://localhost:3000/sign-in?return_to=/orders"),
        ),
        (
            "[::1]:3000",
            Some("http://localhost:3000/sign-in?return_to=/orders"),
        ),
        ("localhost:3000", None),
        // A proxy on this machine, which names what it asks itself.
        ("127.0.0.1:8080", None),
        ("127.0.0.1", None),
        // Anybody can send any host; only this machine's names count.
        ("evil.example", None),
        ("127.0.0.1.evil.example", None),
        ("not a host", None),
    ] {
        let mut parts = mounted
            .alice()
            .get("/sign-in?return_to=/orders")
            .parts()
            .clone();
        parts
            .headers
            .insert(header::HOST, HeaderValue::from_static(host));
        let response = mounted
            .app
            .answer(Route::SignIn, &parts, &Bytes::new())
            .await;
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        match leads_to {
            Some(url) => assert_eq!(location, url, "{host}"),
            None => assert!(
                location.starts_with(mounted.stage.world.logto.endpoint()),
                "{host}"
            ),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_developer_is_told_what_to_change_and_a_visitor_is_not() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    for (host, is_told) in [("localhost:3000", true), ("shop.example.com", false)] {
        let mut parts = mounted
            .alice()
            .get("/callback?code=c&state=s")
            .parts()
            .clone();
        parts
            .headers
            .insert(header::HOST, HeaderValue::from_static(host));
        let response = mounted
            .app
            .answer(Route::Callback, &parts, &Bytes::new())
            .await;
        let says = text(&response).contains("For the developer:");
        assert_eq!(says, is_told, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_form_is_shown_a_page_too() {
    let mounted = Mounted::new(Deployment::Cookies, plain).await;
    // Logto's page sends the callback as a form, with `response_mode=form_post`.
    let mut parts = mounted
        .alice()
        .visit(Method::POST, "/callback")
        .parts()
        .clone();
    let site = HeaderValue::from_static("cross-site");
    parts.headers.insert("sec-fetch-site", site);
    let body = Bytes::from_static(b"code=c&state=s");
    let response = mounted.app.answer(Route::Callback, &parts, &body).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(&response).contains("<a href=\"/sign-in\">Sign in</a>"));
    // A form of the application whose sender has been signed out meanwhile.
    let own = mounted.alice().visit(Method::POST, "/profile");
    let response = mounted.begin(own.parts()).require().await.unwrap_err();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(text(&response).contains("<a href=\"/sign-in\">Sign in</a>"));
}

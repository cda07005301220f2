//! Sign-ins that meet trouble on the way back, over the routes: what the user sees.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use logto_client::{
    SignIn,
    core::vocabulary::Prompt,
    event::Event,
    web::{CallbackOutcome, LogtoWeb},
};
use logto_storage::{
    MemoryStorage,
    faulty::{Fault, FaultyStorage, Operation},
};
use logto_tests::{
    stage::{Deployment, Kind, Stage, codec, key_ring, short, well},
    visitor::{Visitor, location},
    world::{BASE_URL, Mishap, World},
};
use serde_json::Value;
use url::Url;

const DISCOVERY: &str = "/openid-configuration";
const KEYS: &str = "/jwks";
const TOKEN: &str = "/token";
const JSON: &str = "application/json";

fn orders() -> SignIn {
    SignIn::new().return_to("/orders")
}

fn arrived(response: &Response<Bytes>) -> &str {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
    response.headers()[header::LOCATION].to_str().unwrap()
}

fn error_code(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).expect("an error is JSON");
    body["error"].as_str().expect("it has a code").to_owned()
}

fn is_at_logto(stage: &Stage, response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::SEE_OTHER
        && location(response)
            .as_str()
            .starts_with(stage.world.logto.endpoint())
}

async fn on_the_way_back(stage: &Stage, sign_in: &SignIn) -> Url {
    let url = stage.alice.start_sign_in_with(stage.web(0), sign_in).await;
    stage.alice.consent(&url, "alice")
}

/// What fails, how, and whether the user is sent to Logto once more for it.
fn trouble() -> Vec<(&'static str, Mishap, bool)> {
    vec![
        (TOKEN, Mishap::Busy(503, None), true),
        (TOKEN, Mishap::Garbled(503, "text/html", "oops"), true),
        (TOKEN, Mishap::Answered(502, "text/html", "oops"), true),
        (TOKEN, Mishap::RequestLost, true),
        (TOKEN, Mishap::AnswerLost, true),
        (TOKEN, Mishap::Refused, false),
        (TOKEN, Mishap::Busy(429, None), false),
        (DISCOVERY, Mishap::Refused, false),
        (DISCOVERY, Mishap::Busy(503, None), false),
        (KEYS, Mishap::Busy(503, None), false),
    ]
}

/// What else may be answered instead.
fn more_trouble() -> Vec<(&'static str, Mishap, bool)> {
    let mut trouble = Vec::new();
    // The code may be spent, whatever a proxy answers instead of Logto.
    for status in [408, 425, 500, 504] {
        trouble.push((TOKEN, Mishap::Garbled(status, "text/plain", ""), true));
    }
    for (content_type, body) in [
        ("text/html", "<h1>Log in</h1>"),
        (JSON, r#"{"access_token":"#),
        (JSON, "[]"),
        (JSON, r#"{"access_token":"a"}"#),
    ] {
        trouble.push((TOKEN, Mishap::Garbled(200, content_type, body), true));
    }
    let elsewhere = "https://elsewhere.example/";
    trouble.push((TOKEN, Mishap::Redirected(302, elsewhere), true));
    for error in [
        r#"{"error":"server_error"}"#,
        r#"{"error":"temporarily_unavailable"}"#,
    ] {
        trouble.push((TOKEN, Mishap::Garbled(400, JSON, error), true));
    }
    // The code is not spent, whatever there is instead of metadata and keys for a moment.
    for path in [DISCOVERY, KEYS] {
        trouble.push((path, Mishap::RequestLost, false));
        trouble.push((path, Mishap::Busy(429, Some("1")), false));
        trouble.push((path, Mishap::Redirected(302, elsewhere), false));
        for (status, content_type, body) in [
            (404, "text/plain", "default backend - 404"),
            (403, "text/html", "<h1>Forbidden</h1>"),
            (401, JSON, r#"{"error":"invalid_request"}"#),
            (200, "text/html", "<h1>Log in</h1>"),
            (200, JSON, "{"),
            (200, JSON, "{}"),
        ] {
            let answered = Mishap::Answered(status, content_type, body);
            trouble.push((path, answered, false));
        }
    }
    trouble
}

/// Whether something else is at the address of the metadata, which an operator has to look at if it stays.
fn is_no_metadata(path: &str, mishap: &Mishap) -> bool {
    path == DISCOVERY
        && match mishap {
            Mishap::Redirected(..) | Mishap::Answered(404, ..) => true,
            Mishap::Answered(200, content_type, body) => *content_type != JSON || *body == "{}",
            _ => false,
        }
}

#[tokio::test(start_paused = true)]
async fn f8_a_sign_in_survives_every_single_failure_on_the_way_back() {
    for deployment in Deployment::ALL {
        let more = match deployment {
            Deployment::CookiesApart => more_trouble(),
            _ => Vec::new(),
        };
        for (path, mishap, goes_again) in trouble().into_iter().chain(more) {
            let why = format!("{deployment:?} {path} {mishap:?}");
            let stage = Stage::empty(Kind::Young, deployment).await;
            let callback = on_the_way_back(&stage, &orders()).await;
            stage.world.network.next(path, mishap);
            // Another process, where there is one, which has never reached Logto.
            let mut response = stage.alice.come_back(stage.web(1), &callback).await;
            assert_eq!(is_at_logto(&stage, &response), goes_again, "{why}");
            if goes_again {
                assert!(!stage.alice.is_signed_in(stage.web(1)).await, "{why}");
                let callback = stage.alice.consent(&location(&response), "alice");
                response = stage.alice.come_back(stage.web(0), &callback).await;
            }
            assert_eq!(arrived(&response), "/orders", "{why}");
            stage.world.logto.reset_counts();
            let token = stage.alice.token(stage.web(1), &short()).await;
            assert_eq!(
                stage.outcome(usize::from(token.is_err())).await,
                well(1),
                "{why}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f8_trouble_that_spends_no_code_leaves_the_callback_good_for_a_reload() {
    let all = trouble().into_iter().chain(more_trouble());
    for (path, mishap, _) in all.filter(|(.., goes_again)| !goes_again) {
        let stage = Stage::empty(Kind::Young, Deployment::CookiesApart).await;
        let callback = on_the_way_back(&stage, &orders()).await;
        for _ in 0..100 {
            stage.world.network.next(path, mishap.clone());
        }
        let response = stage.alice.come_back(stage.web(1), &callback).await;
        let status = match is_no_metadata(path, &mishap) {
            true => StatusCode::INTERNAL_SERVER_ERROR,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        assert_eq!(response.status(), status, "{path} {mishap:?}");
        stage.world.network.mend();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let response = stage.alice.come_back(stage.web(1), &callback).await;
        assert_eq!(arrived(&response), "/orders", "{path} {mishap:?}");
        assert_eq!(stage.token_calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn f8_a_sign_in_starts_again_by_itself_once() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let (alice, web) = (&stage.alice, stage.web(0));
    let callback = on_the_way_back(&stage, &orders()).await;
    stage.world.network.next(TOKEN, Mishap::AnswerLost);
    let again = alice.come_back(web, &callback).await;
    let second = alice.consent(&location(&again), "alice");
    stage.world.network.next(TOKEN, Mishap::Busy(503, None));
    let response = alice.come_back(web, &second).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error_code(&response), "temporarily_unavailable");
    let response = alice.come_back(web, &second).await;
    assert_eq!(error_code(&response), "sign_in_session_not_found");
    assert_eq!(stage.token_calls(), 1, "neither code comes a second time");
    let restarts = |event: &Event| matches!(event, Event::SignInStartedAgain { .. });
    assert_eq!(stage.world.events.count(restarts), 1);

    let url = alice.start_sign_in_with(web, &orders()).await;
    let third = alice.consent(&url, "alice");
    assert_eq!(arrived(&alice.come_back(web, &third).await), "/orders");
}

#[tokio::test(start_paused = true)]
async fn f8_the_new_sign_in_asks_for_the_same_and_repeats_nothing_that_is_good_once() {
    let asked = [
        orders()
            .prompt([Prompt::Login, Prompt::Consent])
            .max_age(Duration::from_secs(300))
            .app_state(&7)
            .unwrap(),
        orders()
            .one_time_token("once")
            .login_hint("alice@example.com"),
        SignIn::silent().return_to("/orders"),
    ];
    for sign_in in asked {
        let stage = Stage::empty(Kind::Young, Deployment::CookiesApart).await;
        let alice = &stage.alice;
        // A silent sign-in needs a session at Logto.
        alice.sign_in(stage.web(0), "alice").await;
        let url = alice.start_sign_in_with(stage.web(0), &sign_in).await;
        let code = [("code", "some-code"), ("iss", stage.world.logto.issuer())];
        let mut callback = Url::parse(&format!("{BASE_URL}/callback")).unwrap();
        let parameter = |url: &Url, name: &str| {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.into_owned())
        };
        callback
            .query_pairs_mut()
            .extend_pairs(code)
            .append_pair("state", &parameter(&url, "state").unwrap());
        stage.world.network.next(TOKEN, Mishap::AnswerLost);
        let again = location(&alice.come_back(stage.web(1), &callback).await);
        assert!(again.as_str().starts_with(stage.world.logto.endpoint()));
        for name in ["prompt", "max_age", "login_hint", "scope", "redirect_uri"] {
            assert_eq!(parameter(&again, name), parameter(&url, name), "{name}");
        }
        for name in ["state", "nonce", "code_challenge"] {
            assert_ne!(parameter(&again, name), parameter(&url, name), "{name}");
        }
        assert_eq!(parameter(&again, "one_time_token"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn f8_the_same_callback_at_two_processes_ends_signed_in() {
    for deployment in [
        Deployment::CookiesApart,
        Deployment::CookiesTogether,
        Deployment::Store,
    ] {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let callback = on_the_way_back(&stage, &orders()).await;
        let (alice, impatient) = (&stage.alice, stage.alice.copied());
        let first = impatient.come_back(stage.web(0), &callback).await;
        assert_eq!(arrived(&first), "/orders", "and the browser never sees it");
        let second = alice.come_back(stage.web(1), &callback).await;
        assert!(is_at_logto(&stage, &second), "{deployment:?}");
        let callback = alice.consent(&location(&second), "alice");
        let response = alice.come_back(stage.web(1), &callback).await;
        assert_eq!(arrived(&response), "/orders");
        stage.world.logto.reset_counts();
        let token = alice.token(stage.web(0), &short()).await;
        assert_eq!(stage.outcome(usize::from(token.is_err())).await, well(1));
    }
}

#[tokio::test(start_paused = true)]
async fn f8_a_reload_after_the_response_was_lost_starts_again() {
    let stage = Stage::empty(Kind::Young, Deployment::Memory).await;
    let callback = on_the_way_back(&stage, &orders()).await;
    let lost = stage.alice.copied();
    assert_eq!(
        arrived(&lost.come_back(stage.web(0), &callback).await),
        "/orders"
    );
    let response = stage.alice.come_back(stage.web(0), &callback).await;
    assert!(is_at_logto(&stage, &response));
    assert_eq!(stage.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f8_a_storage_that_fails_costs_a_reload() {
    let world = World::new();
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let web = LogtoWeb::new(world.client(Arc::clone(&storage)), codec(), key_ring());
    let alice = Visitor::new(&world.logto);
    let url = alice.start_sign_in_with(&web, &orders()).await;
    let callback = alice.consent(&url, "alice");
    storage.fail_next(Operation::Create, Fault::Before);
    let response = alice.come_back(&web, &callback).await;
    assert_eq!(error_code(&response), "storage_unavailable");
    let again = alice.come_back(&web, &callback).await;
    let callback = alice.consent(&location(&again), "alice");
    assert_eq!(arrived(&alice.come_back(&web, &callback).await), "/orders");
}

#[tokio::test(start_paused = true)]
async fn c8_a_callback_that_is_opened_again_leads_a_signed_in_user_on() {
    for deployment in Deployment::ALL {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let alice = &stage.alice;
        let callback = on_the_way_back(&stage, &orders()).await;
        alice.come_back(stage.web(0), &callback).await;
        let before = alice.cookies();
        for process in [0, 1] {
            let path = callback.as_str().strip_prefix(BASE_URL).unwrap();
            let visit = alice.get(path);
            let web = stage.web(process);
            let answer = web.callback(visit.parts(), &Bytes::new()).await;
            assert!(
                matches!(&answer.outcome, Ok(CallbackOutcome::AlreadySignedIn { return_to }) if return_to == "/orders"),
                "{deployment:?} {answer:?}"
            );
            let response = alice.come_back(web, &callback).await;
            assert_eq!(arrived(&response), "/orders");
        }
        assert_eq!(alice.cookies(), before);
        assert_eq!(stage.token_calls(), 1);
        // Signed out, it is nobody's.
        alice.sign_out(stage.web(0)).await;
        let response = alice.come_back(stage.web(0), &callback).await;
        assert_eq!(error_code(&response), "sign_in_session_not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_cancelled_sign_in_knows_where_the_user_wanted_to_go_and_ends_no_session() {
    for signed_in in [false, true] {
        let stage = Stage::empty(Kind::Young, Deployment::CookiesApart).await;
        let alice = &stage.alice;
        if signed_in {
            alice.sign_in(stage.web(0), "alice").await;
        }
        let url = alice.start_sign_in_with(stage.web(0), &orders()).await;
        let denied = stage.world.logto.deny(&url, "access_denied").unwrap();
        stage.world.logto.reset_counts();
        for process in [0, 0, 1] {
            let path = denied.as_str().strip_prefix(BASE_URL).unwrap();
            let visit = alice.get(path);
            let web = stage.web(process);
            let answer = web.callback(visit.parts(), &Bytes::new()).await;
            alice.receive(&answer.headers);
            assert!(
                matches!(&answer.outcome, Ok(CallbackOutcome::Cancelled { return_to, .. }) if return_to == "/orders"),
                "{answer:?}"
            );
            let response = answer.into_response();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(error_code(&response), "access_denied");
            assert_eq!(alice.is_signed_in(web).await, signed_in);
        }
        assert_eq!(stage.token_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_refused_callback_is_over_for_good() {
    let stage = Stage::empty(Kind::Young, Deployment::CookiesApart).await;
    let alice = &stage.alice;
    let callback = on_the_way_back(&stage, &orders()).await;
    let mut mixed_up = callback.clone();
    mixed_up.query_pairs_mut().clear().extend_pairs(
        callback
            .query_pairs()
            .filter(|(name, _)| name != "iss")
            .chain([("iss".into(), "https://evil.example/oidc".into())]),
    );
    let response = alice.come_back(stage.web(0), &mixed_up).await;
    assert_eq!(error_code(&response), "issuer_mismatched");
    for process in [0, 1] {
        let response = alice.come_back(stage.web(process), &callback).await;
        assert_eq!(error_code(&response), "sign_in_session_not_found");
    }
    assert_eq!(stage.token_calls(), 0);
}

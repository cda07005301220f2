//! A sign-in that meets trouble between the callback and the session, through the client alone.

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use logto_client::{
    IncompleteSignIn, LogtoClient, NextStep, SignIn,
    core::sign_in::{Callback, PendingSignIn},
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, KeyType};
use logto_tests::world::{Mishap, PassingTime, World, callback_of};
use tokio::time::{Instant, sleep};
use url::Url;

const DISCOVERY: &str = "/openid-configuration";
const KEYS: &str = "/jwks";
const TOKEN: &str = "/token";
const JSON: &str = "application/json";

/// What an application does that keeps the pending sign-in as long as the client gives it back.
struct Case {
    world: World,
    client: LogtoClient,
    callback: Url,
    pending: Option<PendingSignIn>,
    _time: PassingTime,
}

impl Case {
    async fn new() -> Self {
        let world = World::new();
        let time = world.let_time_pass();
        // A process that has never reached Logto answers the callback.
        let first = world.client(MemoryStorage::new());
        let (url, pending) = first.sign_in(&SignIn::new()).await.unwrap();
        let callback = world.logto.sign_in(&url, "alice").unwrap();
        Self {
            client: world.client(MemoryStorage::new()),
            world,
            callback,
            pending: Some(pending),
            _time: time,
        }
    }

    fn callback(&self) -> Callback {
        callback_of(&self.callback)
    }

    async fn load(&mut self) -> Result<(), IncompleteSignIn> {
        let pending = self.pending.take();
        let completed = self
            .client
            .complete_sign_in(pending, self.callback(), None)
            .await;
        completed.map(|_| ()).map_err(|mut incomplete| {
            if let NextStep::SameCallback(pending) = incomplete.next {
                self.pending = Some(*pending);
                incomplete.next = NextStep::None;
            }
            incomplete
        })
    }
}

fn spends_nothing() -> [(&'static str, Mishap); 6] {
    [
        (TOKEN, Mishap::Refused),
        (TOKEN, Mishap::Busy(429, None)),
        (DISCOVERY, Mishap::Refused),
        (DISCOVERY, Mishap::Busy(503, None)),
        (KEYS, Mishap::RequestLost),
        (KEYS, Mishap::Busy(429, Some("1"))),
    ]
}

#[tokio::test(start_paused = true)]
async fn f8_short_trouble_before_the_code_is_spent_is_sat_out() {
    for (path, mishap) in spends_nothing() {
        for times in 1..=2 {
            let mut case = Case::new().await;
            for _ in 0..times {
                case.world.network.next(path, mishap.clone());
            }
            let began = Instant::now();
            case.load().await.unwrap();
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{path} {mishap:?}"
            );
            assert_eq!(case.world.token_calls(), 1, "{path} {mishap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f8_after_long_trouble_before_the_code_is_spent_a_reload_completes_the_sign_in() {
    for (path, mishap) in spends_nothing() {
        let mut case = Case::new().await;
        for _ in 0..100 {
            case.world.network.next(path, mishap.clone());
        }
        for _ in 0..2 {
            let began = Instant::now();
            let error = case.load().await.unwrap_err().error;
            assert!(error.advice().is_retry(), "{error}");
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{path} {mishap:?}"
            );
            assert!(case.pending.is_some(), "{path} {mishap:?}");
        }
        case.world.network.mend();
        sleep(Duration::from_secs(10)).await;
        case.load().await.unwrap();
        assert_eq!(case.world.token_calls(), 1, "{path} {mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f8_whoever_asks_for_a_long_pause_is_not_asked_again_at_once() {
    for (path, mishap) in [
        (TOKEN, Mishap::Busy(429, Some("7"))),
        (DISCOVERY, Mishap::Busy(503, Some("7"))),
    ] {
        let mut case = Case::new().await;
        case.world.network.next(path, mishap);
        let began = Instant::now();
        let error = case.load().await.unwrap_err().error;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{path}");
        assert!(began.elapsed() < Duration::from_secs(1), "{path}");
        sleep(Duration::from_secs(8)).await;
        case.load().await.unwrap();
    }
}

/// The process has the keys from before the rotation.
async fn with_old_keys() -> (Case, PendingSignIn) {
    let mut case = Case::new().await;
    case.load().await.unwrap();
    case.world.logto.rotate_keys(KeyType::Rsa).unwrap();
    case.world.logto.reset_counts();
    let (url, pending) = case.client.sign_in(&SignIn::new()).await.unwrap();
    case.callback = case.world.logto.sign_in(&url, "alice").unwrap();
    (case, pending)
}

#[tokio::test(start_paused = true)]
async fn f5_a_key_set_that_fails_after_the_redemption_costs_a_few_seconds_and_no_sign_in() {
    for mishap in [
        Mishap::Refused,
        Mishap::RequestLost,
        Mishap::Busy(503, None),
        Mishap::Answered(200, "text/html", "<h1>Log in</h1>"),
        Mishap::Answered(200, JSON, "{}"),
        Mishap::Answered(404, JSON, r#"{"error":"invalid_request"}"#),
        Mishap::Redirected(302, "https://elsewhere.example/"),
        // A cache in front of Logto is behind.
        Mishap::Answered(200, JSON, r#"{"keys":[]}"#),
    ] {
        let (mut case, pending) = with_old_keys().await;
        case.pending = Some(pending);
        for _ in 0..4 {
            case.world.network.next(KEYS, mishap.clone());
        }
        case.load().await.unwrap();
        assert_eq!(case.world.token_calls(), 1, "{mishap:?}");
        assert_eq!(case.world.logto.count(Endpoint::Jwks), 1, "{mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f5_without_any_keys_after_the_redemption_the_sign_in_starts_again() {
    let (mut case, pending) = with_old_keys().await;
    case.pending = Some(pending);
    for _ in 0..100 {
        case.world.network.next(KEYS, Mishap::Refused);
    }
    let began = Instant::now();
    let incomplete = case.load().await.unwrap_err();
    assert!(incomplete.error.advice().is_retry(), "{incomplete}");
    assert!(matches!(incomplete.next, NextStep::StartAgain(_)));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(case.world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f5_a_key_that_never_comes_starts_the_sign_in_again_after_as_many_fetches_as_an_outage() {
    let (mut case, pending) = with_old_keys().await;
    case.pending = Some(pending);
    for _ in 0..100 {
        let none = Mishap::Answered(200, JSON, r#"{"keys":[]}"#);
        case.world.network.next(KEYS, none);
    }
    let began = Instant::now();
    let incomplete = case.load().await.unwrap_err();
    assert_eq!(incomplete.error.code(), "invalid_token");
    assert!(matches!(incomplete.next, NextStep::StartAgain(_)));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(case.world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f38_a_reload_joins_the_sign_in_that_waits_for_keys() {
    let (case, pending) = with_old_keys().await;
    for _ in 0..100 {
        case.world.network.next(KEYS, Mishap::Refused);
    }
    {
        let completing = case
            .client
            .complete_sign_in(Some(pending.clone()), case.callback(), None);
        let mut completing = pin!(completing);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..20 {
            assert!(completing.as_mut().poll(&mut context).is_pending());
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(case.world.token_calls(), 1, "redeemed, and then given up");
    }
    case.world.network.mend();
    let completed = case
        .client
        .complete_sign_in(Some(pending), case.callback(), None)
        .await
        .unwrap();
    assert_eq!(completed.session.claims().sub, "user-alice");
    assert_eq!(case.world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f8_the_new_sign_in_of_an_interrupted_one_completes_and_there_is_no_third() {
    let mut case = Case::new().await;
    case.world.network.next(TOKEN, Mishap::AnswerLost);
    let NextStep::StartAgain(again) = case.load().await.unwrap_err().next else {
        panic!("the code is spent");
    };
    for mishap in [Some(Mishap::AnswerLost), None] {
        let (url, pending) = case.client.sign_in(&again).await.unwrap();
        case.callback = case.world.logto.sign_in(&url, "alice").unwrap();
        case.pending = Some(pending);
        if let Some(mishap) = mishap {
            case.world.network.next(TOKEN, mishap);
            let incomplete = case.load().await.unwrap_err();
            assert!(matches!(incomplete.next, NextStep::None), "once is enough");
        } else {
            case.load().await.unwrap();
        }
    }
}

//! A failing token endpoint: temporary failures, refused requests, ended sessions.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use logto_client::{
    Error, IncompleteSignIn, LogtoClient, NextStep, SignIn, TokenTarget, WritableSession,
    core::error::Advice, error::SessionEnd, event::Event, storage::SessionReader,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, KeyType, demo::SHOPPING_API};
use logto_tests::{
    shared::{Lock, Locked},
    world::{Mishap, World, callback_of, refresh_token_of},
};
use tokio::time::sleep;

const TOKEN: &str = "/token";
const HOUR: Duration = Duration::from_secs(3_600);

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// Alice, signed in to an application of each kind.
struct Stage {
    world: World,
    client: LogtoClient,
    storage: Arc<MemoryStorage>,
    alice: WritableSession,
    first_refresh_token: String,
}

impl Stage {
    async fn new(world: World) -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let client = world.client(Arc::clone(&storage));
        let alice = world.sign_in(&client, "alice").await.session;
        let first_refresh_token = refresh_token_of(alice.snapshot());
        world.logto.reset_counts();
        Self {
            world,
            client,
            storage,
            alice,
            first_refresh_token,
        }
    }

    /// The refresh token rotates at every use.
    async fn public() -> Self {
        Self::new(World::public(|app| app, |tenant| tenant)).await
    }

    /// The refresh token stays.
    async fn young() -> Self {
        Self::new(World::new()).await
    }

    async fn token(&self) -> Result<logto_client::AccessToken, Error> {
        self.alice.access_token(&shopping()).await
    }

    /// Whether the session can still refresh, and holds the provider's newest refresh token.
    async fn is_alive(&self) -> bool {
        let session = self.client.session(&self.alice.handle()).await.unwrap();
        let Some(session) = session else { return false };
        if session.refresh_access_token(&shopping()).await.is_err() {
            return false;
        }
        let latest = self
            .world
            .logto
            .latest_refresh_token(&self.first_refresh_token);
        session
            .snapshot()
            .refresh_token()
            .map(|token| token.expose())
            == latest.as_deref()
    }

    fn ends(&self) -> usize {
        self.world.events.ended_sessions()
    }
}

#[tokio::test(start_paused = true)]
async fn f10_a_request_that_never_left_is_sent_again_at_most_twice() {
    for (refusals, succeeds) in [(1, true), (2, true), (3, false)] {
        let stage = Stage::public().await;
        for _ in 0..refusals {
            stage.world.network.next(TOKEN, Mishap::Refused);
        }
        let token = stage.token().await;
        assert_eq!(token.is_ok(), succeeds, "{refusals}");
        assert_eq!(stage.world.token_calls(), usize::from(succeeds));
        if let Err(error) = token {
            assert!(error.advice().is_retry());
        }
        assert!(stage.is_alive().await, "{refusals}");
    }
}

#[tokio::test(start_paused = true)]
async fn f11_a_lost_answer_is_asked_for_once_more_at_once() {
    for stage in [Stage::public().await, Stage::young().await] {
        stage.world.network.next(TOKEN, Mishap::AnswerLost);
        stage.token().await.unwrap();
        assert_eq!(stage.world.token_calls(), 2);
        stage.world.clock.advance(HOUR);
        assert!(stage.is_alive().await);
        assert_eq!(stage.world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f11_a_request_lost_on_the_way_is_sent_once_more() {
    let stage = Stage::public().await;
    stage.world.network.next(TOKEN, Mishap::RequestLost);
    stage.token().await.unwrap();
    assert_eq!(stage.world.token_calls(), 1);
    assert!(stage.is_alive().await);
}

#[tokio::test(start_paused = true)]
async fn f11_never_more_than_one_replay() {
    let stage = Stage::young().await;
    for _ in 0..3 {
        stage.world.network.next(TOKEN, Mishap::AnswerLost);
    }
    let error = stage.token().await.unwrap_err();
    assert!(error.advice().is_retry());
    assert_eq!(stage.world.token_calls(), 2);
    let uncertain = |event: &Event| matches!(event, Event::RefreshUncertain { .. });
    assert_eq!(stage.world.events.count(uncertain), 1);
    stage.world.network.mend();
    assert!(stage.is_alive().await, "the provider did not rotate");
    assert_eq!(stage.ends(), 0);
}

/// The first answer is lost after a time. Within Logto's three seconds it is asked for again; later the
/// request is not repeated, since that would end the grant on the spot.
#[tokio::test(start_paused = true)]
async fn f11_no_replay_after_the_grace() {
    for (answer_lost_after, replayed) in
        [(1_000, true), (2_400, true), (2_600, false), (8_000, false)]
    {
        let stage = Stage::public().await;
        stage.world.network.next(
            TOKEN,
            Mishap::SlowlyLost(Duration::from_millis(answer_lost_after)),
        );
        let time = stage.world.let_time_pass();
        assert_eq!(stage.token().await.is_ok(), replayed, "{answer_lost_after}");
        assert_eq!(stage.world.token_calls(), if replayed { 2 } else { 1 });
        assert_eq!(stage.world.logto.late_replays(), 0);
        drop(time);
    }
}

/// After an answer that was lost for good the access token at hand goes on to be served; the next need
/// tries once more, and the provider's word then counts.
#[tokio::test(start_paused = true)]
async fn f11_after_an_uncertain_refresh_the_next_need_tries_once_more() {
    for (stage, lives) in [(Stage::young().await, true), (Stage::public().await, false)] {
        let held = stage.token().await.unwrap();
        stage.world.logto.reset_counts();
        for _ in 0..2 {
            stage.world.network.next(TOKEN, Mishap::AnswerLost);
        }
        assert!(stage.alice.refresh_access_token(&shopping()).await.is_err());
        assert_eq!(stage.token().await.unwrap(), held, "still served");
        assert_eq!(stage.world.token_calls(), 2);

        stage.world.clock.advance(HOUR);
        match stage.token().await {
            Ok(_) => assert!(lives),
            Err(error) => {
                assert!(!lives);
                assert!(matches!(
                    error,
                    Error::SessionEnded(SessionEnd::RefreshTokenRefused)
                ));
                assert_eq!(error.advice(), Advice::SignInAgain);
            }
        }
        assert_eq!(stage.world.token_calls(), 3);
        assert_eq!(stage.ends(), usize::from(!lives));
    }
}

#[tokio::test(start_paused = true)]
async fn f11_errors_that_may_come_after_a_rotation_count_as_lost_answers() {
    for status in [500, 502, 504] {
        let stage = Stage::public().await;
        stage.world.network.next(
            TOKEN,
            Mishap::Garbled(status, "text/html", "<h1>Bad gateway</h1>"),
        );
        stage.token().await.unwrap();
        assert_eq!(stage.world.token_calls(), 2, "{status}");
        stage.world.clock.advance(HOUR);
        assert!(stage.is_alive().await, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn f12_the_new_refresh_token_is_kept_whatever_the_rest_of_the_answer_is_worth() {
    type Edit = fn(&mut serde_json::Value);
    let edits: [(&str, Edit); 5] = [
        ("no access token", |answer| {
            answer.as_object_mut().unwrap().remove("access_token");
        }),
        ("another token type", |answer| {
            answer["token_type"] = "mac".into()
        }),
        ("an ID token of nobody", |answer| {
            answer["id_token"] = "a.b.c".into()
        }),
        ("an ID token with a broken signature", |answer| {
            let token = answer["id_token"].as_str().unwrap().to_owned();
            let (head, _) = token.rsplit_once('.').unwrap();
            answer["id_token"] = format!("{head}.{}", "A".repeat(128)).into();
        }),
        ("a scope that is no text", |answer| {
            answer["scope"] = 7.into()
        }),
    ];
    for (name, edit) in edits {
        let stage = Stage::public().await;
        stage.world.network.next(TOKEN, Mishap::Edited(edit));
        let error = stage.token().await.unwrap_err();
        assert_ne!(error.advice(), Advice::SignInAgain, "{name}: {error}");
        assert_eq!(stage.world.token_calls(), 1, "{name}");
        let stored = stage
            .storage
            .load(&stage.alice.handle(), stage.world.now())
            .await;
        let stored = stored.unwrap().unwrap().session;
        assert_eq!(
            stored
                .refresh_token()
                .map(|token| token.expose().to_owned()),
            stage
                .world
                .logto
                .latest_refresh_token(&stage.first_refresh_token),
            "{name}"
        );
        assert!(stored.access_tokens().get(&shopping()).is_none(), "{name}");
        stage.world.clock.advance(HOUR);
        assert!(stage.is_alive().await, "{name}");
    }
}

/// The keys have to be fetched after the refresh token was spent, and cannot be.
#[tokio::test(start_paused = true)]
async fn f12_f6_keys_that_cannot_be_had_lose_no_refresh_token() {
    for stage in [Stage::public().await, Stage::young().await] {
        stage.token().await.unwrap();
        stage.world.logto.rotate_keys(KeyType::Rsa).unwrap();
        stage
            .world
            .network
            .next("/jwks", Mishap::Answered(503, "text/html", "down"));
        let error = stage
            .alice
            .refresh_access_token(&shopping())
            .await
            .unwrap_err();
        assert!(error.advice().is_retry(), "{error}");
        stage.world.network.mend();
        stage.world.clock.advance(HOUR);
        assert!(stage.is_alive().await);
        assert_eq!(stage.world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f13_invalid_grant_ends_the_session_once_and_everywhere() {
    let stage = Stage::public().await;
    let handle = stage.alice.handle();
    let other = stage.client.session(&handle).await.unwrap().unwrap();
    assert!(stage.world.logto.revoke_grant(&stage.first_refresh_token));
    for session in [&stage.alice, &other, &stage.alice] {
        let error = session.access_token(&shopping()).await.unwrap_err();
        assert!(matches!(error, Error::SessionEnded(_)), "{error}");
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED);
        assert!(session.ended().is_some());
    }
    assert_eq!((stage.world.token_calls(), stage.ends()), (1, 1));
    assert!(stage.storage.is_empty());
    assert!(stage.client.session(&handle).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn f13_invalid_grant_is_believed_only_if_nobody_has_a_newer_refresh_token() {
    let stage = Stage::public().await;
    let handle = stage.alice.handle();
    // A process that shares the storage, and no lock that works.
    let other = stage
        .world
        .client(Locked::new(&stage.storage, Lock::Absent));
    let own = stage
        .world
        .client(Locked::new(&stage.storage, Lock::Absent));
    let opened = own.session(&handle).await.unwrap().unwrap();

    let rival = other.session(&handle).await.unwrap().unwrap();
    let refused = r#"{"error":"invalid_grant","error_description":"grant request is invalid"}"#;
    stage.world.network.next(
        TOKEN,
        Mishap::SlowlyAnswered(Duration::from_secs(1), 400, "application/json", refused),
    );
    let asking = tokio::spawn(async move { opened.access_token(&shopping()).await });
    sleep(Duration::from_millis(500)).await;
    let newer = rival.access_token(&shopping()).await.unwrap();
    assert_eq!(
        asking.await.unwrap().unwrap(),
        newer,
        "what the rival stored is found"
    );
    assert_eq!(stage.ends(), 0);
    assert!(stage.is_alive().await);
}

#[tokio::test(start_paused = true)]
async fn f14_what_is_refused_for_one_request_ends_nothing() {
    for (status, body, code) in [
        (400, r#"{"error":"invalid_target"}"#, "invalid_target"),
        (400, r#"{"error":"invalid_scope"}"#, "invalid_scope"),
        (403, r#"{"error":"access_denied"}"#, "access_denied"),
        (
            403,
            r#"{"error":"insufficient_scope"}"#,
            "insufficient_scope",
        ),
    ] {
        let stage = Stage::public().await;
        stage
            .world
            .network
            .next(TOKEN, Mishap::Answered(status, "application/json", body));
        let error = stage.token().await.unwrap_err();
        assert_eq!((error.code(), error.advice()), (code, Advice::Refused));
        assert!(stage.is_alive().await, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn f14_what_was_never_granted_is_refused_here_before_anything_is_spent() {
    let stage = Stage::public().await;
    for target in [
        TokenTarget::resource("https://unknown.example"),
        shopping().with_scopes(["delete:everything"]),
    ] {
        let error = stage.alice.access_token(&target).await.unwrap_err();
        assert_ne!(error.advice(), Advice::SignInAgain, "{error}");
    }
    assert_eq!(stage.world.token_calls(), 0);
    assert!(stage.is_alive().await);
}

#[tokio::test(start_paused = true)]
async fn f15_a_wrong_secret_keeps_every_session_and_stops_asking() {
    let stage = Stage::young().await;
    let refused = r#"{"error":"invalid_client"}"#;
    stage
        .world
        .network
        .next(TOKEN, Mishap::Answered(401, "application/json", refused));
    let error = stage.token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.advice()),
        ("invalid_client", Advice::FixConfiguration)
    );
    assert_eq!(error.advice(), Advice::FixConfiguration);
    let loud = |event: &Event| matches!(event, Event::ClientRefused);
    assert_eq!(stage.world.events.count(loud), 1);

    for _ in 0..20 {
        assert_eq!(stage.token().await.unwrap_err().code(), "invalid_client");
    }
    assert_eq!(stage.world.token_calls(), 0, "nobody asks for a while");
    stage.world.clock.advance(Duration::from_secs(11));
    assert!(stage.is_alive().await);
    assert_eq!(stage.ends(), 0);
}

#[tokio::test(start_paused = true)]
async fn f16_retry_after_is_obeyed_and_nonsense_is_not() {
    for (retry_after, waits) in [
        (Some("30"), 30),
        (Some("1000000000"), 3_600),
        (Some("soon"), 0),
        (Some("-5"), 0),
        (None, 0),
    ] {
        // A 503 is replayed once, as Logto may have replaced the refresh token before it.
        for (status, requests) in [(429, 1), (503, 2)] {
            let stage = Stage::young().await;
            for _ in 0..requests {
                stage
                    .world
                    .network
                    .next(TOKEN, Mishap::Busy(status, retry_after));
            }
            let error = stage.token().await.unwrap_err();
            assert!(error.advice().is_retry());
            assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(
                error.retry_after().map_or(0, |wait| wait.as_secs()),
                waits,
                "{retry_after:?}"
            );
            if waits > 0 {
                // Not longer than half a minute, whatever the server says.
                stage
                    .world
                    .clock
                    .advance(Duration::from_secs(waits.min(30) - 1));
                assert!(stage.token().await.is_err());
                assert_eq!(stage.world.token_calls(), 0, "{retry_after:?}");
                stage.world.clock.advance(Duration::from_secs(1));
            }
            assert!(stage.is_alive().await, "{status} {retry_after:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f16_through_a_pause_a_token_that_has_not_expired_is_served() {
    let stage = Stage::young().await;
    let held = stage.token().await.unwrap();
    // Within the leeway: too old to be handed out while a new one can be had.
    stage.world.clock.advance(HOUR - Duration::from_secs(30));
    for _ in 0..2 {
        stage
            .world
            .network
            .next(TOKEN, Mishap::Busy(503, Some("20")));
    }
    for _ in 0..5 {
        assert_eq!(stage.token().await.unwrap(), held);
    }
    assert_eq!(
        stage.world.token_calls(),
        1,
        "only the first one, before the trouble"
    );
    stage.world.clock.advance(Duration::from_secs(30));
    assert_ne!(stage.token().await.unwrap(), held);
}

#[tokio::test(start_paused = true)]
async fn f21_a_page_of_something_in_between_is_no_answer() {
    for status in [200, 403, 404, 503] {
        let stage = Stage::young().await;
        for _ in 0..2 {
            stage.world.network.next(
                TOKEN,
                Mishap::Answered(status, "text/html", "<h1>Log in</h1>"),
            );
        }
        let error = stage.token().await.unwrap_err();
        assert!(error.advice().is_retry(), "{status}: {error}");
        stage.world.network.mend();
        assert!(stage.is_alive().await, "{status}");
        assert_eq!(stage.ends(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f22_redirects_are_not_followed() {
    for status in [302, 307, 308] {
        let stage = Stage::young().await;
        stage.world.network.next(
            TOKEN,
            Mishap::Redirected(status, "https://evil.example/token"),
        );
        let error = stage.token().await.unwrap_err();
        assert_ne!(error.advice(), Advice::SignInAgain, "{status}: {error}");
        assert!(
            stage
                .world
                .network
                .hosts()
                .iter()
                .all(|host| host != "evil.example")
        );
        assert!(stage.is_alive().await, "{status}");
    }
}

fn starts_again(incomplete: &IncompleteSignIn) -> bool {
    matches!(incomplete.next, NextStep::StartAgain(_))
}

#[tokio::test(start_paused = true)]
async fn f8_f9_a_code_is_never_sent_twice() {
    for (mishap, reached) in [
        (Mishap::AnswerLost, 1),
        (Mishap::RequestLost, 0),
        (Mishap::Answered(500, "text/html", "oops"), 0),
        (Mishap::Answered(200, "text/html", "<h1>Log in</h1>"), 0),
        (Mishap::Busy(503, Some("7")), 0),
        (Mishap::Answered(502, "text/html", "oops"), 0),
    ] {
        let world = World::new();
        let storage = Arc::new(MemoryStorage::new());
        let client = world.client(Arc::clone(&storage));
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        let back = world.logto.sign_in(&url, "alice").unwrap();
        world.network.next(TOKEN, mishap.clone());
        let incomplete = client
            .complete_sign_in(Some(pending.clone()), callback_of(&back), None)
            .await
            .unwrap_err();
        assert!(starts_again(&incomplete), "{mishap:?}");
        let error = incomplete.error;
        let expected = matches!(mishap, Mishap::Busy(..)).then_some(Duration::from_secs(7));
        assert_eq!(error.retry_after(), expected, "{mishap:?}");
        assert_eq!(world.token_calls(), reached, "{mishap:?}");

        let incomplete = client
            .complete_sign_in(Some(pending), callback_of(&back), None)
            .await
            .unwrap_err();
        assert!(starts_again(&incomplete), "{mishap:?}");
        assert_eq!(incomplete.error.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            world.token_calls(),
            reached,
            "the same URL again sends nothing"
        );
        assert!(storage.is_empty());
        assert_eq!(world.logto.count(Endpoint::Revocation), 0);
    }
}

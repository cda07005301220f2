//! When a refresh token is sent once more: after an answer that may have come after a rotation, once, and at
//! once.

use std::{sync::Arc, time::Duration};

use http::{Response, StatusCode, header};
use logto_client::{
    AccessToken, Error, LogtoClient, TokenTarget, WritableSession, core::error::Advice,
    event::Event, storage::SessionStorage,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, Fault, demo::ACME, demo::SHOPPING_API};
use logto_tests::{
    stage::cookie_storage,
    world::{Mishap, World, refresh_token_of},
};

const TOKEN: &str = "/token";
const HOUR: Duration = Duration::from_secs(3_600);

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

/// Alice, signed in, and the refresh token that all others came of.
struct Alice {
    world: World,
    client: LogtoClient,
    session: WritableSession,
    first: String,
}

impl Alice {
    async fn new(world: World) -> Self {
        let client = world.client(MemoryStorage::new());
        Self::of(world, client).await
    }

    async fn of(world: World, client: LogtoClient) -> Self {
        let session = world.sign_in(&client, "alice").await.session;
        world.logto.reset_counts();
        Self {
            first: refresh_token_of(session.snapshot()),
            session,
            client,
            world,
        }
    }

    async fn token(&self) -> Result<AccessToken, Error> {
        self.session.access_token(&shopping()).await
    }

    /// Whether what is stored has the provider's newest refresh token, and can refresh with it.
    async fn is_alive(&self) -> bool {
        let session = self.client.session(&self.session.handle()).await.unwrap();
        let Some(session) = session else { return false };
        let newest = self.world.logto.latest_refresh_token(&self.first);
        let has_newest = Some(refresh_token_of(session.snapshot())) == newest;
        let user_info = TokenTarget::user_info();
        has_newest && session.refresh_access_token(&user_info).await.is_ok()
    }

    /// The resources that the token endpoint was asked for, in order.
    fn asked_for(&self) -> Vec<Option<String>> {
        let requests = self.world.logto.requests();
        let of_token = |endpoint| endpoint == Endpoint::Token;
        let resources = requests
            .iter()
            .filter(|request| of_token(request.endpoint()))
            .filter(|request| request.grant_type() == Some("refresh_token"))
            .map(|request| request.resource().map(str::to_owned));
        resources.collect()
    }
}

/// The provider processes the request, and this is answered all the same.
fn answered_after_all(status: StatusCode, retry_after: Option<&str>) -> Fault {
    let mut response = Response::new("busy".into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, "text/html".parse().unwrap());
    if let Some(retry_after) = retry_after {
        headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
    }
    Fault::InsteadAfterCommit(response)
}

/// Applications whose refresh token rotates at every use, and in two weeks.
fn worlds() -> [World; 2] {
    [World::public(|app| app, |tenant| tenant), World::new()]
}

const RETRY_AFTER: [Option<&str>; 5] = [None, Some("0"), Some("1"), Some("30"), Some("1000000000")];

#[tokio::test(start_paused = true)]
async fn f11_a_503_after_the_rotation_is_replayed_once_whatever_retry_after_says() {
    for retry_after in RETRY_AFTER {
        for world in worlds() {
            let alice = Alice::new(world).await;
            let logto = &alice.world.logto;
            let unavailable = StatusCode::SERVICE_UNAVAILABLE;
            logto.fault(
                Endpoint::Token,
                answered_after_all(unavailable, retry_after),
            );
            alice.token().await.unwrap();
            assert_eq!(alice.world.token_calls(), 2, "{retry_after:?}");
            alice.world.clock.advance(HOUR);
            assert!(alice.is_alive().await, "{retry_after:?}");
            assert_eq!(logto.late_replays(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f11_a_second_503_is_not_replayed() {
    let alice = Alice::new(World::new()).await;
    for _ in 0..3 {
        let busy = answered_after_all(StatusCode::SERVICE_UNAVAILABLE, Some("1"));
        alice.world.logto.fault(Endpoint::Token, busy);
    }
    assert!(alice.token().await.unwrap_err().advice().is_retry());
    assert_eq!(alice.world.token_calls(), 2);
    let uncertain = |event: &Event| matches!(event, Event::RefreshUncertain { .. });
    assert_eq!(alice.world.events.count(uncertain), 1);
}

#[tokio::test(start_paused = true)]
async fn f11_f16_a_429_is_never_replayed() {
    for retry_after in RETRY_AFTER {
        for world in worlds() {
            let alice = Alice::new(world).await;
            // Two of them: a replay would be seen.
            for _ in 0..2 {
                alice
                    .world
                    .network
                    .next(TOKEN, Mishap::Busy(429, retry_after));
            }
            let error = alice.token().await.unwrap_err();
            assert!(error.advice().is_retry(), "{retry_after:?}: {error}");
            assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(alice.world.token_calls(), 0);
            let uncertain = |event: &Event| matches!(event, Event::RefreshUncertain { .. });
            assert_eq!(alice.world.events.count(uncertain), 0);
            // The second one still waits for its request.
            alice.world.clock.advance(HOUR);
            assert!(alice.token().await.is_err(), "{retry_after:?}");
            alice.world.clock.advance(HOUR);
            assert!(alice.is_alive().await, "{retry_after:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f11_f17_forty_sessions_that_lose_an_answer_at_once_are_all_replayed() {
    const SESSIONS: usize = 40;
    let world = World::public(|app| app, |tenant| tenant);
    let storages: [Arc<dyn SessionStorage>; 2] = [
        Arc::new(MemoryStorage::new()),
        Arc::new(cookie_storage(&world)),
    ];
    for storage in storages {
        let client = world
            .client_builder(storage)
            .single_process()
            .build()
            .unwrap();
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(Alice::of(world.clone(), client.clone()).await);
        }
        world.logto.reset_counts();
        for _ in 0..SESSIONS {
            // All have left before the first is lost.
            let lost = Mishap::SlowlyLost(Duration::from_millis(100));
            world.network.next(TOKEN, lost);
        }
        let tokens = sessions.iter().map(|alice| {
            let session = alice.session.clone();
            tokio::spawn(async move { session.access_token(&shopping()).await })
        });
        for token in tokens.collect::<Vec<_>>() {
            token.await.unwrap().unwrap();
        }
        assert_eq!(world.token_calls(), 2 * SESSIONS);
        for alice in &sessions {
            let newest = world.logto.latest_refresh_token(&alice.first);
            assert_eq!(Some(refresh_token_of(alice.session.snapshot())), newest);
        }
        world.clock.advance(HOUR);
        for alice in &sessions {
            alice.token().await.unwrap();
        }
        assert_eq!(world.logto.late_replays(), 0);
        assert_eq!(world.events.ended_sessions(), 0);
    }
}

/// Requests that only read share the budget of all that is sent again, which does not concern a replay.
#[tokio::test(start_paused = true)]
async fn f17_the_retry_budget_covers_requests_that_only_read_and_no_replay() {
    const CALLS: usize = 200;
    let alice = Alice::new(World::public(|app| app, |tenant| tenant)).await;
    let (logto, network) = (&alice.world.logto, &alice.world.network);
    alice.session.user_info().await.unwrap();
    logto.reset_counts();
    for _ in 0..CALLS {
        for _ in 0..2 {
            network.next("/me", Mishap::AnswerLost);
        }
        let error = alice.session.user_info().await.unwrap_err();
        assert!(error.advice().is_retry(), "{error}");
        network.mend();
    }
    let sent_again = logto.count(Endpoint::UserInfo) - CALLS;
    assert!((58..=61).contains(&sent_again), "{sent_again}");

    network.next(TOKEN, Mishap::AnswerLost);
    alice.token().await.unwrap();
    assert_eq!(alice.world.token_calls(), 2);
    assert!(alice.is_alive().await);
}

/// As a custom claims script refuses, and a resource that the user lost: Logto has replaced the refresh token
/// by then, and the refusal does not say by what.
#[tokio::test(start_paused = true)]
async fn f14_a_refusal_after_the_rotation_costs_one_request_and_is_remembered_for_a_minute() {
    for (status, body, code) in [
        (403, r#"{"error":"access_denied"}"#, "access_denied"),
        (400, r#"{"error":"invalid_target"}"#, "invalid_target"),
    ] {
        for world in worlds() {
            let alice = Alice::new(world).await;
            let refused = || Mishap::Garbled(status, "application/json", body);
            let denied = async || {
                let error = alice.token().await.unwrap_err();
                assert_eq!((error.code(), error.advice()), (code, Advice::Refused));
            };
            alice.world.network.next(TOKEN, refused());
            denied().await;
            let shop = Some(SHOPPING_API.to_owned());
            assert_eq!(alice.asked_for(), [shop.clone(), None]);
            let newest = alice.world.logto.latest_refresh_token(&alice.first);
            assert_eq!(Some(refresh_token_of(alice.session.snapshot())), newest);

            alice.world.logto.reset_counts();
            for _ in 0..59 {
                denied().await;
                alice.world.clock.advance(Duration::from_secs(1));
            }
            denied().await;
            assert_eq!(alice.world.token_calls(), 0, "it is remembered");
            let acme = TokenTarget::organization(ACME);
            alice.session.access_token(&acme).await.unwrap();
            assert_eq!(alice.world.token_calls(), 1, "for this target only");

            alice.world.clock.advance(Duration::from_secs(1));
            alice.token().await.unwrap();
            assert!(alice.is_alive().await, "{code}");
            assert_eq!(alice.world.logto.late_replays(), 0);
            assert_eq!(alice.world.events.ended_sessions(), 0);
        }
    }
}

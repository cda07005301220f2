//! Sessions in cookies and processes that share nothing: before a process spends a refresh token that another
//! process may have spent, it asks Logto about it.

use std::time::Duration;

use logto_client::{
    Error, LogtoClient, LogtoClientBuilder, TokenTarget,
    error::{Advice, SessionEnd},
    event::Event,
    storage::Handle,
};
use logto_storage::MemoryStorage;
use logto_testkit::{
    Endpoint,
    demo::{ACME, SHOPPING_API},
};
use logto_tests::{
    shared::MapStore,
    stage::{cookie_storage, key_ring},
    world::{Mishap, World, refresh_token_of},
};

const HOUR: Duration = Duration::from_secs(3_600);
const INTROSPECTION: &str = "/token/introspection";

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

fn questions(world: &World) -> usize {
    world.logto.count(Endpoint::Introspection)
}

/// An application whose refresh tokens rotate at every use.
fn public_world() -> World {
    World::public(|app| app, |tenant| tenant)
}

fn process(world: &World) -> LogtoClient {
    world.client(cookie_storage(world))
}

/// Time passes, by both clocks.
async fn pass(world: &World, duration: Duration) {
    world.clock.advance(duration);
    tokio::time::advance(duration).await;
}

/// Two processes, and the old cookie of a session that the first has refreshed a while ago, with the one
/// that replaced it.
struct Replaced {
    world: World,
    other: LogtoClient,
    old: Handle,
    newest: Handle,
}

impl Replaced {
    async fn new() -> Self {
        let world = public_world();
        let one = process(&world);
        let old = world.sign_in(&one, "alice").await.session.handle();
        let session = one.session(&old).await.unwrap().unwrap();
        session.access_token(&shopping()).await.unwrap();
        world.clock.advance(Duration::from_secs(4));
        world.logto.reset_counts();
        Self {
            other: process(&world),
            old,
            newest: session.handle(),
            world,
        }
    }

    async fn ask(&self, handle: &Handle) -> Result<(), Error> {
        let session = self.other.session(handle).await.unwrap().unwrap();
        session.refresh_access_token(&shopping()).await.map(drop)
    }

    async fn assert_alive(&self) {
        self.ask(&self.newest).await.unwrap();
        assert_eq!(self.world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f36_an_old_cookie_in_another_process_ends_nothing() {
    let replaced = Replaced::new().await;
    for _ in 0..3 {
        let error = replaced.ask(&replaced.old).await.unwrap_err();
        assert!(matches!(error, Error::Superseded), "{error}");
        assert!(error.advice().is_retry());
    }
    assert_eq!(replaced.world.token_calls(), 0);
    assert_eq!(
        questions(&replaced.world),
        2,
        "asked once about the refresh token, and once whether its grant lives"
    );
    let told = |event: &Event| matches!(event, Event::Superseded { .. });
    assert_eq!(replaced.world.events.count(told), 1);
    replaced.assert_alive().await;
}

/// A browser that comes again with the same cookie has no other: its session is over. Another browser may
/// still have the newest cookie of that session.
#[tokio::test(start_paused = true)]
async fn f36_the_same_old_cookie_again_later_is_no_session() {
    let replaced = Replaced::new().await;
    replaced.ask(&replaced.old).await.unwrap_err();
    pass(&replaced.world, Duration::from_secs(59)).await;
    let error = replaced.ask(&replaced.old).await.unwrap_err();
    assert!(matches!(error, Error::Superseded), "{error}");
    // A wall clock that is set forward is no time that passes.
    replaced.world.clock.advance(Duration::from_secs(3_600));
    let error = replaced.ask(&replaced.old).await.unwrap_err();
    assert!(matches!(error, Error::Superseded), "{error}");
    pass(&replaced.world, Duration::from_secs(1)).await;
    let error = replaced.ask(&replaced.old).await.unwrap_err();
    assert!(
        matches!(error, Error::SessionEnded(SessionEnd::Superseded)),
        "{error}"
    );
    assert_eq!(replaced.world.token_calls(), 0);
    replaced.assert_alive().await;
}

/// Either the opaque access token of the grant is not active any more, so that nobody else can have a newer
/// refresh token; or the refresh token is active, and is refused all the same.
#[tokio::test(start_paused = true)]
async fn f13_f36_a_grant_that_has_ended_ends_the_session_at_once() {
    type Ending = fn(&World, &str);
    // How the grant ends, and the requests until both processes know: for tokens, and questions.
    let endings: [(&str, Ending, (usize, usize)); 2] = [
        (
            "revoked",
            |world, refresh_token| assert!(world.logto.revoke_grant(refresh_token)),
            (0, 4),
        ),
        (
            "suspended",
            |world, _| assert!(world.logto.suspend_user("alice")),
            // Before the token is spent, and when it was refused.
            (2, 4),
        ),
    ];
    for (name, ending, requests) in endings {
        let world = public_world();
        let (one, other) = (process(&world), process(&world));
        let alice = world.sign_in(&one, "alice").await.session;
        let handle = alice.handle();
        ending(&world, &refresh_token_of(alice.snapshot()));
        world.logto.reset_counts();
        for client in [&one, &other] {
            let session = client.session(&handle).await.unwrap().unwrap();
            let error = session.access_token(&shopping()).await.unwrap_err();
            let refused = SessionEnd::RefreshTokenRefused;
            assert_eq!(error.to_string(), Error::SessionEnded(refused).to_string());
            assert_eq!(error.advice(), Advice::SignInAgain, "{name}");
            assert!(client.session(&handle).await.unwrap().is_none(), "{name}");
        }
        assert_eq!((world.token_calls(), questions(&world)), requests, "{name}");
        assert_eq!(world.events.ended_sessions(), 2, "once in each process");
    }
}

/// Without a witness nobody can tell the end of a grant from a refresh elsewhere, so the session ends a
/// minute later.
#[tokio::test(start_paused = true)]
async fn f13_f36_without_a_witness_a_grant_that_has_ended_takes_a_minute() {
    let world = public_world();
    let (one, other) = (process(&world), process(&world));
    let alice = world.sign_in(&one, "alice").await.session;
    alice.forget(&TokenTarget::user_info()).await.unwrap();
    let handle = alice.handle();
    let refresh_token = refresh_token_of(alice.snapshot());
    assert!(world.logto.revoke_grant(&refresh_token));
    world.logto.reset_counts();
    let ask = async || {
        let session = other.session(&handle).await.unwrap().unwrap();
        session.access_token(&shopping()).await.unwrap_err()
    };
    let error = ask().await;
    assert!(matches!(error, Error::Superseded), "{error}");
    pass(&world, Duration::from_secs(60)).await;
    let error = ask().await;
    assert_eq!(error.advice(), Advice::SignInAgain, "{error}");
    assert_eq!((world.token_calls(), questions(&world)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn f36_a_question_that_finds_no_answer_spends_nothing() {
    for mishap in [
        Mishap::Refused,
        Mishap::AnswerLost,
        Mishap::Answered(503, "text/html", "busy"),
        Mishap::Answered(200, "application/json", r#"{"active":"false"}"#),
    ] {
        let replaced = Replaced::new().await;
        replaced.world.network.next(INTROSPECTION, mishap.clone());
        let error = replaced.ask(&replaced.old).await.unwrap_err();
        assert!(error.advice().is_retry(), "{mishap:?} {error}");
        assert_eq!(replaced.world.token_calls(), 0, "{mishap:?}");
        replaced.assert_alive().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f36_who_may_not_ask_refreshes_all_the_same() {
    let world = public_world();
    let client = process(&world);
    let alice = world.sign_in(&client, "alice").await.session;
    for (status, body) in [
        (403, r#"{"error":"access_denied"}"#),
        (400, r#"{"error":"invalid_request"}"#),
    ] {
        let answer = Mishap::Answered(status, "application/json", body);
        world.network.next(INTROSPECTION, answer);
        alice.refresh_access_token(&shopping()).await.unwrap();
        world.clock.advance(HOUR);
    }
}

#[tokio::test(start_paused = true)]
async fn f36_one_question_for_a_burst_and_none_where_nobody_else_refreshes() {
    type Configure = fn(&World) -> LogtoClientBuilder;
    let cases: [(&str, Configure, usize); 4] = [
        (
            "cookies",
            |world| world.client_builder(cookie_storage(world)),
            1,
        ),
        (
            "cookies of one process",
            |world| world.client_builder(cookie_storage(world)).single_process(),
            0,
        ),
        (
            "cookies and a shared ledger",
            |world| {
                let builder = world.client_builder(cookie_storage(world));
                builder.shared_ledger(MapStore::default(), key_ring())
            },
            0,
        ),
        (
            "memory",
            |world| world.client_builder(MemoryStorage::new()),
            0,
        ),
    ];
    for (place, configure, expected) in cases {
        let world = public_world();
        let client = configure(&world).build().unwrap();
        let alice = world.sign_in(&client, "alice").await.session;
        for target in [
            shopping(),
            TokenTarget::organization(ACME),
            shopping().in_organization(ACME),
        ] {
            alice.access_token(&target).await.unwrap();
        }
        assert_eq!(questions(&world), expected, "{place}");
        world.clock.advance(HOUR);
        alice.access_token(&shopping()).await.unwrap();
        assert_eq!(questions(&world), 2 * expected, "{place}");
    }
}

/// A process that has just begun does not know what the one before it has replaced.
#[tokio::test(start_paused = true)]
async fn f36_the_only_process_asks_for_a_minute_after_a_restart() {
    let world = public_world();
    let start = || {
        let builder = world.client_builder(cookie_storage(&world));
        builder.single_process().build().unwrap()
    };
    let before = start();
    let old = world.sign_in(&before, "alice").await.session.handle();
    let session = before.session(&old).await.unwrap().unwrap();
    session.access_token(&shopping()).await.unwrap();
    world.clock.advance(Duration::from_secs(4));
    assert_eq!(questions(&world), 0);

    let after = start();
    let late = after.session(&old).await.unwrap().unwrap();
    let error = late.refresh_access_token(&shopping()).await.unwrap_err();
    assert!(matches!(error, Error::Superseded), "{error}");
    let newest = after.session(&session.handle()).await.unwrap().unwrap();
    newest.refresh_access_token(&shopping()).await.unwrap();
    assert_eq!(world.logto.late_replays(), 0);

    world.logto.reset_counts();
    tokio::time::advance(Duration::from_secs(60)).await;
    newest.refresh_access_token(&shopping()).await.unwrap();
    assert_eq!(questions(&world), 0);
}

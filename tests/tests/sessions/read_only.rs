//! Code that cannot set cookies: read-only sessions spend nothing, and explicit refreshes lose nothing.

use std::time::Duration;

use logto_client::{Cached, Error, TokenTarget};
use logto_testkit::{Endpoint, demo::SHOPPING_API};
use logto_tests::{
    stage::{Deployment, Kind, Outcome, Stage, cookie_storage, failed, short, well},
    world::World,
};
use tokio::time::sleep;

/// Refresh tokens of 300 seconds, because those of 100 would end within the minute that pages look.
const KINDS: [Kind; 3] = [Kind::Confidential300, Kind::Public, Kind::Young];

/// Plays a scenario with every kind of application in every place. All of it is served by one process.
async fn play(scenario: impl AsyncFn(&Stage) -> usize, expected: Outcome) {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            let stage = Stage::signed_in(kind, deployment).await;
            stage.turning_point().await;
            let failed = scenario(&stage).await;
            assert_eq!(
                stage.outcome(failed).await,
                expected,
                "{kind:?} {deployment:?}"
            );
        }
    }
}

async fn pause(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

/// A page that can only look, and how many of its two tokens it found missing.
async fn look(stage: &Stage) -> usize {
    let session = stage
        .alice
        .get("/page")
        .look(stage.web(0))
        .await
        .unwrap()
        .expect("signed in");
    assert_eq!(
        session.claims().user.email.value().map(String::as_str),
        Some("alice@example.com")
    );
    usize::from(session.access_token(&short()) == Cached::NeedsRefresh)
}

#[tokio::test(start_paused = true)]
async fn s5_b17_a_look_spends_nothing() {
    for wait in [1, 5] {
        play(
            async |stage| {
                assert_eq!(look(stage).await, 1, "the token has expired");
                assert_eq!(stage.token_calls(), 0);
                pause(wait).await;
                failed(&[stage.alice.token(stage.web(0), &short()).await])
            },
            well(1),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_token_fetched_without_storing_loses_nothing() {
    for wait in [1, 5] {
        play(
            async |stage| {
                let web = stage.web(0);
                let first = stage
                    .alice
                    .get("/page")
                    .token_without_storing(web, &short())
                    .await;
                pause(wait).await;
                let second = stage.alice.token(web, &short()).await;
                assert_eq!(first.as_ref().unwrap(), second.as_ref().unwrap());
                failed(&[first, second])
            },
            well(1),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_page_whose_cookies_never_arrive_loses_nothing() {
    play(
        async |stage| {
            let web = stage.web(0);
            let first = stage
                .alice
                .get("/page")
                .token_and_lost_response(web, &short())
                .await;
            pause(5).await;
            let second = stage.alice.token(web, &short()).await;
            failed(&[first, second])
        },
        well(1),
    )
    .await;
}

/// What the token without storing costs where processes have nothing in common, as its documentation
/// says: only the process that fetched it can go on. The others end nothing.
#[tokio::test(start_paused = true)]
async fn s5_a_token_fetched_without_storing_is_known_to_its_process_only() {
    for (deployment, known) in [
        (Deployment::CookiesApart, false),
        (Deployment::CookiesTogether, true),
    ] {
        let stage = Stage::signed_in(Kind::Confidential, deployment).await;
        stage.turning_point().await;
        let visit = stage.alice.get("/page");
        let first = visit.token_without_storing(stage.web(0), &short()).await;
        pause(5).await;
        let elsewhere = stage.alice.token(stage.web(1), &short()).await;
        match elsewhere {
            Ok(token) => assert_eq!(Ok(&token), first.as_ref().map_err(drop)),
            Err(error) => assert!(matches!(error, Error::Superseded) && !known, "{error}"),
        }
        let here = stage.alice.token(stage.web(0), &short()).await;
        assert_eq!(
            stage.outcome(failed(&[first, here])).await,
            well(1),
            "{deployment:?}"
        );
        assert_eq!(stage.world.logto.late_replays(), 0);
        assert_eq!(stage.world.events.ended_sessions(), 0, "{deployment:?}");
    }
}

/// A page that fetches a token where that loses nothing.
async fn fetch(stage: &Stage, n: usize) -> Result<Cached, Error> {
    let web = stage.web(n);
    let session = stage
        .alice
        .get("/page")
        .look(web)
        .await?
        .expect("signed in");
    web.client().fetch_access_token(&session, &short()).await
}

#[tokio::test(start_paused = true)]
async fn s5_with_a_store_a_fetch_without_cookies_stores() {
    for kind in [Kind::Confidential, Kind::Public, Kind::Young] {
        let stage = Stage::signed_in(kind, Deployment::Store).await;
        stage.turning_point().await;
        let first = fetch(&stage, 0).await.unwrap().token().unwrap();
        pause(5).await;
        // The other process finds what was stored, and refreshes with the newest refresh token.
        let web = stage.web(1);
        let visit = stage.alice.get("/page");
        let session = web.session(visit.headers()).await.unwrap().unwrap();
        assert_eq!(session.access_token(&short()).await.unwrap(), first);
        assert_eq!(stage.token_calls(), 1, "{kind:?}");
        let second = session.refresh_access_token(&short()).await;
        visit.finish(web, &session);
        assert_ne!(*second.as_ref().unwrap(), first);
        assert_eq!(stage.outcome(failed(&[second])).await, well(2), "{kind:?}");
        assert_eq!(stage.world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn s5_where_nothing_is_shared_a_fetch_without_cookies_sends_nothing() {
    // A process alone in cookies does not know that it is.
    for deployment in [Deployment::CookiesApart, Deployment::Cookies] {
        let stage = Stage::signed_in(Kind::Confidential, deployment).await;
        let held = stage.alice.token(stage.web(0), &short()).await.unwrap();
        let calls = stage.token_calls();
        assert_eq!(fetch(&stage, 1).await.unwrap(), Cached::Valid(held));
        stage.turning_point().await;
        assert_eq!(fetch(&stage, 0).await.unwrap(), Cached::NeedsRefresh);
        assert_eq!(stage.token_calls(), calls);
        assert_eq!(stage.world.logto.count(Endpoint::Introspection), calls);
        pause(5).await;
        let token = stage.alice.token(stage.web(1), &short()).await;
        assert_eq!(
            stage.outcome(failed(&[token])).await,
            well(calls + 1),
            "{deployment:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_with_a_shared_ledger_a_fetch_without_cookies_fetches() {
    for kind in KINDS {
        let stage = Stage::signed_in(kind, Deployment::CookiesTogether).await;
        stage.turning_point().await;
        let first = fetch(&stage, 0).await.unwrap().token().unwrap();
        pause(5).await;
        let second = stage.alice.token(stage.web(1), &short()).await;
        assert_eq!(*second.as_ref().unwrap(), first);
        assert_eq!(stage.outcome(failed(&[second])).await, well(1), "{kind:?}");
        assert_eq!(stage.world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn s5_in_a_single_process_a_fetch_without_cookies_fetches() {
    let world = World::public(|app| app, |tenant| tenant);
    let builder = world.client_builder(cookie_storage(&world));
    let client = builder.single_process().build().unwrap();
    let handle = world.sign_in(&client, "alice").await.session.handle();
    let session = client.read_only_session(&handle).await.unwrap().unwrap();
    world.logto.reset_counts();
    let target = TokenTarget::resource(SHOPPING_API);
    let first = client.fetch_access_token(&session, &target).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    // The browser comes again with the cookie from before.
    let session = client.session(&handle).await.unwrap().unwrap();
    let second = session.access_token(&target).await.unwrap();
    assert_eq!(first, Cached::Valid(second));
    assert_eq!(world.token_calls(), 1);
    session.refresh_access_token(&target).await.unwrap();
    assert_eq!(world.logto.late_replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn s5_the_fetch_that_may_lose_the_session_never_refuses() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            let stage = Stage::signed_in(kind, deployment).await;
            stage.turning_point().await;
            let visit = stage.alice.get("/page");
            let token = visit.token_without_storing(stage.web(0), &short()).await;
            token.unwrap();
            assert_eq!(stage.token_calls(), 1, "{kind:?} {deployment:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_context_with_user_info_loses_nothing() {
    play(
        async |stage| {
            let (web, user_info) = (stage.web(0), TokenTarget::user_info());
            let visit = stage.alice.get("/page");
            let session = web.session(visit.headers()).await.unwrap().unwrap();
            session.forget(&user_info).await.unwrap();
            visit.finish(web, &session);

            let looked = stage.alice.get("/page").look(web).await.unwrap().unwrap();
            assert_eq!(looked.access_token(&user_info), Cached::NeedsRefresh);
            assert_eq!(
                (
                    stage.token_calls(),
                    stage.world.logto.count(Endpoint::UserInfo)
                ),
                (0, 0)
            );

            let visit = stage.alice.get("/page");
            let session = web.session(visit.headers()).await.unwrap().unwrap();
            assert_eq!(session.user_info().await.unwrap().sub, session.claims().sub);
            visit.finish(web, &session);
            pause(5).await;
            failed(&[stage.alice.token(web, &short()).await])
        },
        well(2),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s6_a_minute_of_looking_spends_nothing() {
    for (views, interval) in [(13, 5), (31, 2)] {
        play(
            async |stage| {
                for _ in 0..views {
                    assert_eq!(look(stage).await, 1);
                    pause(interval).await;
                }
                0
            },
            well(0),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn s6_a_minute_of_tokens_without_storing_loses_nothing() {
    for (views, interval) in [(13, 5), (31, 2)] {
        play(
            async |stage| {
                let mut tokens = Vec::new();
                for _ in 0..views {
                    let visit = stage.alice.get("/page");
                    tokens.push(visit.token_without_storing(stage.web(0), &short()).await);
                    pause(interval).await;
                }
                failed(&tokens)
            },
            // One for every twenty seconds of the minute, its end included.
            well(4),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn s6_refreshed_ahead_the_looking_places_find_their_token() {
    play(
        async |stage| {
            let web = stage.web(0);
            let mut missing = failed(&[stage.alice.token(web, &short()).await]);
            for _ in 0..13 {
                let visit = stage.alice.get("/layer");
                let targets = [short()];
                let ahead = Duration::from_secs(5);
                let session = web.session(visit.headers()).await.unwrap();
                let session = session.expect("signed in");
                let _ = session.refresh_ahead(&targets, ahead).await;
                visit.finish(web, &session);
                missing += look(stage).await;
                pause(5).await;
            }
            missing
        },
        // Every fifteen seconds of the minute, its end included.
        well(5),
    )
    .await;
}

//! A provider that takes requests and does not answer: what a page of the application waits for it.

use std::time::Duration;

use logto_client::{AccessToken, Error, LogtoClient, TokenTarget, WritableSession, error::Advice};
use logto_storage::MemoryStorage;
use logto_testkit::demo::SHOPPING_API;
use logto_tests::world::{Mishap, PassingTime, World};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const BUDGET: Duration = Duration::from_secs(15);
/// Longer than anything waits.
const HANGS: Mishap = Mishap::Slow(Duration::from_secs(1_000));

/// Alice's session, and a provider that has stopped to answer since she signed in.
struct Page {
    world: World,
    client: LogtoClient,
    session: WritableSession,
    _time: PassingTime,
}

impl Page {
    async fn new() -> Self {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let session = world.sign_in(&client, "alice").await.session;
        session.access_token(&shopping()).await.unwrap();
        let time = world.let_time_pass();
        world.logto.reset_counts();
        for _ in 0..50 {
            world.network.next("/token", HANGS);
            world.network.next("/me", HANGS);
        }
        Self {
            world,
            client,
            session,
            _time: time,
        }
    }

    /// Asks for eight tokens, one after the other.
    async fn tokens(&self, session: &WritableSession) -> Vec<Result<AccessToken, Error>> {
        let mut tokens = Vec::new();
        for target in targets() {
            tokens.push(session.access_token(&target).await);
        }
        tokens
    }
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

fn targets() -> impl Iterator<Item = TokenTarget> {
    (0..8).map(|n| TokenTarget::organization(format!("organization-{n}")))
}

fn is_spent<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::WaitingBudgetSpent { budget }) if *budget == BUDGET)
}

#[tokio::test(start_paused = true)]
async fn f17_a_page_with_eight_tokens_waits_no_longer_than_its_budget() {
    let page = Page::new().await;
    let began = Instant::now();
    let tokens = page.tokens(&page.session).await;
    assert_eq!(began.elapsed().as_secs(), BUDGET.as_secs());
    assert!(matches!(tokens[0], Err(Error::Transport { .. })));
    assert!(tokens[1..].iter().all(is_spent), "{tokens:?}");
    for error in tokens.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.advice(), Advice::Retry { after: None });
        assert_eq!(error.status(), 503);
    }
    assert!(page.session.ended().is_none());
    assert_eq!(page.client.stats().refreshes, 2, "the others did not begin");
}

#[tokio::test(start_paused = true)]
async fn f17_whatever_needs_the_provider_shares_the_budget() {
    let page = Page::new().await;
    let began = Instant::now();
    let clone = page.session.clone();
    assert!(page.session.user_info().await.is_err());
    assert!(is_spent(&clone.organization_tokens().await.and_then(
        |mut tokens| { tokens.pop().expect("alice has organizations").1 }
    )));
    let elapsed = began.elapsed().as_secs();
    assert_eq!(elapsed, BUDGET.as_secs());
    assert!(is_spent(&clone.refresh_access_token(&shopping()).await));
    assert!(is_spent(&clone.user_info().await));
    assert!(is_spent(&clone.forget(&shopping()).await));
    page.world.clock.advance(Duration::from_secs(3_300));
    let ahead = clone
        .refresh_ahead(&[shopping()], Duration::from_secs(600))
        .await;
    assert!(is_spent(&ahead[0].1));
    assert_eq!(
        began.elapsed().as_secs(),
        elapsed,
        "all of that failed fast"
    );
    // What is at hand is handed out as ever.
    clone.access_token(&shopping()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f17_calls_at_the_same_time_share_the_time_that_passes() {
    let page = Page::new().await;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for target in targets() {
        let session = page.session.clone();
        calls.spawn(async move { session.access_token(&target).await });
    }
    for token in calls.join_all().await {
        assert!(matches!(token, Err(Error::Transport { .. })), "{token:?}");
    }
    assert_eq!(began.elapsed().as_secs(), 10, "the caller timeout, once");
    assert!(is_spent(&page.tokens(&page.session).await.pop().unwrap()));
    assert_eq!(began.elapsed().as_secs(), BUDGET.as_secs());
}

/// A refresh goes on when the page has given up, and a later request has a budget of its own.
#[tokio::test(start_paused = true)]
async fn f17_the_next_request_finds_what_came_and_may_wait_again() {
    let page = Page::new().await;
    page.world.network.mend();
    let late = Mishap::Slow(Duration::from_secs(40));
    page.world.network.next("/token", late);
    let first = targets().next().unwrap();
    assert!(page.session.access_token(&first).await.is_err());
    assert!(page.tokens(&page.session).await.iter().all(Result::is_err));
    let handle = page.session.handle();
    let next = page.client.session(&handle).await.unwrap().unwrap();
    let began = Instant::now();
    assert!(page.tokens(&next).await.iter().all(Result::is_err));
    assert_eq!(began.elapsed().as_secs(), BUDGET.as_secs());
    sleep(Duration::from_secs(20)).await;
    assert_eq!(page.client.stats().refreshes, 0);
    let next = page.client.session(&handle).await.unwrap().unwrap();
    next.refresh_access_token(&shopping()).await.unwrap();
}

/// The same is true of a session that was opened read-only, and of its clones.
#[tokio::test(start_paused = true)]
async fn f17_a_read_only_session_has_a_budget_too() {
    let page = Page::new().await;
    let handle = page.session.handle();
    let session = page
        .client
        .read_only_session(&handle)
        .await
        .unwrap()
        .unwrap();
    let began = Instant::now();
    for target in targets() {
        let fetched = page
            .client
            .fetch_access_token(&session.clone(), &target)
            .await;
        assert!(fetched.is_err());
    }
    assert_eq!(began.elapsed().as_secs(), BUDGET.as_secs());
}

/// Only waiting counts, and a program that keeps one session value for days does not run out.
#[tokio::test(start_paused = true)]
async fn f17_time_without_waiting_is_not_counted_and_gives_back() {
    let page = Page::new().await;
    page.world.network.mend();
    let (world, session) = (&page.world, &page.session);
    world.network.set_latency(Duration::from_secs(2));
    for _ in 0..100 {
        session.user_info().await.unwrap();
        sleep(Duration::from_secs(60)).await;
    }
    for _ in 0..7 {
        session.user_info().await.unwrap();
    }
    session.user_info().await.unwrap_err();
    assert!(is_spent(&session.user_info().await));
    sleep(Duration::from_secs(30)).await;
    session.user_info().await.unwrap();
}

/// The option is one of the builder as well.
#[tokio::test(start_paused = true)]
async fn f17_the_budget_can_be_changed() {
    let world = World::new();
    let builder = world.client_builder(MemoryStorage::new());
    let client = builder
        .waiting_budget(Duration::from_secs(3))
        .build()
        .unwrap();
    let session = world.sign_in(&client, "alice").await.session;
    world.network.next("/token", HANGS);
    let began = Instant::now();
    let error = session.access_token(&shopping()).await.unwrap_err();
    assert!(matches!(error, Error::WaitingBudgetSpent { .. }), "{error}");
    assert_eq!(began.elapsed().as_secs(), 3);
}

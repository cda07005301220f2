//! Cancelled callers: a sign-out, a callback and, without a runtime that continues them, a refresh, each dropped
//! after every possible number of polls.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Waker},
    time::Duration,
};

use logto_client::{
    Context, LogtoClient, SignIn, TokenTarget,
    core::sign_out::SignOut,
    runtime::Runtime,
    storage::{SessionReader, SessionStorage},
};
use logto_storage::MemoryStorage;
use logto_testkit::demo::SHOPPING_API;
use logto_tests::{
    shared::SharedStore,
    world::{World, WorldClock, callback_of, refresh_token_of},
};
use tokio::time::sleep;

/// More than any of these takes.
const MAX_POLLS: usize = 60;

fn world() -> World {
    let world = World::public(|app| app, |tenant| tenant);
    world.network.set_latency(Duration::from_millis(40));
    world
}

/// Polls so often, three milliseconds apart, and then drops what is left; whether it came to an end.
async fn poll_and_drop(polls: usize, task: impl Future) -> bool {
    let mut task = pin!(task);
    let mut context = task::Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if task.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        sleep(Duration::from_millis(3)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn f38_a_sign_out_that_has_begun_is_finished() {
    let mut dropped = 0;
    for polls in 0..MAX_POLLS {
        let world = world();
        let store = SharedStore::default();
        let client = world.client(store.clone());
        let alice = world.sign_in(&client, "alice").await.session;
        let refresh_token = refresh_token_of(alice.snapshot());
        dropped += usize::from(!poll_and_drop(polls, alice.sign_out(&SignOut::new())).await);
        client.drain().await;
        sleep(Duration::from_secs(1)).await;

        let begun = polls > 0;
        assert_eq!(store.is_empty(), begun, "after {polls} polls");
        assert_eq!(
            world.logto.grant_is_alive(&refresh_token),
            !begun,
            "after {polls} polls"
        );
        assert_eq!(
            client.session(&alice.handle()).await.unwrap().is_none(),
            begun
        );
    }
    assert!(dropped > 1, "the test has to hit the sign-out: {dropped}");
}

#[tokio::test(start_paused = true)]
async fn f38_a_callback_leaves_a_whole_session_or_an_unspent_code() {
    let (mut whole, mut unspent) = (0, 0);
    for polls in 0..MAX_POLLS {
        let world = world();
        let store = SharedStore::default();
        let client = world.client(store.clone());
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        let back = world.logto.sign_in(&url, "alice").unwrap();
        // A client that has fetched nothing yet, so that there is more to be dropped in.
        let client = world.client(store.clone());
        let completing = client.complete_sign_in(Some(pending.clone()), callback_of(&back), None);
        poll_and_drop(polls, completing).await;
        client.drain().await;

        if world.token_calls() == 0 {
            unspent += 1;
            assert!(store.is_empty());
            let again = client
                .complete_sign_in(Some(pending), callback_of(&back), None)
                .await;
            assert!(again.is_ok(), "after {polls} polls");
        } else {
            whole += 1;
            let again = client
                .complete_sign_in(Some(pending), callback_of(&back), None)
                .await;
            assert!(again.is_err(), "after {polls} polls");
        }
        assert_eq!(
            (world.token_calls(), store.len()),
            (1, 1),
            "after {polls} polls"
        );
    }
    assert!(whole > 1 && unspent > 1, "{whole} {unspent}");
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Carries nothing on: what its caller drops stands still.
#[derive(Debug)]
struct NothingGoesOn;

impl Runtime for NothingGoesOn {
    fn spawn(&self, task: Work) {
        drop(task);
    }

    fn sleep(&self, duration: Duration) -> Work {
        Box::pin(sleep(duration))
    }
}

#[tokio::test(start_paused = true)]
async fn f38_without_a_runtime_the_next_caller_finishes_the_refresh() {
    let mut dropped_in_flight = 0;
    for polls in 0..MAX_POLLS {
        let world = world();
        let storage = Arc::new(MemoryStorage::new());
        let context = Context::new(world.network.client())
            .clock(WorldClock(world.clock.clone()))
            .runtime(NothingGoesOn);
        let builder = LogtoClient::builder(world.config().clone(), context, Arc::clone(&storage));
        let client = builder.build().unwrap();
        let alice = world.sign_in(&client, "alice").await.session;
        let first = refresh_token_of(alice.snapshot());
        world.logto.reset_counts();
        let target = TokenTarget::resource(SHOPPING_API);
        let ended = poll_and_drop(polls, alice.access_token(&target)).await;
        dropped_in_flight += usize::from(!ended && world.token_calls() > 0);

        let again = client.session(&alice.handle()).await.unwrap().unwrap();
        again.access_token(&target).await.unwrap();
        assert_eq!(world.token_calls(), 1, "after {polls} polls");
        let stored = storage
            .load(&alice.handle(), world.now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            stored
                .session
                .refresh_token()
                .map(|token| token.expose().to_owned()),
            world.logto.latest_refresh_token(&first),
            "after {polls} polls"
        );
        assert_eq!((client.stats().refreshes, client.stats().sessions), (0, 0));
        storage.remove(&alice.handle()).await.unwrap();
    }
    assert!(
        dropped_in_flight > 1,
        "the test has to drop a request in flight: {dropped_in_flight}"
    );
}

//! Two processes with a shared store.

use std::time::Duration;

use logto_client::{AccessToken, Error, TokenTarget};
use logto_tests::stage::{Deployment, Kind, Stage, failed, short, six, well};
use tokio::{task::JoinSet, time::sleep};

const KINDS: [Kind; 3] = [Kind::Confidential, Kind::Public, Kind::Young];

async fn pause(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

/// Signed in, in a store, and the token for [`short`] has expired.
async fn stage(kind: Kind) -> Stage {
    let stage = Stage::signed_in(kind, Deployment::Store).await;
    stage.turning_point().await;
    stage
}

/// Requests that the processes serve by turns, each after its own delay.
async fn by_turns(
    stage: &Stage,
    asking: impl IntoIterator<Item = (f64, TokenTarget)>,
) -> Vec<Result<AccessToken, Error>> {
    let mut visits = JoinSet::new();
    for (n, (delay, target)) in asking.into_iter().enumerate() {
        let (visit, web) = (stage.alice.get("/page"), stage.web(n).clone());
        let delay = Duration::from_secs_f64(delay);
        visits.spawn(async move { visit.token_after(delay, &web, &target).await });
    }
    visits.join_all().await
}

#[tokio::test(start_paused = true)]
async fn s11_a_f36_six_at_once_are_one_call() {
    for kind in KINDS {
        let stage = stage(kind).await;
        let tokens = by_turns(&stage, vec![(0.0, short()); 6]).await;
        let first = tokens[0].as_ref().unwrap();
        assert!(
            tokens.iter().all(|token| token.as_ref().unwrap() == first),
            "the same for all"
        );
        assert_eq!(stage.outcome(failed(&tokens)).await, well(1), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_a_f36_fifty_at_once_are_one_call() {
    let stage = stage(Kind::Public).await;
    let tokens = by_turns(&stage, vec![(0.0, short()); 50]).await;
    assert_eq!(stage.outcome(failed(&tokens)).await, well(1));
}

#[tokio::test(start_paused = true)]
async fn s11_b_f37_six_different_tokens_are_six_calls() {
    for kind in KINDS {
        let stage = stage(kind).await;
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.extend(by_turns(&stage, six().map(|target| (0.0, target))).await);
            pause(1.0).await;
        }
        let session = stage
            .alice
            .get("/")
            .look(stage.web(0))
            .await
            .unwrap()
            .unwrap();
        let stored = session.snapshot().access_tokens();
        assert!(
            six().iter().all(|target| stored.contains_key(target)),
            "no lost update"
        );
        assert_eq!(stage.outcome(failed(&tokens)).await, well(6), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_c_before_and_after_the_grace_is_one_call() {
    for kind in KINDS {
        let stage = stage(kind).await;
        let delays = [0.0, 0.2, 0.4, 4.0, 4.5, 5.0];
        let tokens = by_turns(&stage, delays.map(|delay| (delay, short()))).await;
        assert_eq!(stage.outcome(failed(&tokens)).await, well(1), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_d_a_session_opened_before_another_process_refreshed_is_brought_up_to_date() {
    for kind in KINDS {
        let stage = stage(kind).await;
        let visit = stage.alice.get("/page");
        let opened = stage
            .web(0)
            .session(visit.headers())
            .await
            .unwrap()
            .unwrap();
        pause(0.2).await;
        let other = stage.alice.token(stage.web(1), &short()).await;
        pause(3.8).await;
        let own = opened.access_token(&short()).await;
        assert_eq!(own.as_ref().unwrap(), other.as_ref().unwrap(), "{kind:?}");
        assert_eq!(
            stage.outcome(failed(&[own, other])).await,
            well(1),
            "{kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s11_e_a_place_without_cookies_can_store_all_the_same() {
    for kind in KINDS {
        let stage = stage(kind).await;
        let visit = stage.alice.get("/page");
        let first = visit.token_and_lost_response(stage.web(0), &short()).await;
        pause(5.0).await;
        let second = stage.alice.token(stage.web(1), &short()).await;
        assert_eq!(
            stage.outcome(failed(&[first, second])).await,
            well(1),
            "{kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s11_f_a_minute_of_pages_without_cookies() {
    for kind in [Kind::Confidential300, Kind::Public, Kind::Young] {
        let stage = stage(kind).await;
        let mut tokens = Vec::new();
        for n in 0..13 {
            let visit = stage.alice.get("/page");
            tokens.push(visit.token_and_lost_response(stage.web(n), &short()).await);
            pause(5.0).await;
        }
        assert_eq!(stage.outcome(failed(&tokens)).await, well(4), "{kind:?}");
    }
}

//! Rotation of the refresh token under sequential and parallel requests, and with old cookies: nothing is lost,
//! refused or fetched twice.

use std::time::Duration;

use logto_client::{AccessToken, Error, TokenTarget};
use logto_tests::stage::{Deployment, Kind, Outcome, Stage, failed, short, six, well};
use tokio::{task::JoinSet, time::sleep};

const KINDS: [Kind; 3] = [Kind::Confidential, Kind::Public, Kind::Young];

/// Plays a scenario with every kind of application in every place.
async fn play(
    scenario: impl AsyncFn(&Stage) -> usize,
    expected: impl Fn(Kind, Deployment) -> Outcome,
) {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            let stage = Stage::signed_in(kind, deployment).await;
            let failed = scenario(&stage).await;
            let outcome = stage.outcome(failed).await;
            assert_eq!(
                outcome,
                expected(kind, deployment),
                "{kind:?} {deployment:?}"
            );
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Visits that begin now, with the cookies of now, each of which asks after its own delay.
async fn burst(
    stage: &Stage,
    asking: impl IntoIterator<Item = (f64, TokenTarget)>,
) -> Vec<Result<AccessToken, Error>> {
    let mut visits = JoinSet::new();
    for (n, (delay, target)) in asking.into_iter().enumerate() {
        let (visit, web) = (stage.alice.get("/page"), stage.web(n).clone());
        visits.spawn(async move { visit.token_after(seconds(delay), &web, &target).await });
    }
    visits.join_all().await
}

#[tokio::test(start_paused = true)]
async fn s1_one_request_after_the_other() {
    play(
        async |stage| {
            let mut tokens = Vec::new();
            for n in 1..=44_u8 {
                stage.until(seconds(5.0 * f64::from(n))).await;
                tokens.push(stage.alice.token(stage.web(n.into()), &short()).await);
            }
            failed(&tokens)
        },
        |_, _| well(11),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s2_six_at_once_for_one_token() {
    play(
        async |stage| {
            let mut tokens = vec![stage.alice.token(stage.web(0), &short()).await];
            stage.turning_point().await;
            tokens.extend(burst(stage, vec![(0.0, short()); 6]).await);
            failed(&tokens)
        },
        // Processes with nothing in common refresh at the same moment, one call each.
        |_, deployment| {
            well(if deployment == Deployment::CookiesApart {
                3
            } else {
                2
            })
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_six_at_once_for_six_tokens() {
    play(
        async |stage| {
            stage.turning_point().await;
            let mut tokens = Vec::new();
            for _ in 0..3 {
                tokens.extend(burst(stage, six().map(|target| (0.0, target))).await);
                sleep(seconds(1.0)).await;
            }
            for _ in 0..2 {
                for (n, target) in six().into_iter().enumerate() {
                    tokens.push(stage.alice.token(stage.web(n), &target).await);
                }
            }
            failed(&tokens)
        },
        // Both processes rotate, the browser keeps one cookie of the two, and the process whose cookie
        // that is not has to fetch its three tokens once more.
        |kind, deployment| match (kind, deployment) {
            (Kind::Confidential | Kind::Public, Deployment::CookiesApart) => well(9),
            _ => well(6),
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_one_request_that_needs_six_tokens() {
    play(
        async |stage| {
            stage.turning_point().await;
            let mut tokens = stage.alice.get("/page").tokens(stage.web(0), &six()).await;
            sleep(seconds(1.0)).await;
            tokens.extend(stage.alice.get("/page").tokens(stage.web(1), &six()).await);
            failed(&tokens)
        },
        |_, _| well(6),
    )
    .await;
}

/// S4: visits with one old cookie ask at these times.
async fn old_cookies(delays: &[f64], expected: impl Fn(Kind, Deployment) -> Outcome) {
    play(
        async |stage| {
            let mut tokens = vec![stage.alice.token(stage.web(0), &short()).await];
            stage.turning_point().await;
            tokens.extend(burst(stage, delays.iter().map(|delay| (*delay, short()))).await);
            failed(&tokens)
        },
        expected,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s4_a_old_cookies_every_second() {
    old_cookies(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], |_, deployment| {
        well(if deployment == Deployment::CookiesApart {
            3
        } else {
            2
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn s4_b_old_cookies_before_and_after_the_grace() {
    old_cookies(&[0.0, 0.2, 0.4, 4.0, 4.5, 5.0], |_, deployment| {
        well(if deployment == Deployment::CookiesApart {
            3
        } else {
            2
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn s4_c_a_quick_page_and_a_slow_one() {
    old_cookies(&[0.0, 4.0], |kind, deployment| match (kind, deployment) {
        (Kind::Young, Deployment::CookiesApart) => well(3),
        // A process that never heard of the rotation hears of it from Logto. It cannot know the new
        // token, and does not use the old one: that would end the session.
        (_, Deployment::CookiesApart) => Outcome {
            failed: 1,
            token_calls: 2,
            alive: true,
        },
        _ => well(2),
    })
    .await;
}

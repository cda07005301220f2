//! Every variant of the ways in which sessions are lost elsewhere, against the real engine: the scenarios of the
//! tests in `sessions`, with lifetimes that can be waited for.

use std::time::Duration;

use logto_client::{AccessToken, Cached, Error, SignIn, TokenTarget};
use logto_tests::{
    engine::SHOPPING,
    stage::{BILLING, Deployment, Kind, Outcome, PROBE, codec, failed, short, well},
    visitor::Visitor,
    world::BASE_URL,
};
use tokio::{join, time::sleep};
use url::Url;

use crate::fleet::{Engines, Fleet};

const KINDS: [Kind; 3] = [Kind::Confidential, Kind::Public, Kind::Young];
/// For scenarios that take longer.
const LONG: [Kind; 3] = [Kind::Confidential300, Kind::Public, Kind::Young];

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING)
}

fn six() -> [TokenTarget; 6] {
    let billing = || TokenTarget::resource(BILLING);
    [
        short(),
        shopping(),
        billing(),
        shopping().with_scopes(["read:products"]),
        shopping().with_scopes(["write:products"]),
        billing().with_scopes(["read:products"]),
    ]
}

async fn pause(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

/// Processes with nothing in common refresh at the same moment, one call each.
fn one_call_more_apart(_: Kind, deployment: Deployment) -> Outcome {
    well(if deployment == Deployment::CookiesApart {
        3
    } else {
        2
    })
}

#[tokio::test]
async fn s1_one_request_after_the_other_over_two_rotations() {
    let scenario = async |fleet: &Fleet| {
        let mut tokens = Vec::new();
        for n in 1..=4_u8 {
            // The first finds an expired token, the second the one that the first has fetched.
            for (process, seconds) in [(0, 0.0), (1, 3.0)] {
                fleet.until(12.0 * f64::from(n) + seconds).await;
                tokens.push(fleet.token(process, &short()).await);
            }
        }
        failed(&tokens)
    };
    let engines = Engines::start(&KINDS).await;
    engines
        .play(&Deployment::ALL, scenario, |_, _| well(4))
        .await;
}

#[tokio::test]
async fn s2_six_at_once_for_one_token() {
    let scenario = async |fleet: &Fleet| {
        let mut tokens = vec![fleet.token(0, &short()).await];
        fleet.turning_point().await;
        tokens.extend(fleet.burst(vec![(0.0, short()); 6]).await);
        failed(&tokens)
    };
    let engines = Engines::start(&KINDS).await;
    engines
        .play(&Deployment::ALL, scenario, one_call_more_apart)
        .await;
}

#[tokio::test]
async fn s3_six_at_once_for_six_tokens_in_six_requests_and_in_one() {
    let requests = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.extend(fleet.burst(six().map(|target| (0.0, target))).await);
            pause(1.0).await;
        }
        for _ in 0..2 {
            for (n, target) in six().iter().enumerate() {
                tokens.push(fleet.token(n, target).await);
            }
        }
        failed(&tokens)
    };
    let one_request = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let mut tokens = fleet.alice.get("/page").tokens(fleet.web(0), &six()).await;
        pause(1.0).await;
        tokens.extend(fleet.alice.get("/page").tokens(fleet.web(1), &six()).await);
        failed(&tokens)
    };
    let engines = Engines::start(&KINDS).await;
    join!(
        // Both processes rotate, the browser keeps one cookie of the two, and the process whose cookie
        // that is not has to fetch its three tokens once more.
        engines.play(&Deployment::ALL, requests, |kind, deployment| {
            match (kind, deployment) {
                (Kind::Confidential | Kind::Public, Deployment::CookiesApart) => well(9),
                _ => well(6),
            }
        }),
        engines.play(&Deployment::ALL, one_request, |_, _| well(6)),
    );
}

/// Visits with one old cookie ask at these times.
fn old_cookies(delays: &[f64]) -> impl AsyncFn(&Fleet) -> usize {
    async move |fleet: &Fleet| {
        let mut tokens = vec![fleet.token(0, &short()).await];
        fleet.turning_point().await;
        let asking = delays.iter().map(|delay| (*delay, short()));
        tokens.extend(fleet.burst(asking).await);
        failed(&tokens)
    }
}

#[tokio::test]
async fn s4_old_cookies_within_the_grace_after_it_and_both() {
    let engines = Engines::start(&KINDS).await;
    let (every_second, around, quick_and_slow) = (
        old_cookies(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        old_cookies(&[0.0, 0.2, 0.4, 4.0, 4.5, 5.0]),
        old_cookies(&[0.0, 4.0]),
    );
    join!(
        engines.play(&Deployment::ALL, every_second, one_call_more_apart),
        engines.play(&Deployment::ALL, around, one_call_more_apart),
        engines.play(&Deployment::ALL, quick_and_slow, |kind, deployment| {
            match (kind, deployment) {
                (Kind::Young, Deployment::CookiesApart) => well(3),
                // The process hears from the engine that its refresh token was replaced, and does not
                // use it: that would end the session.
                (_, Deployment::CookiesApart) => Outcome {
                    failed: 1,
                    ..well(2)
                },
                _ => well(2),
            }
        }),
    );
}

/// A page that can only look, in process 0.
async fn look(fleet: &Fleet, target: &TokenTarget) -> Cached {
    let visit = fleet.alice.get("/page");
    let session = visit.look(fleet.web(0)).await.unwrap();
    session.expect("signed in").access_token(target)
}

/// A page that fetches a token where that loses nothing, in process 0.
async fn fetch(fleet: &Fleet) -> Result<Cached, Error> {
    let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
    let session = visit.look(web).await?.expect("signed in");
    web.client().fetch_access_token(&session, &shopping()).await
}

/// A page that can set no cookie, a pause, and one that can.
fn then_writable(
    wait: f64,
    without_cookies: impl AsyncFn(&Fleet) -> Option<AccessToken>,
) -> impl AsyncFn(&Fleet) -> usize {
    async move |fleet: &Fleet| {
        fleet.turning_point().await;
        let first = without_cookies(fleet).await;
        pause(wait).await;
        let second = fleet.token(0, &shopping()).await;
        if let (Some(first), Ok(second)) = (&first, &second) {
            assert_eq!(first, second);
        }
        failed(&[second])
    }
}

#[tokio::test]
async fn s5_one_page_without_cookies_loses_nothing() {
    let engines = Engines::start(&KINDS).await;
    let looked = async |fleet: &Fleet| {
        assert_eq!(look(fleet, &shopping()).await, Cached::NeedsRefresh);
        None
    };
    let unstored = async |fleet: &Fleet| {
        let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
        Some(visit.token_without_storing(web, &shopping()).await.unwrap())
    };
    let lost = async |fleet: &Fleet| {
        let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
        let token = visit.token_and_lost_response(web, &shopping()).await;
        Some(token.unwrap())
    };
    let user_info = async |fleet: &Fleet| {
        let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
        let session = web.session(visit.headers()).await.unwrap().unwrap();
        let target = TokenTarget::user_info();
        session.forget(&target).await.unwrap();
        visit.finish(web, &session);
        assert_eq!(look(fleet, &target).await, Cached::NeedsRefresh);
        let (visit, expected) = (fleet.alice.get("/page"), session.claims());
        let session = web.session(visit.headers()).await.unwrap().unwrap();
        assert_eq!(session.user_info().await.unwrap().sub, expected.sub);
        visit.finish(web, &session);
        None
    };
    // Where nothing is shared, a token that cannot be stored is not fetched.
    let fetched = async |fleet: &Fleet| Some(fetch(fleet).await.unwrap().token().unwrap());
    let refused = async |fleet: &Fleet| {
        assert_eq!(fetch(fleet).await.unwrap(), Cached::NeedsRefresh);
        assert_eq!(fleet.token_calls(), 0);
        None
    };
    let shared = [
        Deployment::CookiesTogether,
        Deployment::Memory,
        Deployment::Store,
    ];
    let nothing_shared = [Deployment::Cookies, Deployment::CookiesApart];
    let all = &Deployment::ALL;
    join!(
        engines.play(&shared, then_writable(5.0, fetched), |_, _| well(1)),
        engines.play(&nothing_shared, then_writable(5.0, refused), |_, _| well(1)),
        engines.play(all, then_writable(1.0, looked), |_, _| well(1)),
        engines.play(all, then_writable(5.0, looked), |_, _| well(1)),
        engines.play(all, then_writable(1.0, unstored), |_, _| well(1)),
        engines.play(all, then_writable(5.0, unstored), |_, _| well(1)),
        engines.play(all, then_writable(5.0, lost), |_, _| well(1)),
        engines.play(all, then_writable(5.0, user_info), |_, _| well(2)),
    );
}

#[tokio::test]
async fn s6_many_pages_without_cookies_lose_nothing() {
    let looking = |views: usize, interval: f64| {
        async move |fleet: &Fleet| {
            fleet.turning_point().await;
            for _ in 0..views {
                assert_eq!(look(fleet, &short()).await, Cached::NeedsRefresh);
                pause(interval).await;
            }
            0
        }
    };
    let fetching = |views: usize, interval: f64| {
        async move |fleet: &Fleet| {
            fleet.turning_point().await;
            let mut tokens = Vec::new();
            for _ in 0..views {
                let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
                tokens.push(visit.token_without_storing(web, &short()).await);
                pause(interval).await;
            }
            failed(&tokens)
        }
    };
    let ahead = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let mut missing = failed(&[fleet.token(0, &short()).await]);
        for _ in 0..2 {
            let (visit, web) = (fleet.alice.get("/layer"), fleet.web(0));
            let session = web.session(visit.headers()).await.unwrap().unwrap();
            // No more than a quarter of the life of a token.
            let ahead = Duration::from_secs(2);
            for (_, fetched) in session.refresh_ahead(&[short()], ahead).await {
                fetched.unwrap();
            }
            visit.finish(web, &session);
            missing += usize::from(look(fleet, &short()).await == Cached::NeedsRefresh);
            pause(7.0).await;
        }
        missing
    };
    let engines = Engines::start(&LONG).await;
    let all = &Deployment::ALL;
    join!(
        engines.play(all, looking(3, 1.5), |_, _| well(0)),
        engines.play(all, looking(1, 4.0), |_, _| well(0)),
        engines.play(all, fetching(4, 5.0), |_, _| well(2)),
        engines.play(all, fetching(2, 10.0), |_, _| well(2)),
        engines.play(all, ahead, |_, _| well(2)),
    );
}

#[tokio::test]
async fn s7_of_two_tabs_both_sign_in_and_land_where_they_wanted() {
    let tabs = |a_first: bool| {
        async move |fleet: &Fleet| {
            fleet
                .alice
                .cookies()
                .keys()
                .for_each(|name| fleet.alice.lose(name));
            let mut tabs = Vec::new();
            for (n, path) in ["/a", "/b"].into_iter().enumerate() {
                let url = fleet.start(n, &SignIn::new().return_to(path)).await;
                tabs.push((url, path));
            }
            if !a_first {
                tabs.reverse();
            }
            for (n, (url, path)) in tabs.iter().enumerate() {
                let landed = fleet.come_back(n, url).await;
                assert_eq!(landed.as_str(), format!("{BASE_URL}{path}"));
                assert!(fleet.alice.is_signed_in(fleet.web(n)).await);
            }
            0
        }
    };
    let engines = Engines::start(&KINDS).await;
    join!(
        engines.play(&Deployment::ALL, tabs(true), |_, _| well(2)),
        engines.play(&Deployment::ALL, tabs(false), |_, _| well(2)),
    );
}

#[tokio::test]
async fn s8_a_session_in_several_cookies_is_kept_over_a_rotation() {
    let view = || {
        [
            six()[0].clone(),
            six()[1].clone(),
            six()[2].clone(),
            six()[3].clone(),
        ]
    };
    let growing = |after_rotation: std::ops::Range<usize>| {
        async move |fleet: &Fleet| {
            let mut tokens = Vec::new();
            for seconds in [1.0, 3.0] {
                fleet.until(seconds).await;
                for target in &view() {
                    tokens.push(fleet.token(0, target).await);
                }
            }
            assert_eq!(fleet.token_calls(), 4, "each token once");
            fleet.turning_point().await;
            for target in &view()[after_rotation.clone()] {
                tokens.push(fleet.token(0, target).await);
            }
            pause(5.0).await;
            tokens.push(fleet.token(0, &short()).await);
            let piece = format!("{}.t1", codec().name());
            assert!(fleet.alice.cookies().contains_key(&piece));
            failed(&tokens)
        }
    };
    let engines = Engines::start(&KINDS).await;
    let deployment = &[Deployment::Cookies];
    join!(
        engines.play(deployment, growing(2..3), |_, _| well(5)),
        engines.play(deployment, growing(0..1), |_, _| well(5)),
        engines.play(deployment, growing(0..4), |_, _| well(5)),
    );
}

#[tokio::test]
async fn s9_a_sign_in_that_is_given_up_or_cancelled_ends_nothing() {
    let given_up = |cancelled: bool| {
        async move |fleet: &Fleet| {
            let first = fleet.token(0, &short()).await;
            let url = fleet.start(0, &SignIn::new()).await;
            if cancelled {
                fleet.alice.come_back(fleet.web(0), &denied(&url)).await;
            }
            assert!(fleet.alice.is_signed_in(fleet.web(0)).await);
            failed(&[first, fleet.token(0, &short()).await])
        }
    };
    let engines = Engines::start(&KINDS).await;
    join!(
        engines.play(&Deployment::ALL, given_up(false), |_, _| well(1)),
        engines.play(&Deployment::ALL, given_up(true), |_, _| well(1)),
    );
}

/// The callback of a user who cancels.
fn denied(authorization_url: &Url) -> Url {
    let state = authorization_url
        .query_pairs()
        .find(|(name, _)| name == "state");
    let issuer = authorization_url.join("/oidc").unwrap();
    let mut callback = Url::parse(&format!("{BASE_URL}/callback")).unwrap();
    callback
        .query_pairs_mut()
        .append_pair("error", "access_denied")
        .append_pair("state", &state.unwrap().1)
        .append_pair("iss", issuer.as_str());
    callback
}

#[tokio::test]
async fn s11_two_processes_on_one_store_send_one_request_for_each_token() {
    let at_once = async |fleet: &Fleet| {
        fleet.turning_point().await;
        failed(&fleet.burst(vec![(0.0, shopping()); 6]).await)
    };
    let different = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.extend(fleet.burst(six().map(|target| (0.0, target))).await);
            pause(1.0).await;
        }
        failed(&tokens)
    };
    let around = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let delays = [0.0, 0.2, 0.4, 4.0, 4.5, 5.0];
        failed(&fleet.burst(delays.map(|delay| (delay, shopping()))).await)
    };
    let opened_before = async |fleet: &Fleet| {
        fleet.turning_point().await;
        let visit = fleet.alice.get("/page");
        let opened = fleet
            .web(0)
            .session(visit.headers())
            .await
            .unwrap()
            .unwrap();
        pause(0.2).await;
        let other = fleet.token(1, &shopping()).await;
        pause(3.8).await;
        let own = opened.access_token(&shopping()).await;
        assert_eq!(own.as_ref().unwrap(), other.as_ref().unwrap());
        failed(&[own, other])
    };
    let without_cookies = |views: usize| {
        async move |fleet: &Fleet| {
            fleet.turning_point().await;
            let mut tokens = Vec::new();
            for n in 0..views {
                let (visit, web) = (fleet.alice.get("/page"), fleet.web(n));
                tokens.push(visit.token_and_lost_response(web, &short()).await);
                pause(5.0).await;
            }
            tokens.push(fleet.token(1, &shopping()).await);
            failed(&tokens)
        }
    };
    let engines = Engines::start(&KINDS).await;
    let deployment = &[Deployment::Store];
    join!(
        engines.play(deployment, at_once, |_, _| well(1)),
        engines.play(deployment, different, |_, _| well(6)),
        engines.play(deployment, around, |_, _| well(1)),
        engines.play(deployment, opened_before, |_, _| well(1)),
        engines.play(deployment, without_cookies(1), |_, _| well(2)),
        engines.play(deployment, without_cookies(4), |_, _| well(3)),
    );
}

fn ended(token_calls: usize) -> Outcome {
    Outcome {
        alive: false,
        ..well(token_calls)
    }
}

#[tokio::test]
async fn s13_a_planted_session_is_worth_nothing_and_a_sign_out_is_final() {
    let planted = |unknown: bool| {
        async move |fleet: &Fleet| {
            let (alice, name) = (&fleet.alice, codec().name().to_owned());
            let planted = match (alice.cookies().remove(&name).unwrap(), unknown) {
                (own, false) => own,
                (own, true) => "A".repeat(own.len()),
            };
            alice.cookies().keys().for_each(|name| alice.lose(name));
            alice.plant(&name, &planted);
            fleet.sign_in().await;
            assert_ne!(alice.cookies()[&name], planted);
            let thief = Visitor::of_another_provider();
            thief.plant(&name, &planted);
            assert!(!thief.is_signed_in(fleet.web(0)).await);
            0
        }
    };
    let signed_out = async |fleet: &Fleet| {
        let (alice, web) = (&fleet.alice, fleet.web(0));
        alice.token(web, &short()).await.unwrap();
        let copy = alice.copied();
        alice.sign_out(web).await;
        assert!(alice.cookies().is_empty(), "{:?}", alice.cookies().keys());
        pause(1.0).await;
        assert!(!copy.is_signed_in(web).await);
        assert!(copy.token(web, &short()).await.is_err());
        // No other process gets a new token for the copy.
        assert!(fleet.token(1, &TokenTarget::resource(PROBE)).await.is_err());
        assert!(
            copy.token(fleet.web(1), &TokenTarget::resource(PROBE))
                .await
                .is_err()
        );
        0
    };
    let in_flight = async |fleet: &Fleet| {
        let (visit, web) = (fleet.alice.get("/page"), fleet.web(0));
        let page = async {
            let session = web.session(visit.headers()).await.unwrap().unwrap();
            let token = session.access_token(&short()).await;
            pause(1.5).await;
            visit.finish(web, &session);
            token
        };
        let leaving = async {
            pause(0.7).await;
            fleet.alice.sign_out(web).await;
        };
        let (token, ()) = join!(page, leaving);
        assert!(!fleet.alice.is_signed_in(web).await);
        assert!(fleet.alice.cookies().is_empty());
        failed(&[token])
    };
    let engines = Engines::start(&KINDS).await;
    let all = &Deployment::ALL;
    join!(
        engines.play(all, planted(false), |_, _| well(1)),
        engines.play(all, planted(true), |_, _| well(1)),
        engines.play(all, signed_out, |_, _| ended(1)),
        engines.play(all, in_flight, |_, _| ended(1)),
    );
}

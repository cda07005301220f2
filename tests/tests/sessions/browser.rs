//! Several tabs, uncompleted sign-ins, oversized cookies, and what remains after a sign-out.

use std::time::Duration;

use http::StatusCode;
use logto_client::{SignIn, TokenTarget, web::LogtoWeb};
use logto_testkit::{
    Endpoint, Organization,
    demo::{ACME, SHOPPING_API},
};
use logto_tests::{
    stage::{Deployment, Kind, PROBE, Stage, codec, cookie_storage, failed, key_ring, short, well},
    visitor::{Visitor, location},
    world::{BASE_URL, World, refresh_token_of},
};
use tokio::time::sleep;

const KINDS: [Kind; 3] = [Kind::Confidential, Kind::Public, Kind::Young];

fn probe() -> TokenTarget {
    TokenTarget::resource(PROBE)
}

async fn pause(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn s7_two_tabs_both_complete_and_land_where_they_wanted() {
    for deployment in Deployment::ALL {
        for a_first in [true, false] {
            let stage = Stage::empty(Kind::Public, deployment).await;
            let alice = &stage.alice;
            let to = |path: &'static str| SignIn::new().return_to(path);
            let a = alice.start_sign_in_with(stage.web(0), &to("/a")).await;
            let b = alice.start_sign_in_with(stage.web(1), &to("/b")).await;
            let mut tabs = [(a, "/a"), (b, "/b")];
            if !a_first {
                tabs.reverse();
            }
            for (n, (url, path)) in tabs.iter().enumerate() {
                let callback = alice.consent(url, "alice");
                let response = alice.come_back(stage.web(n), &callback).await;
                assert_eq!(
                    location(&response).as_str(),
                    format!("{BASE_URL}{path}"),
                    "{deployment:?}"
                );
                assert!(alice.is_signed_in(stage.web(n)).await);
            }
            // The second sign-in shares its grant at Logto with the first, whose session it replaced.
            let outcome = stage.outcome(0).await;
            assert_eq!(outcome, well(2), "{deployment:?}");
            assert_eq!(stage.world.logto.count(Endpoint::Revocation), 0);
            let mut cookies = alice.cookies();
            cookies.retain(|name, _| !name.contains('.'));
            assert_eq!(cookies.len(), 1, "{:?}", cookies.keys());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s8_every_cookie_fits_and_nothing_is_fetched_twice() {
    let view = [
        short(),
        TokenTarget::organization(ACME),
        TokenTarget::organization("initech"),
        TokenTarget::resource(SHOPPING_API).in_organization(ACME),
    ];
    for (last, calls) in [(&view[2..3], 5), (&view[..1], 5), (&view[..], 5)] {
        let stage = Stage::signed_in(Kind::Confidential, Deployment::Cookies).await;
        let mut tokens = Vec::new();
        for round in [3, 6] {
            stage.until(Duration::from_secs(round)).await;
            for target in &view {
                tokens.push(stage.alice.token(stage.web(0), target).await);
            }
        }
        assert_eq!(stage.token_calls(), 4, "each token once");
        stage.turning_point().await;
        for target in last {
            tokens.push(stage.alice.token(stage.web(0), target).await);
        }
        pause(5).await;
        tokens.push(stage.alice.token(stage.web(0), &short()).await);
        assert_eq!(stage.outcome(failed(&tokens)).await, well(calls));
        assert!(
            stage.alice.longest_header() <= 8_192,
            "{}",
            stage.alice.longest_header()
        );
        assert!(
            stage.alice.longest_header() > 4_096,
            "the session is in several cookies"
        );
        assert!(
            stage
                .alice
                .cookies()
                .contains_key(&format!("{}.t1", codec().name()))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s8_b6_the_member_of_a_thousand_organizations_signs_in_with_cookies() {
    let world = World::public(
        |app| app,
        |tenant| {
            (0..1_000).fold(tenant, |tenant, n| {
                let id = format!("organization{n:04}");
                tenant.organization(Organization::new(id, "One").member("alice", ["member"]))
            })
        },
    );
    let client = world.client(cookie_storage(&world));
    let web = LogtoWeb::new(client, codec(), key_ring());
    let alice = Visitor::new(&world.logto);
    alice.sign_in(&web, "alice").await;
    for _ in 0..2 {
        alice
            .token(&web, &TokenTarget::organization("organization0999"))
            .await
            .unwrap();
        let visit = alice.get("/page");
        let session = web.session(visit.headers()).await.unwrap().unwrap();
        assert_eq!(
            session.claims().user.email.value().map(String::as_str),
            Some("alice@example.com")
        );
        assert!(
            session.claims().user.organizations.is_absent(),
            "for want of room"
        );
        assert!(
            session.organizations().await.unwrap().len() >= 1_000,
            "from userinfo"
        );
        visit.finish(&web, &session);
        world.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(alice.ignored_cookies(), 0);
    assert!(alice.longest_header() <= 8_192);
    assert_eq!(world.logto.late_replays(), 0);
}

#[tokio::test(start_paused = true)]
async fn s9_a_sign_in_that_is_not_finished_ends_nothing() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            for denied in [false, true] {
                let stage = Stage::signed_in(kind, deployment).await;
                let (alice, web) = (&stage.alice, stage.web(0));
                let first = alice.token(web, &short()).await;
                let url = alice.start_sign_in(web).await;
                if denied {
                    let callback = stage.world.logto.deny(&url, "access_denied").unwrap();
                    let response = alice.come_back(web, &callback).await;
                    assert_ne!(response.status(), StatusCode::SEE_OTHER);
                }
                assert!(alice.is_signed_in(web).await, "{kind:?} {deployment:?}");
                let again = alice.token(web, &short()).await;
                assert_eq!(
                    stage.outcome(failed(&[first, again])).await,
                    well(1),
                    "{kind:?} {deployment:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s9_b16_signing_in_again_replaces_the_session_and_leaves_nothing_of_it() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            for user in ["alice", "bob"] {
                let stage = Stage::signed_in(kind, deployment).await;
                let (alice, web) = (&stage.alice, stage.web(0));
                let before = alice.token(web, &short()).await.unwrap();
                let copy = alice.copied();
                if user == "bob" {
                    alice.leave_logto();
                }
                alice.sign_in(web, user).await;

                let now = alice.get("/").look(web).await.unwrap().unwrap();
                assert_eq!(
                    now.claims().user.email.value().unwrap(),
                    &format!("{user}@example.com")
                );
                assert_eq!(
                    now.snapshot().access_tokens().len(),
                    1,
                    "only that of the sign-in"
                );
                assert_ne!(alice.token(web, &short()).await.unwrap(), before);
                assert!(
                    copy.token(web, &short()).await.is_err(),
                    "the old session is over"
                );
                assert_eq!(
                    stage.outcome(0).await,
                    well(3),
                    "{kind:?} {deployment:?} {user}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s13_b10_a_planted_handle_is_worth_nothing_after_the_sign_in() {
    let name = codec().name().to_owned();
    for deployment in Deployment::ALL {
        let stage = Stage::empty(Kind::Confidential, deployment).await;
        let mallory = Visitor::new(&stage.world.logto);
        mallory.sign_in(stage.web(0), "bob").await;
        let own = mallory.cookies().remove(&name).unwrap();
        let unknown = "A".repeat(own.len());
        for planted in [own, unknown] {
            stage.alice.plant(&name, &planted);
            stage.alice.sign_in(stage.web(0), "alice").await;
            assert_ne!(stage.alice.cookies()[&name], planted);
            let thief = Visitor::new(&stage.world.logto);
            thief.plant(&name, &planted);
            assert!(!thief.is_signed_in(stage.web(0)).await, "{deployment:?}");
            assert!(stage.alice.token(stage.web(0), &probe()).await.is_ok());
            stage.alice.sign_out(stage.web(0)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s13_signing_out_leaves_no_record_no_cookie_and_no_token() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            let stage = Stage::signed_in(kind, deployment).await;
            let (alice, web) = (&stage.alice, stage.web(0));
            alice.token(web, &short()).await.unwrap();
            let copy = alice.copied();
            let refresh_token = refresh_token(&stage).await;

            let response = alice.sign_out(web).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            assert!(alice.cookies().is_empty(), "{:?}", alice.cookies().keys());
            assert!(stage.store.is_empty());
            pause(1).await;
            assert!(
                !stage.world.logto.grant_is_alive(&refresh_token),
                "{kind:?} {deployment:?}"
            );

            assert!(
                !copy.is_signed_in(web).await,
                "a copied cookie, {deployment:?}"
            );
            assert!(
                copy.token(web, &short()).await.is_err(),
                "not even a cached token"
            );
            assert!(copy.token(web, &probe()).await.is_err());
        }
    }
}

/// Another process cannot know of it when sessions are in cookies and nothing is shared: it goes on to hand out what the copied
/// cookie holds, and nothing more.
#[tokio::test(start_paused = true)]
async fn s13_a_copied_cookie_at_another_process_gets_no_new_token() {
    for deployment in [
        Deployment::CookiesApart,
        Deployment::CookiesTogether,
        Deployment::Store,
    ] {
        let stage = Stage::signed_in(Kind::Confidential, deployment).await;
        stage.alice.token(stage.web(0), &short()).await.unwrap();
        let copy = stage.alice.copied();
        stage.alice.sign_out(stage.web(0)).await;
        pause(1).await;
        assert_eq!(
            copy.is_signed_in(stage.web(1)).await,
            deployment == Deployment::CookiesApart,
            "{deployment:?}"
        );
        assert!(copy.token(stage.web(1), &probe()).await.is_err());
        // A process that is alone with a cookie first takes it for an old one.
        pause(60).await;
        assert!(copy.token(stage.web(1), &probe()).await.is_err());
        assert!(
            !copy.is_signed_in(stage.web(1)).await,
            "and that it has learned"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s13_a_page_that_ends_after_the_sign_out_brings_nothing_back() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            // The page has its token before the sign-out, or waits for it meanwhile.
            for slow_answer in [false, true] {
                let stage = Stage::signed_in(kind, deployment).await;
                stage.turning_point().await;
                let (alice, web) = (&stage.alice, stage.web(0));
                if slow_answer {
                    stage.world.network.set_latency(Duration::from_secs(1));
                }
                let page = {
                    let (visit, web) = (alice.get("/page"), web.clone());
                    tokio::spawn(async move {
                        let session = web.session(visit.headers()).await.unwrap().unwrap();
                        let token = session.access_token(&short()).await;
                        sleep(Duration::from_millis(1500)).await;
                        visit.finish(&web, &session);
                        token
                    })
                };
                sleep(Duration::from_millis(700)).await;
                alice.sign_out(web).await;
                page.await.unwrap().unwrap();
                assert!(
                    !alice.is_signed_in(web).await,
                    "{kind:?} {deployment:?} {slow_answer}"
                );
                assert!(alice.token(web, &probe()).await.is_err());
                assert!(stage.store.is_empty());
                assert!(alice.cookies().is_empty(), "{:?}", alice.cookies().keys());
            }
        }
    }
}

/// The refresh token that alice's session holds.
async fn refresh_token(stage: &Stage) -> String {
    let session = stage
        .alice
        .get("/")
        .look(stage.web(0))
        .await
        .unwrap()
        .unwrap();
    refresh_token_of(session.snapshot())
}

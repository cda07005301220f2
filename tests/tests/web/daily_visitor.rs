//! A user who comes every day and only looks: signed in until the session has reached its longest lifetime, and
//! told so then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode, header};
use logto_client::{
    BuildError, LogtoClientBuilder, TokenTarget, UnixTime,
    clock::Clock,
    error::SessionEnd,
    event::Event,
    seal::{Purpose, SealContext},
    web::{Guarded, LogtoWeb},
};
use logto_storage::{ExternalStorage, MemoryStorage};
use logto_testkit::{Endpoint, Fault, demo::SHOPPING_API};
use logto_tests::{
    shared::MapStore,
    stage::{codec, cookie_storage, key_ring},
    visitor::{Visit, Visitor},
    world::{World, WorldClock, refresh_token_of},
};
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);

/// Where sessions are. The stores with a server of their own run through the same days in the conformance suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deployment {
    Cookies,
    Memory,
    Store,
}

const PLACES: [Deployment; 3] = [Deployment::Cookies, Deployment::Memory, Deployment::Store];

/// How a page looks at the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Require,
    Session,
    ReadOnly,
    User,
}

const PAGES: [Page; 4] = [Page::Require, Page::Session, Page::ReadOnly, Page::User];

impl Page {
    /// Whether somebody is signed in, and the headers of the response.
    async fn serve(self, visit: &Visit, web: &LogtoWeb) -> (bool, HeaderMap) {
        let (request, mut response) = (visit.headers(), HeaderMap::new());
        let is_signed_in = match self {
            Self::Require => match web.require(visit.parts(), "/sign-in").await {
                Guarded::Session(session) => {
                    web.finish(request, Some(&session), &mut response).unwrap();
                    true
                }
                Guarded::Answer(answer) => {
                    response = answer.headers().clone();
                    false
                }
            },
            Self::Session => {
                let session = web.session(request).await.unwrap();
                web.finish(request, session.as_ref(), &mut response)
                    .unwrap();
                session.is_some()
            }
            Self::ReadOnly => {
                let session = web.read_only_session(request).await.unwrap();
                web.finish(request, None, &mut response).unwrap();
                session.is_some()
            }
            Self::User => {
                let answer = web.user(request).await.unwrap();
                response = answer.headers().clone();
                let body: Value = serde_json::from_slice(answer.body()).unwrap();
                body["is_authenticated"] == true
            }
        };
        (is_signed_in, response)
    }
}

fn client_builder(world: &World, deployment: Deployment) -> LogtoClientBuilder {
    match deployment {
        Deployment::Cookies => world.client_builder(cookie_storage(world)),
        Deployment::Memory => world.client_builder(MemoryStorage::new()),
        Deployment::Store => {
            let store = MapStore::default();
            world.client_builder(ExternalStorage::new(store, key_ring(), world.config()))
        }
    }
}

fn process(world: &World, deployment: Deployment) -> LogtoWeb {
    let client = client_builder(world, deployment).build().unwrap();
    LogtoWeb::new(client, codec(), key_ring())
}

async fn signed_in(world: &World, web: &LogtoWeb) -> Visitor {
    let alice = Visitor::new(&world.logto);
    alice.sign_in(web, "alice").await;
    alice
}

async fn look(page: Page, alice: &Visitor, web: &LogtoWeb) -> bool {
    let visit = alice.get("/page");
    let (is_signed_in, response) = page.serve(&visit, web).await;
    alice.receive(&response);
    is_signed_in
}

fn set_cookies(response: &HeaderMap) -> Vec<&str> {
    let values = response.get_all(header::SET_COOKIE).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn s14_a_daily_visitor_who_only_looks_is_signed_in_through_day_179_and_told_on_day_180() {
    for deployment in PLACES {
        for page in PAGES {
            let world = World::new();
            let web = process(&world, deployment);
            let alice = signed_in(&world, &web).await;
            for day in 1..180 {
                world.clock.advance(DAY);
                let visit = alice.get("/page");
                let (is_signed_in, response) = page.serve(&visit, &web).await;
                assert!(is_signed_in, "{deployment:?} {page:?}: day {day}");
                alice.receive(&response);
                // The second page of the day has nothing to set.
                let (_, again) = page.serve(&alice.get("/page"), &web).await;
                assert_eq!(
                    set_cookies(&again),
                    [""; 0],
                    "{deployment:?} {page:?}: day {day}"
                );
            }
            assert_eq!(world.events.ended_sessions(), 0, "{deployment:?} {page:?}");

            world.clock.advance(DAY);
            let visit = alice.get("/page");
            let (is_signed_in, response) = page.serve(&visit, &web).await;
            assert!(!is_signed_in, "{deployment:?} {page:?}");
            let end = Some(SessionEnd::LifetimeReached);
            assert_eq!(
                web.session_end(visit.headers()),
                end,
                "{deployment:?} {page:?}"
            );
            alice.receive(&response);
            assert_eq!(alice.cookies().len(), 1, "only that of the browser");
            assert!(look(page, &alice, &web).await || alice.cookies().len() == 1);
            let told = world.events.count(|event| {
                let reason = SessionEnd::LifetimeReached;
                matches!(event, Event::SessionEnded { reason: told, .. } if *told == reason)
            });
            assert_eq!(told, 1, "{deployment:?} {page:?}");
            assert_eq!(web.session_end(alice.get("/page").headers()), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s14_a_script_is_told_that_the_session_has_reached_its_longest_lifetime() {
    for deployment in PLACES {
        let world = World::new();
        let web = process(&world, deployment);
        let alice = signed_in(&world, &web).await;
        for _ in 1..180 {
            world.clock.advance(DAY);
            assert!(look(Page::Session, &alice, &web).await);
        }
        world.clock.advance(DAY);
        let mut visit = alice.get("/data").parts().clone();
        visit.headers.remove("sec-fetch-mode");
        visit.headers.remove("sec-fetch-dest");
        visit.method = Method::POST;
        let Guarded::Answer(answer) = web.require(&visit, "/sign-in").await else {
            panic!("{deployment:?}: the session is over");
        };
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["error"], "session_lifetime_reached", "{deployment:?}");
        let user = web.user(&visit.headers).await.unwrap();
        let body: Value = serde_json::from_slice(user.body()).unwrap();
        assert_eq!(body["ended"], "session_lifetime_reached", "{deployment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s14_who_does_not_come_for_fourteen_days_is_signed_out() {
    for deployment in PLACES {
        for page in PAGES {
            for (away, is_signed_in) in
                [(DAY * 14 - Duration::from_secs(1), true), (DAY * 14, false)]
            {
                let world = World::new();
                let web = process(&world, deployment);
                let alice = signed_in(&world, &web).await;
                for _ in 0..5 {
                    world.clock.advance(DAY);
                    assert!(look(page, &alice, &web).await);
                }
                world.clock.advance(away);
                let found = look(page, &alice, &web).await;
                assert_eq!(found, is_signed_in, "{deployment:?} {page:?} {away:?}");
                assert_eq!(world.events.ended_sessions(), 0, "{deployment:?} {page:?}");
            }
        }
    }
}

/// Two processes share nothing but the browser. One is asked for a page that only looks; meanwhile another replaces
/// the refresh token; the response of the first arrives last.
#[tokio::test(start_paused = true)]
async fn s14_a_page_that_only_looks_never_puts_an_old_session_over_a_new_one() {
    for page in PAGES {
        let world = World::public(|app| app, |tenant| tenant);
        let web = [(); 2].map(|()| process(&world, Deployment::Cookies));
        let alice = signed_in(&world, &web[0]).await;
        world.clock.advance(DAY * 2);

        let visit = alice.get("/page");
        let (is_signed_in, late) = page.serve(&visit, &web[0]).await;
        assert!(is_signed_in, "{page:?}");
        let api = TokenTarget::resource(SHOPPING_API);
        alice.token(&web[1], &api).await.unwrap();
        let newest = alice.cookies()[codec().name()].clone();
        alice.receive(&late);
        assert_eq!(alice.cookies()[codec().name()], newest, "{page:?}");

        // Longer than a replaced token is forgiven, and than any access token lives.
        world.clock.advance(DAY);
        for web in &web {
            alice.token(web, &api).await.unwrap();
            world.clock.advance(Duration::from_secs(7_200));
        }
        assert_eq!(world.logto.late_replays(), 0, "{page:?}");
        assert_eq!(world.events.ended_sessions(), 0, "{page:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s14_the_mark_of_a_session_in_use_is_small_and_goes_with_the_session() {
    let world = World::new();
    let web = process(&world, Deployment::Cookies);
    let alice = signed_in(&world, &web).await;
    let value = alice.cookies()[codec().name()].clone();
    for _ in 0..3 {
        world.clock.advance(DAY);
        let (_, response) = Page::ReadOnly.serve(&alice.get("/page"), &web).await;
        let [mark] = set_cookies(&response)[..] else {
            panic!("one cookie a day: {response:?}");
        };
        assert!(mark.len() < 200, "{mark}");
        let attributes = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=16761600";
        assert!(mark.ends_with(attributes), "{mark}");
        alice.receive(&response);
        assert_eq!(alice.cookies()[codec().name()], value);
        assert_eq!(alice.cookies().len(), 4, "value, token, mark, browser");
    }
    alice.sign_out(&web).await;
    assert!(alice.cookies().is_empty(), "{:?}", alice.cookies().keys());
}

/// Marks that must prolong nothing: of another session, of the user's own earlier session, tampered with, from
/// further in the future than a session may be idle, or the text of another part.
#[tokio::test(start_paused = true)]
async fn s14_no_mark_prolongs_what_it_was_not_made_for() {
    let slot = format!("{}.t7", codec().name());
    let mark_of = |visitor: &Visitor| {
        let cookies = visitor.cookies();
        let is_mark = |(name, value): &(&String, &String)| name.contains(".t") && value.len() == 52;
        let mark = cookies.iter().find(is_mark).map(|(_, value)| value.clone());
        mark.expect("there is a mark")
    };
    for case in ["foreign", "earlier", "tampered", "future", "none"] {
        let world = World::new();
        let web = process(&world, Deployment::Cookies);
        let bob = Visitor::new(&world.logto);
        bob.sign_in(&web, "bob").await;
        let alice = signed_in(&world, &web).await;
        let mut earlier = String::new();
        if case == "earlier" {
            world.clock.advance(DAY);
            assert!(look(Page::User, &alice, &web).await);
            earlier = mark_of(&alice);
            alice.sign_in(&web, "alice").await;
        }
        let before = alice.cookies();
        for _ in 0..10 {
            world.clock.advance(DAY);
            assert!(look(Page::ReadOnly, &alice, &web).await, "{case}");
            assert!(look(Page::ReadOnly, &bob, &web).await, "{case}");
        }
        let own = mark_of(&alice);
        let planted = match case {
            "foreign" => mark_of(&bob),
            "earlier" => earlier,
            "tampered" => own.replace(&own[30..31], if &own[30..31] == "A" { "B" } else { "A" }),
            "future" => {
                // Sealed as it should be, by a clock that was ahead.
                let session = alice.get("/").look(&web).await.unwrap().unwrap();
                let id = base64::Engine::encode(
                    &base64::prelude::BASE64_URL_SAFE_NO_PAD,
                    session.snapshot().id().as_bytes(),
                );
                let later = world.now().plus(DAY * 30).as_secs().to_be_bytes();
                let name = format!("{}.{id}", codec().name());
                let context = SealContext {
                    purpose: Purpose::LastUse,
                    name: &name,
                    issuer: world.config().issuer(),
                    app_id: world.config().app_id(),
                };
                let entropy = logto_client::entropy::OsEntropy;
                let sealed = key_ring().seal(&context, &later, &entropy).unwrap();
                base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, sealed)
            }
            _ => own,
        };
        // The browser loses its own mark; five days later the value alone is too old.
        let mut cookies = alice.cookies();
        cookies.retain(|name, _| name.contains(".t"));
        cookies.keys().for_each(|name| alice.lose(name));
        if case != "none" {
            alice.plant(&slot, &planted);
        }
        world.clock.advance(DAY * 5);
        assert_eq!(alice.cookies()[codec().name()], before[codec().name()]);
        assert!(!look(Page::ReadOnly, &alice, &web).await, "{case}");
    }
}

/// The clock of the application as it is, or wrong by some seconds.
#[derive(Clone, Debug)]
struct Unsteady(WorldClock, Arc<AtomicI64>);

impl Clock for Unsteady {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.now().as_secs() + self.1.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

#[tokio::test(start_paused = true)]
async fn s14_a_clock_that_is_wrong_for_a_while_signs_no_daily_visitor_out() {
    const HOUR: i64 = 3_600;
    for deployment in PLACES {
        for page in PAGES {
            for hours in [-24 * 300, -24 * 13, -25, -1, 1, 25, 24 * 5, 24 * 12] {
                let world = World::new();
                let wrong_by = Arc::new(AtomicI64::new(0));
                let clock = Unsteady(WorldClock(world.clock.clone()), Arc::clone(&wrong_by));
                let client = client_builder(&world, deployment)
                    .clock(clock)
                    .build()
                    .unwrap();
                let web = LogtoWeb::new(client, codec(), key_ring());
                let alice = signed_in(&world, &web).await;
                for day in 0..30 {
                    let is_wrong = day % 12 == 11;
                    wrong_by.store(if is_wrong { hours * HOUR } else { 0 }, Ordering::Relaxed);
                    let told = format!("{deployment:?} {page:?} {hours} {day}");
                    for _ in 0..2 {
                        assert!(look(page, &alice, &web).await, "{told}");
                        web.client().drain().await;
                    }
                    world.clock.advance(DAY);
                }
            }
        }
    }
}

/// The sign-in gives a refresh token of 14 days. Pages never ask for a token.
#[tokio::test(start_paused = true)]
async fn s14_a_refresh_token_that_nobody_spends_is_spent_past_70_percent_of_its_life() {
    for deployment in PLACES {
        for page in PAGES {
            let world = World::new();
            let web = process(&world, deployment);
            let alice = signed_in(&world, &web).await;
            let first = refresh_token(&alice, &web).await;
            for (day, replaced) in [(9, false), (1, true)] {
                world.clock.advance(DAY * day);
                assert!(look(page, &alice, &web).await);
                web.client().drain().await;
                let replaced =
                    replaced && (page != Page::ReadOnly || deployment != Deployment::Cookies);
                let now = refresh_token(&alice, &web).await;
                assert_eq!(now != first, replaced, "{deployment:?} {page:?} {day}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s14_what_the_lifetime_of_refresh_tokens_is_can_be_said() {
    let day = |app: logto_testkit::App| app.refresh_token_ttl(DAY);
    let world = World::with(day, |logto| logto);
    let builder = || world.client_builder(MemoryStorage::new());
    let client = builder().refresh_token_lifetime(DAY).build().unwrap();
    let web = LogtoWeb::new(client, codec(), key_ring());
    let alice = signed_in(&world, &web).await;
    for _ in 0..10 {
        world.clock.advance(DAY / 4 * 3);
        assert!(look(Page::ReadOnly, &alice, &web).await);
        web.client().drain().await;
    }
    alice
        .token(&web, &TokenTarget::resource(SHOPPING_API))
        .await
        .unwrap();
    let zero = builder().refresh_token_lifetime(Duration::ZERO).build();
    assert!(matches!(
        zero,
        Err(BuildError::Zero("refresh_token_lifetime"))
    ));
}

/// As long as it is due, each page would try; what has failed is not tried again for hours.
#[tokio::test(start_paused = true)]
async fn s14_a_renewal_that_fails_neither_fails_a_page_nor_signs_out() {
    for deployment in PLACES {
        for trouble in ["503", "not sent", "revoked"] {
            let world = World::new();
            let web = process(&world, deployment);
            let alice = signed_in(&world, &web).await;
            let first = refresh_token(&alice, &web).await;
            world.clock.advance(DAY * 10);
            match trouble {
                "503" => {
                    let fault = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
                    world.logto.break_down(Endpoint::Token, fault);
                }
                "not sent" => {
                    let fault = Fault::ResetBeforeCommit;
                    world.logto.break_down(Endpoint::Token, fault);
                }
                _ => assert!(world.logto.revoke_grant(&first)),
            }
            let before = world.token_calls();
            for _ in 0..20 {
                for page in PAGES {
                    assert!(
                        look(page, &alice, &web).await,
                        "{deployment:?} {trouble} {page:?}"
                    );
                    web.client().drain().await;
                }
            }
            let calls = world.token_calls() - before;
            assert!(calls <= 3, "{deployment:?} {trouble}: {calls}");
            assert_eq!(world.events.ended_sessions(), 0, "{deployment:?} {trouble}");
            // Logto is back, and hours have passed.
            world.logto.recover(Endpoint::Token);
            world.clock.advance(DAY / 4);
            assert!(look(Page::Session, &alice, &web).await);
            web.client().drain().await;
            let renewed = refresh_token(&alice, &web).await != first;
            assert_eq!(renewed, trouble != "revoked", "{deployment:?} {trouble}");
        }
    }
}

/// Two processes that share nothing get requests with the same cookie when the renewal is due: at once, or later
/// than Logto forgives. The responses arrive in either order.
#[tokio::test(start_paused = true)]
async fn s14_renewals_in_two_processes_that_share_nothing_lose_nothing() {
    for pause in [
        Duration::ZERO,
        Duration::from_secs(2),
        Duration::from_secs(20),
    ] {
        for last in [0, 1] {
            let world = World::new();
            let web = [(); 2].map(|()| process(&world, Deployment::Cookies));
            let alice = signed_in(&world, &web[0]).await;
            world.clock.advance(DAY * 10);
            let visits = [alice.get("/page"), alice.get("/page")];
            let (is_signed_in, first) = Page::Session.serve(&visits[0], &web[0]).await;
            assert!(is_signed_in);
            pass(&world, pause).await;
            let (is_signed_in, second) = Page::Session.serve(&visits[1], &web[1]).await;
            assert!(is_signed_in);
            let responses = [first, second];
            alice.receive(&responses[1 - last]);
            alice.receive(&responses[last]);
            pass(&world, Duration::from_secs(20)).await;
            for web in &web {
                let api = TokenTarget::resource(SHOPPING_API);
                alice.token(web, &api).await.unwrap();
                pass(&world, DAY).await;
            }
            assert_eq!(world.logto.late_replays(), 0, "{pause:?} {last}");
            assert_eq!(world.events.ended_sessions(), 0, "{pause:?} {last}");
        }
    }
}

async fn pass(world: &World, time: Duration) {
    world.clock.advance(time);
    tokio::time::advance(time).await;
}

/// The refresh token that the session holds.
async fn refresh_token(alice: &Visitor, web: &LogtoWeb) -> String {
    let session = alice.get("/").look(web).await.unwrap().unwrap();
    refresh_token_of(session.snapshot())
}

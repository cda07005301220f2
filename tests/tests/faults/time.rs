//! Clock jumps, clock skew, and extreme lifetimes.

use std::time::{Duration, UNIX_EPOCH};

use logto_client::{
    LogtoClient, TokenTarget, UnixTime, WritableSession, clock::Clock, error::Advice, web::LogtoWeb,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Resource, TestClock};
use logto_tests::{
    stage::{codec, cookie_storage, key_ring},
    visitor::Visitor,
    world::{Mishap, World, WorldClock},
};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const DAY_BEFORE_1970: i64 = 24 * 3_600;
const API: &str = "https://api.test/time";

fn api() -> TokenTarget {
    TokenTarget::resource(API)
}

/// A world with an API whose tokens live this many seconds.
fn world(lifetime: u64) -> World {
    let ttl = Duration::from_secs(lifetime);
    let tenant = |logto: logto_testkit::LogtoBuilder| {
        logto.resource(Resource::new(API).access_token_ttl(ttl))
    };
    World::with(|app| app, tenant).configured(|config| config.resource(API))
}

async fn alice(world: &World) -> (LogtoClient, WritableSession) {
    let client = world.client(MemoryStorage::new());
    let alice = world.sign_in(&client, "alice").await.session;
    world.logto.reset_counts();
    (client, alice)
}

/// Sets the clock so many seconds after the year 1970.
fn set(clock: &TestClock, seconds: u64) {
    clock.set(UNIX_EPOCH + Duration::from_secs(seconds));
}

#[tokio::test(start_paused = true)]
async fn f50_a_jump_of_the_clock_ends_no_session_and_starts_no_storm() {
    let jumps: [fn(u64) -> u64; 5] = [
        |now| now - HOUR,
        |now| now + HOUR,
        |now| now - DAY,
        |now| now + DAY,
        |now| now - 1,
    ];
    for (n, jump) in jumps.into_iter().enumerate() {
        let world = world(HOUR);
        // The clock of this machine jumps; the provider's does not.
        let provider_time = world.clock.unix_seconds();
        let own = TestClock::at_unix_seconds(provider_time);
        let builder = world
            .client_builder(MemoryStorage::new())
            .clock(WorldClock(own.clone()));
        let client = builder.build().unwrap();
        let session = world.sign_in(&client, "alice").await.session;
        session.access_token(&api()).await.unwrap();
        world.logto.reset_counts();

        set(&own, jump(provider_time));
        for _ in 0..20 {
            let outcome = session.access_token(&api()).await;
            assert!(
                outcome.is_ok() || outcome.unwrap_err().advice() != Advice::SignInAgain,
                "{n}"
            );
        }
        assert!(
            world.token_calls() <= 20,
            "{n}: at most one refresh for a call"
        );
        set(&own, provider_time);
        session.access_token(&api()).await.unwrap();
        assert!(session.ended().is_none(), "{n}");
        assert_eq!(world.logto.late_replays(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f51_a_clock_within_the_skew_signs_in_and_one_beyond_it_is_named() {
    for (own_clock_is_off_by, signs_in) in [
        (-300, false),
        (-30, true),
        (0, true),
        (30, true),
        (300, true),
    ] {
        let world = world(HOUR);
        let own = world
            .clock
            .unix_seconds()
            .checked_add_signed(own_clock_is_off_by)
            .unwrap();
        let clock = WorldClock(TestClock::at_unix_seconds(own));
        let client = world
            .client_builder(MemoryStorage::new())
            .clock(clock)
            .build()
            .unwrap();
        let (pending, callback) = world.visit_logto(&client, "alice").await;
        let outcome = client.complete_sign_in(Some(pending), callback, None).await;
        assert_eq!(outcome.is_ok(), signs_in, "{own_clock_is_off_by}");
        if let Err(error) = outcome {
            let text = error.to_string();
            assert!(text.contains("clock"), "{text}");
            assert!(
                text.contains(&own.to_string()),
                "says what time it is here: {text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f52_a_short_lifetime_costs_at_most_one_refresh_for_a_call() {
    for lifetime in [0, 1, 30, 59, 60] {
        let world = world(lifetime);
        let (_, alice) = alice(&world).await;
        for call in 1..=5 {
            alice.access_token(&api()).await.unwrap();
            assert!(world.token_calls() <= call, "{lifetime}");
            world.clock.advance(Duration::from_secs(1));
        }
        if lifetime >= 30 {
            assert_eq!(
                world.token_calls(),
                1,
                "{lifetime}: usable for three quarters of its life"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f53_no_lifetime_overflows() {
    type Edit = fn(&mut serde_json::Value);
    let edits: [Edit; 8] = [
        |answer| answer["expires_in"] = i64::MAX.into(),
        |answer| answer["expires_in"] = i64::MIN.into(),
        |answer| answer["expires_in"] = u64::MAX.into(),
        |answer| answer["expires_in"] = 1e300.into(),
        |answer| answer["expires_in"] = (-1).into(),
        |answer| answer["expires_in"] = "99999999999999999999999999".into(),
        |answer| answer["expires_in"] = serde_json::Value::Null,
        |answer| answer["expires_in"] = serde_json::json!([3600]),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let world = world(HOUR);
        let (_, alice) = alice(&world).await;
        world.network.next("/token", Mishap::Edited(edit));
        let outcome = alice.access_token(&api()).await;
        assert!(
            outcome.is_ok() || outcome.unwrap_err().advice() != Advice::SignInAgain,
            "{n}"
        );
        world.clock.advance(Duration::from_secs(DAY));
        alice.refresh_access_token(&api()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn f53_far_years_are_years_like_others() {
    for year in ["2038", "2106", "9999"] {
        let now = match year {
            "2038" => i64::from(i32::MAX).unsigned_abs() - 10,
            "2106" => u64::from(u32::MAX) - 10,
            _ => 253_402_300_799 - 2 * DAY,
        };
        let world = world(HOUR);
        set(&world.clock, now);
        let (_, alice) = alice(&world).await;
        for _ in 0..4 {
            alice.access_token(&api()).await.unwrap();
            world.clock.advance(Duration::from_secs(HOUR));
        }
        assert_eq!(world.token_calls(), 4, "{year}");
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct Stopped(i64);

impl Clock for Stopped {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Nothing is signed by such a time, but every request gets a response.
#[tokio::test(start_paused = true)]
async fn f53_a_clock_at_either_end_of_time_is_an_error_and_no_panic() {
    for now in [
        i64::MIN,
        i64::MIN + 1,
        -DAY_BEFORE_1970,
        -1,
        0,
        i64::MAX - 1,
        i64::MAX,
    ] {
        let world = world(HOUR);
        let (stored, alice) = alice(&world).await;
        let here = world
            .client_builder(cookie_storage(&world))
            .clock(Stopped(now));
        let web = LogtoWeb::new(here.build().unwrap(), codec(), key_ring());
        let visitor = Visitor::new(&world.logto);
        let url = visitor.start_sign_in(&web).await;
        let callback = visitor.consent(&url, "alice");
        let response = visitor.come_back(&web, &callback).await;
        assert!(!response.status().is_success(), "{now}: {response:?}");
        // A session of a process whose clock is right.
        let elsewhere = Visitor::new(&world.logto);
        let right = LogtoWeb::new(world.client(cookie_storage(&world)), codec(), key_ring());
        elsewhere.sign_in(&right, "alice").await;
        let _ = elsewhere.token(&web, &api()).await;
        elsewhere.sign_out(&web).await;
        assert!(elsewhere.cookies().is_empty(), "{now}");
        alice.refresh_access_token(&api()).await.unwrap();
        assert!(stored.session(&alice.handle()).await.unwrap().is_some());
    }
}

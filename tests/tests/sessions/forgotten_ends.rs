//! More sessions end than a process remembers: those that began before a forgotten end are asked about.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use logto_client::{
    Coordinator, Error, LogtoClient, LogtoClientBuilder, TokenTarget,
    error::Advice,
    event::Event,
    ledger::LedgerLimits,
    storage::{Handle, SessionStorage},
    web::LogtoWeb,
};
use logto_storage::MemoryStorage;
use logto_testkit::Endpoint;
use logto_tests::{
    shared::MapStore,
    stage::{codec, cookie_storage, key_ring},
    world::{Mishap, World, refresh_token_of},
};

const INTROSPECTION: &str = "/introspection";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A process that remembers so many ends of each kind, to be built.
fn remembering(
    world: &World,
    storage: impl SessionStorage + 'static,
    max_ends: usize,
) -> LogtoClientBuilder {
    let mut limits = LedgerLimits::default();
    limits.max_ends = max_ends;
    let coordinator = Coordinator::with_ledger(limits);
    world.client_builder(storage).coordinator(coordinator)
}

fn process(world: &World, storage: impl SessionStorage + 'static, max_ends: usize) -> LogtoClient {
    remembering(world, storage, max_ends).build().unwrap()
}

fn in_cookies(world: &World) -> LogtoClient {
    process(world, cookie_storage(world), 1)
}

async fn signed_in(world: &World, client: &LogtoClient, user: &str) -> Handle {
    world.sign_in(client, user).await.session.handle()
}

/// Two more sessions end, so that the process forgets every end before the last.
async fn others_sign_out(world: &World, client: &LogtoClient) {
    for _ in 0..2 {
        let handle = signed_in(world, client, "bob").await;
        client.sign_out_locally(&[handle]).await.unwrap();
    }
    world.logto.reset_counts();
}

/// Two sessions of one user, of which one has ended, and then others have.
async fn ended_and_alive(world: &World, client: &LogtoClient) -> (Handle, Handle) {
    let ended = signed_in(world, client, "alice").await;
    let alive = signed_in(world, client, "alice").await;
    let signed_out = client.sign_out_locally(std::slice::from_ref(&ended));
    signed_out.await.unwrap();
    others_sign_out(world, client).await;
    (ended, alive)
}

/// Whether somebody is signed in, which all ways to open a session agree about.
async fn is_open(client: &LogtoClient, handle: &Handle) -> bool {
    let writable = client.session(handle).await.unwrap().is_some();
    let read_only = client.read_only_session(handle).await.unwrap().is_some();
    let read = client.reader().session(handle).await.unwrap().is_some();
    assert_eq!((writable, writable), (read_only, read));
    writable
}

fn questions(world: &World) -> usize {
    world.logto.count(Endpoint::Introspection)
}

fn not_confirmed(world: &World) -> usize {
    world
        .events
        .count(|event| matches!(event, Event::SessionNotConfirmed { .. }))
}

#[tokio::test(start_paused = true)]
async fn l7_a_session_older_than_a_forgotten_end_is_asked_about_once_and_goes_on() {
    let world = World::new();
    let client = in_cookies(&world);
    let old = signed_in(&world, &client, "alice").await;
    assert!(is_open(&client, &old).await);
    assert_eq!(questions(&world), 0, "nothing is forgotten yet");
    others_sign_out(&world, &client).await;
    for _ in 0..100 {
        assert!(is_open(&client, &old).await);
    }
    assert_eq!(
        questions(&world),
        1,
        "for the session, not for each request"
    );
    // Only what is forgotten after that answer makes it doubtful again.
    others_sign_out(&world, &client).await;
    assert!(is_open(&client, &old).await);
    assert_eq!(questions(&world), 1);
    world.clock.advance(MINUTE);
    let young = signed_in(&world, &client, "alice").await;
    world.logto.reset_counts();
    assert!(is_open(&client, &young).await);
    assert_eq!(questions(&world), 0, "it began after all that is forgotten");
    assert_eq!(
        (world.events.ended_sessions(), not_confirmed(&world)),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn l7_many_requests_of_one_session_at_once_ask_one_question() {
    let world = World::new();
    let client = in_cookies(&world);
    let old = signed_in(&world, &client, "alice").await;
    others_sign_out(&world, &client).await;
    world.network.set_latency(Duration::from_millis(500));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, old) = (client.clone(), old.clone());
        requests.spawn(async move { client.session(&old).await });
    }
    let opened = requests.join_all().await;
    assert!(opened.into_iter().all(|session| session.unwrap().is_some()));
    assert_eq!(questions(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn l7_an_end_that_was_forgotten_is_found_again_however_the_session_ended() {
    for ended_by in ["a sign-out", "an administrator"] {
        let world = World::new();
        let client = in_cookies(&world);
        let web = LogtoWeb::new(client.clone(), codec(), key_ring());
        let old = signed_in(&world, &client, "alice").await;
        let session = client.session(&old).await.unwrap().unwrap();
        if ended_by == "a sign-out" {
            session.sign_out_locally().await.unwrap();
        } else {
            let refresh_token = refresh_token_of(session.snapshot().as_ref().clone());
            assert!(world.logto.revoke_grant(&refresh_token));
        }
        others_sign_out(&world, &client).await;

        let name = codec().name().to_owned();
        let mut cookies = format!("{name}={}", old.value());
        for (index, part) in old.parts().into_iter().enumerate() {
            cookies.push_str(&format!("; {name}.t{index}={part}"));
        }
        let request = HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())]);
        let session = web.session(&request).await.unwrap();
        assert!(session.is_none(), "{ended_by}");
        let mut response = HeaderMap::new();
        web.finish(&request, None, &mut response).unwrap();
        let deletes = response[header::SET_COOKIE].to_str().unwrap();
        assert!(deletes.contains("Max-Age=0"), "{ended_by}");

        let asked = questions(&world);
        assert_eq!(asked, 2, "the refresh token and the opaque access token");
        assert!(!is_open(&client, &old).await);
        assert_eq!(questions(&world), asked);
        assert_eq!(world.events.ended_sessions(), 1, "{ended_by}");
    }
}

/// A back-channel logout or a webhook marks a user, and that mark is forgotten like one of a session.
#[tokio::test(start_paused = true)]
async fn l7_a_forgotten_logout_is_found_again_if_logto_has_ended_the_grant() {
    let uri = "http://localhost:3000/back-channel-logout";
    for (ends_grant, is_still_open) in [(true, false), (false, true)] {
        let world = World::with(|app| app.backchannel_logout_uri(uri), |logto| logto);
        // A logout by `sid` and `sub` marks both.
        let client = process(&world, cookie_storage(&world), 2);
        let old = signed_in(&world, &client, "alice").await;
        let session = client.session(&old).await.unwrap().unwrap();
        let end_sessions = async |user: &str| {
            world.logto.end_sessions(user).unwrap();
            for token in world.logto.take_logout_tokens() {
                let form = format!("logout_token={}", token.token());
                client.back_channel_logout(form.as_bytes()).await.unwrap();
            }
        };
        end_sessions("alice").await;
        assert!(!is_open(&client, &old).await);
        if ends_grant {
            world
                .logto
                .revoke_grant(&refresh_token_of(session.snapshot().as_ref().clone()));
        }
        for _ in 0..2 {
            signed_in(&world, &client, "bob").await;
            end_sessions("bob").await;
        }
        // With `offline_access` Logto keeps the grant at a sign-out elsewhere, and says so.
        assert_eq!(is_open(&client, &old).await, is_still_open);
    }
}

#[tokio::test(start_paused = true)]
async fn l7_an_old_cookie_whose_refresh_token_was_replaced_elsewhere_signs_nobody_out() {
    let world = World::public(|app| app, |logto| logto);
    let (one, other) = (in_cookies(&world), in_cookies(&world));
    let old = signed_in(&world, &one, "alice").await;
    let replace = async |handle: &Handle| {
        let session = other.session(handle).await.unwrap().unwrap();
        let target = TokenTarget::user_info();
        session.refresh_access_token(&target).await.unwrap();
        session.handle()
    };
    // The opaque access token tells that the grant is alive.
    let newer = replace(&old).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    world.clock.advance(Duration::from_secs(10));
    others_sign_out(&world, &one).await;
    assert!(is_open(&one, &old).await && is_open(&one, &newer).await);
    assert!(questions(&world) <= 3);

    // Without one, the newer cookie may be on its way.
    let (one, other_old) = (in_cookies(&world), newer);
    world.clock.advance(Duration::from_secs(7200));
    let newest = replace(&other_old).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    world.clock.advance(Duration::from_secs(10));
    others_sign_out(&world, &one).await;
    for _ in 0..2 {
        let refused = one.session(&other_old).await.unwrap_err();
        assert!(matches!(refused, Error::Superseded));
        assert!(matches!(refused.advice(), Advice::Retry { .. }));
        assert!(one.read_only_session(&other_old).await.is_err());
    }
    assert_eq!(questions(&world), 1);
    // A minute later a browser that still sends it has no newer one, and this copy is over.
    tokio::time::advance(MINUTE).await;
    assert!(!is_open(&one, &other_old).await);
    assert!(is_open(&one, &newest).await, "a browser that has");
    let both = [other_old, newest];
    assert!(one.newest_session(&both).await.unwrap().is_some());
    assert_eq!(world.events.ended_sessions(), 0);
}

/// The browser comes back a day after it was signed out, when no access token is left to ask about.
#[tokio::test(start_paused = true)]
async fn l7_a_single_process_refuses_at_once_what_it_has_forgotten() {
    let world = World::new();
    let mut limits = LedgerLimits::default();
    limits.max_ends = 1;
    let builder = world.client_builder(cookie_storage(&world));
    let builder = builder.coordinator(Coordinator::with_ledger(limits));
    let client = builder.single_process().build().unwrap();
    let (ended, alive) = ended_and_alive(&world, &client).await;
    world.clock.advance(DAY);
    tokio::time::advance(DAY).await;
    for _ in 0..10 {
        assert!(!is_open(&client, &ended).await);
        assert!(is_open(&client, &alive).await);
    }
    assert_eq!(questions(&world), 2, "one for each");
}

#[tokio::test(start_paused = true)]
async fn l7_without_an_answer_the_session_opens_the_operator_is_told_and_it_is_asked_again() {
    let busy = Mishap::Busy(503, None);
    let page = Mishap::Answered(200, "text/html", "<html>");
    let hangs = Mishap::Slow(Duration::from_secs(30));
    for mishap in [Mishap::Refused, Mishap::AnswerLost, busy, page, hangs] {
        let world = World::new();
        let client = in_cookies(&world);
        let old = signed_in(&world, &client, "alice").await;
        client
            .sign_out_locally(std::slice::from_ref(&old))
            .await
            .unwrap();
        others_sign_out(&world, &client).await;
        for _ in 0..5 {
            world.network.next(INTROSPECTION, mishap.clone());
        }
        let begin = tokio::time::Instant::now();
        assert!(client.session(&old).await.unwrap().is_some(), "{mishap:?}");
        let waited = begin.elapsed();
        assert!(waited <= Duration::from_secs(2), "{mishap:?}: {waited:?}");
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(not_confirmed(&world), 1, "{mishap:?}");
        world.network.mend();
        let asked = questions(&world);
        for _ in 0..10 {
            assert!(client.session(&old).await.unwrap().is_some(), "{mishap:?}");
        }
        assert_eq!(questions(&world), asked, "{mishap:?}: not for each request");
        tokio::time::sleep(MINUTE).await;
        assert!(client.session(&old).await.unwrap().is_none(), "{mishap:?}");
        assert_eq!(not_confirmed(&world), 1, "{mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn l7_an_application_that_may_not_ask_keeps_its_sessions_and_is_told_once_a_day() {
    let world = World::new();
    let client = in_cookies(&world);
    let old = signed_in(&world, &client, "alice").await;
    others_sign_out(&world, &client).await;
    let refusal = r#"{"error":"access_denied"}"#;
    for _ in 0..10 {
        let refused = Mishap::Answered(403, "application/json", refusal);
        world.network.next(INTROSPECTION, refused);
    }
    for told in [1, 2] {
        for _ in 0..10 {
            assert!(is_open(&client, &old).await);
        }
        assert_eq!(not_confirmed(&world), told);
        tokio::time::advance(DAY).await;
    }
    assert_eq!(world.events.ended_sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn l7_a_store_on_the_server_needs_no_marks_and_asks_nothing() {
    let world = World::new();
    let client = process(&world, MemoryStorage::new(), 0);
    let (ended, alive) = ended_and_alive(&world, &client).await;
    assert!(!is_open(&client, &ended).await, "it is not stored any more");
    assert!(is_open(&client, &alive).await);
    assert_eq!(questions(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn l7_a_shared_ledger_knows_what_the_process_has_forgotten() {
    let world = World::new();
    let store = MapStore::default();
    let builder = remembering(&world, cookie_storage(&world), 1);
    let client = builder.shared_ledger(store, key_ring()).build().unwrap();
    let (ended, alive) = ended_and_alive(&world, &client).await;
    assert!(!is_open(&client, &ended).await);
    assert!(is_open(&client, &alive).await);
    assert_eq!(questions(&world), 0);
}

/// No end is remembered at all, and however many are: nothing panics, and nothing ended opens.
#[tokio::test(start_paused = true)]
async fn l7_any_number_of_ends_may_be_remembered() {
    for max_ends in [0, 1, 2, usize::MAX] {
        let world = World::new();
        let client = process(&world, Arc::new(cookie_storage(&world)), max_ends);
        let (ended, alive) = ended_and_alive(&world, &client).await;
        assert!(!is_open(&client, &ended).await, "{max_ends}");
        assert!(is_open(&client, &alive).await, "{max_ends}");
    }
}

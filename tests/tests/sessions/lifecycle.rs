//! A session from sign-in to sign-out, through the client, with storages in memory and in cookies.

use std::time::Duration;

use logto_client::{
    BuildError, Cached, Context, Coordinator, Error, LogtoClient, LogtoClientBuilder, SignIn,
    TokenTarget,
    core::{error::Advice, sign_out::SignOut},
    ledger::LedgerLimits,
};
use logto_storage::{CookieStorage, Lifetimes, MemoryStorage};
use logto_testkit::{
    Endpoint,
    demo::{ACME, GLOBEX, SHOPPING_API},
};
use logto_tests::{
    shared::MapStore,
    stage::{cookie_storage, key_ring},
    world::{World, callback_of, refresh_token_of},
};

#[tokio::test(start_paused = true)]
async fn a_session_from_sign_in_to_sign_out() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let signed_in = world.sign_in(&client, "alice").await;
    let handle = signed_in.session.handle();
    assert_eq!(signed_in.return_to, "/");

    let session = client
        .session(&handle)
        .await
        .unwrap()
        .expect("alice is signed in");
    assert_eq!(
        session.claims().user.email.value().map(String::as_str),
        Some("alice@example.com")
    );
    assert_eq!(session.user_info().await.unwrap().sub, session.claims().sub);

    let shopping = TokenTarget::resource(SHOPPING_API);
    let token = session.access_token(&shopping).await.unwrap();
    assert_eq!(
        token.scopes.iter().collect::<Vec<_>>(),
        ["read:products", "write:products"]
    );
    assert_eq!(
        session.access_token(&shopping).await.unwrap(),
        token,
        "from memory"
    );

    let organizations = session.organization_tokens().await.unwrap();
    assert_eq!(organizations.len(), 2);
    assert!(
        organizations.iter().all(|(_, token)| token.is_ok()),
        "{organizations:?}"
    );
    let both = session
        .access_token(&shopping.clone().in_organization(ACME))
        .await
        .unwrap();
    assert_eq!(
        both.scopes, token.scopes,
        "her own role counts within the organization too"
    );

    let denied = session.organization_token("nowhere").await.unwrap_err();
    assert_eq!(
        (denied.code(), denied.advice()),
        ("access_denied", Advice::Refused)
    );
    assert_eq!(denied.advice(), Advice::Refused);

    let read_only = client.read_only_session(&handle).await.unwrap().unwrap();
    assert_eq!(
        read_only.access_token(&shopping),
        Cached::Valid(token.clone())
    );
    assert!(matches!(
        read_only.organization_token(GLOBEX),
        Cached::Valid(_)
    ));
    // What was not asked for at the sign-in has one answer, whoever is asked.
    let unknown = TokenTarget::resource("https://unknown.example.com");
    let refused = session.access_token(&unknown).await.unwrap_err();
    let Cached::Never(same) = read_only.access_token(&unknown) else {
        panic!("no refresh can bring it")
    };
    assert_eq!(Error::from(same).code(), refused.code());
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(read_only.access_token(&shopping), Cached::NeedsRefresh);
    assert_ne!(
        session.access_token(&shopping).await.unwrap(),
        token,
        "fetched anew"
    );

    let url = session.sign_out(&SignOut::new()).await.unwrap().unwrap();
    assert_eq!(
        world.logto.sign_out(&url).unwrap().as_str(),
        "http://localhost:3000/"
    );
    tokio::task::yield_now().await;
    assert_eq!(world.logto.count(Endpoint::Revocation), 1);
    assert!(client.session(&handle).await.unwrap().is_none());
    assert!(
        session.access_token(&shopping).await.is_err(),
        "not even from an open session"
    );
}

type TimeoutOption = fn(Context, Duration) -> Context;
type LimitOption = fn(Context, usize) -> Context;

const TIMEOUTS: [(&str, TimeoutOption); 4] = [
    ("request_timeout", Context::request_timeout),
    ("caller_timeout", Context::caller_timeout),
    ("waiting_budget", Context::waiting_budget),
    ("listen_timeout", Context::listen_timeout),
];
const LIMITS: [(&str, LimitOption); 2] = [
    ("max_concurrent_requests", Context::max_concurrent_requests),
    ("max_listeners", Context::max_listeners),
];

#[tokio::test(start_paused = true)]
async fn timeouts_and_limits_of_any_size_work() {
    let world = World::new();
    let works = async |context: Context, ledger: LedgerLimits| {
        let config = world.config().clone();
        let client = LogtoClient::builder(config, context, MemoryStorage::new())
            .coordinator(Coordinator::with_ledger(ledger))
            .build()
            .unwrap();
        let session = world.sign_in(&client, "alice").await.session;
        let shopping = TokenTarget::resource(SHOPPING_API);
        session.refresh_access_token(&shopping).await.unwrap();
    };
    let ledger = LedgerLimits::default();
    for (_, option) in TIMEOUTS {
        for timeout in [Duration::MAX, Duration::MAX / 2, Duration::from_secs(3600)] {
            works(option(world.context(), timeout), ledger).await;
        }
    }
    for (_, option) in LIMITS {
        for limit in [1, usize::MAX / 2, usize::MAX] {
            works(option(world.context(), limit), ledger).await;
        }
    }
    let unlimited = TIMEOUTS
        .iter()
        .fold(world.context(), |context, (_, option)| {
            option(context, Duration::MAX)
        });
    works(unlimited, ledger).await;
    for (capacity, lifetime) in [(usize::MAX, Duration::MAX), (0, Duration::ZERO)] {
        let mut ledger = LedgerLimits::default();
        (ledger.capacity, ledger.lifetime) = (capacity, lifetime);
        works(world.context(), ledger).await;
    }
}

const LENGTHS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_secs(u64::MAX / 2),
    Duration::MAX,
];

/// A sign-in, another one for the same browser, tokens and a sign-out.
async fn use_all(world: &World, builder: LogtoClientBuilder, sign_in: &SignIn) {
    let client = builder.build().unwrap();
    let shopping = TokenTarget::resource(SHOPPING_API);
    let mut before = None;
    for _ in 0..2 {
        let (url, pending) = client.sign_in(sign_in).await.unwrap();
        let callback = callback_of(&world.logto.sign_in(&url, "alice").unwrap());
        let completed = client.complete_sign_in(Some(pending), callback, before.as_ref());
        let session = completed.await.unwrap().session;
        // With a lifetime of zero it has ended.
        let lives = client.session(&session.handle()).await.unwrap().is_some();
        let token = session.access_token(&shopping).await;
        assert!(token.is_ok() || !lives, "{token:?}");
        for length in LENGTHS {
            let targets = std::slice::from_ref(&shopping);
            for (_, token) in session.refresh_ahead(targets, length).await {
                assert!(token.is_ok() || !lives, "{token:?}");
            }
        }
        before = Some(session.handle());
    }
    let left = client.sign_out(&[before.unwrap()], &SignOut::new()).await;
    left.removed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f53_options_of_any_size_work() {
    let world = World::new();
    let in_cookies = || world.client_builder(cookie_storage(&world));
    let plain = SignIn::new();
    for length in LENGTHS {
        let shared = in_cookies().shared_ledger(MapStore::default(), key_ring());
        use_all(&world, shared.ends_known_within(length), &plain).await;
        use_all(&world, in_cookies(), &SignIn::new().max_age(length)).await;
        let leeway = World::new().configured(|config| config.expiry_leeway(length));
        use_all(&leeway, leeway.client_builder(MemoryStorage::new()), &plain).await;
        for absolute in LENGTHS {
            let lifetimes = Lifetimes {
                idle: length,
                absolute,
            };
            let memory = MemoryStorage::new().lifetimes(lifetimes);
            use_all(&world, world.client_builder(memory), &plain).await;
            let cookies: CookieStorage = cookie_storage(&world).lifetimes(lifetimes);
            use_all(&world, world.client_builder(cookies), &plain).await;
        }
    }
    for lifetime in &LENGTHS[1..] {
        let renewed = in_cookies().refresh_token_lifetime(*lifetime);
        use_all(&world, renewed, &plain).await;
    }
    for sessions in [0, 1, usize::MAX] {
        let memory = MemoryStorage::new().capacity(sessions);
        use_all(&world, world.client_builder(memory), &plain).await;
    }
}

#[test]
fn timeouts_and_limits_of_zero_are_refused() {
    let world = World::new();
    let refusal = |context| {
        LogtoClient::builder(world.config().clone(), context, MemoryStorage::new())
            .build()
            .map(|_| ())
    };
    for (name, option) in TIMEOUTS {
        let refused = refusal(option(world.context(), Duration::ZERO));
        assert_eq!(refused, Err(BuildError::Zero(name)));
    }
    for (name, option) in LIMITS {
        let refused = refusal(option(world.context(), 0));
        assert_eq!(refused, Err(BuildError::Zero(name)));
    }
}

#[tokio::test(start_paused = true)]
async fn f14_a_membership_that_was_removed_shows_when_a_fresh_token_is_asked_for() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let cached = session.organization_token(GLOBEX).await.unwrap();
    assert!(world.logto.remove_member(GLOBEX, "alice"));
    let again = session.organization_token(GLOBEX).await.unwrap();
    assert_eq!(again, cached, "as it was fetched");
    for _ in 0..2 {
        let denied = session.refresh_organization_token(GLOBEX).await;
        assert_eq!(denied.unwrap_err().code(), "access_denied");
    }
    let denied = session.organization_token(GLOBEX).await.unwrap_err();
    assert_eq!(denied.code(), "access_denied", "and the cached one is gone");
    assert!(client.session(&session.handle()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_application_without_the_web_layer_renews_the_refresh_token_itself() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let handle = world.sign_in(&client, "alice").await.session.handle();
    let calls = world.token_calls();
    let renew = async || {
        let session = client.session(&handle).await.unwrap().expect("signed in");
        session.renew().await;
        // In the background.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let session = client.session(&handle).await.unwrap().expect("signed in");
        refresh_token_of(session.snapshot())
    };
    let first = renew().await;
    assert_eq!(world.token_calls(), calls, "not due");
    world.clock.advance(Duration::from_secs(10 * 86_400));
    assert_ne!(renew().await, first, "past 70 % of its life");
    assert_eq!(world.token_calls(), calls + 1);
}

//! Machine-to-machine tokens.

use std::time::Duration;

use http::StatusCode;
use logto_client::{
    Context, LogtoConfig, Secret, TokenTarget,
    core::{
        api_token::AccessTokenVerification, config::ClientAuthentication, error::Advice,
        grants::TypedToken,
    },
    m2m::M2mClient,
    resource_server::ResourceServer,
};
use logto_storage::MemoryStorage;
use logto_testkit::{App, Endpoint, Fault, Organization, Role, demo::SHOPPING_API};
use logto_tests::world::{Mishap, World};
use tokio::time::Instant;

const MACHINE: &str = "machine";
const SECRET: &str = "machine-s3cr3t+/ :%";
/// An organization that the application is in.
const FLEET: &str = "fleet";

fn world() -> World {
    World::with(
        |app| app,
        |logto| {
            let permissions = ["read:products", "write:products"];
            logto
                .role(Role::new("machine").permissions(SHOPPING_API, permissions))
                .app(
                    App::machine_to_machine(MACHINE, SECRET)
                        .role("machine")
                        .allow_token_exchange(),
                )
                .organization(Organization::new(FLEET, "Fleet").application(MACHINE, ["member"]))
        },
    )
}

fn config(world: &World, secret: &str) -> LogtoConfig {
    let builder = LogtoConfig::builder(world.logto.endpoint(), MACHINE).app_secret(secret);
    builder.build().unwrap()
}

fn machine_with(world: &World, context: Context) -> M2mClient {
    M2mClient::new(config(world, SECRET), context).unwrap()
}

fn machine(world: &World) -> M2mClient {
    machine_with(world, world.context())
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API).with_scopes(["read:products"])
}

async fn until_idle() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_for_a_resource_an_organization_and_both() {
    let world = world();
    let machine = machine(&world);
    let server = ResourceServer::new(world.config().clone(), world.context()).unwrap();
    let issuer = server.issuer();
    let cases = [
        (
            shopping(),
            AccessTokenVerification::api(issuer, SHOPPING_API),
            "read:products",
        ),
        (
            TokenTarget::organization(FLEET).with_scopes(["read:shipments"]),
            AccessTokenVerification::organization(issuer, FLEET),
            "read:shipments",
        ),
        (
            shopping().in_organization(FLEET),
            AccessTokenVerification::organization_api(issuer, SHOPPING_API, FLEET),
            "read:products",
        ),
    ];
    for (target, demands, scope) in &cases {
        let token = machine.token(target).await.unwrap();
        assert_eq!(token.scopes.iter().collect::<Vec<_>>(), [scope], "{target}");
        for (other, demands, _) in &cases {
            let outcome = server.verify(token.token.expose(), demands).await;
            assert_eq!(outcome.is_ok(), other == target, "{target} at {other}");
        }
        let claims = server.verify(token.token.expose(), demands).await.unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.client_id.as_str()),
            (MACHINE, MACHINE)
        );
    }
    assert_eq!(world.token_calls(), 3);
    for (target, _, _) in &cases {
        machine.token(target).await.unwrap();
    }
    assert_eq!(world.token_calls(), 3, "from memory");
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_are_one_request_and_nobody_waits_for_another_target() {
    let world = world();
    let machine = machine(&world);
    machine
        .token(&shopping().in_organization(FLEET))
        .await
        .unwrap();
    world.network.set_latency(Duration::from_secs(4));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let machine = machine.clone();
        tasks.push(tokio::spawn(async move {
            machine.token(&shopping()).await.unwrap()
        }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    tasks[0].abort();
    let before = Instant::now();
    machine
        .token(&shopping().in_organization(FLEET))
        .await
        .unwrap();
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "no lock is held while waiting"
    );
    for task in tasks.drain(1..) {
        task.await.unwrap();
    }
    assert_eq!(world.token_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn in_the_last_fifth_a_new_token_is_fetched_while_nobody_waits() {
    let world = world();
    let machine = machine(&world);
    let first = machine.token(&shopping()).await.unwrap();
    world.clock.advance(Duration::from_secs(3600 * 4 / 5 - 1));
    assert_eq!(machine.token(&shopping()).await.unwrap(), first);
    until_idle().await;
    assert_eq!(world.token_calls(), 1);
    world.network.set_latency(Duration::from_secs(5));
    world.clock.advance(Duration::from_secs(2));
    let before = Instant::now();
    for _ in 0..100 {
        assert_eq!(machine.token(&shopping()).await.unwrap(), first);
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    until_idle().await;
    assert_ne!(machine.token(&shopping()).await.unwrap(), first);
    assert_eq!(world.token_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn f17_through_an_outage_the_token_serves_until_its_end_and_the_provider_is_spared() {
    let world = world();
    let machine = machine(&world);
    let token = machine.token(&shopping()).await.unwrap();
    world
        .logto
        .break_down(Endpoint::Token, Fault::status(StatusCode::BAD_GATEWAY));
    world.clock.advance(Duration::from_secs(3000));
    for _ in 0..59 {
        for _ in 0..100 {
            assert_eq!(machine.token(&shopping()).await.unwrap(), token);
            tokio::task::yield_now().await;
        }
        until_idle().await;
        world.clock.advance(Duration::from_secs(10));
    }
    assert!(
        world.token_calls() <= 60,
        "once in a second at most: {}",
        world.token_calls()
    );
    world.clock.advance(Duration::from_secs(10));
    let calls = world.token_calls();
    for _ in 0..100 {
        let error = machine.token(&shopping()).await.unwrap_err();
        assert!(error.advice().is_retry(), "{error}");
    }
    assert_eq!(world.token_calls(), calls + 1);
    world.logto.recover(Endpoint::Token);
    world.clock.advance(Duration::from_secs(1));
    assert_ne!(machine.token(&shopping()).await.unwrap(), token);
}

#[tokio::test(start_paused = true)]
async fn f16_retry_after_is_kept_and_another_target_finds_out_whether_it_still_holds() {
    let world = world();
    let machine = machine(&world);
    let busy = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "30");
    world.logto.fault(Endpoint::Token, busy);
    let error = machine.token(&shopping()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    let another = shopping().in_organization(FLEET);
    assert!(machine.token(&another).await.is_err());
    world.clock.advance(Duration::from_secs(29));
    assert!(machine.token(&shopping()).await.is_err());
    assert_eq!(world.token_calls(), 1);
    machine.token(&another).await.unwrap();
    assert_eq!(world.token_calls(), 2);
    world.clock.advance(Duration::from_secs(1));
    machine.token(&shopping()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_api_refuses_is_forgotten() {
    let world = world();
    let machine = machine(&world);
    let first = machine.token(&shopping()).await.unwrap();
    machine.forget(&shopping());
    assert_ne!(machine.token(&shopping()).await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_the_providers_verdict() {
    let world = world();
    let machine = machine(&world);
    let cases = [
        (
            TokenTarget::resource("https://unknown.example.com"),
            "invalid_target",
        ),
        (TokenTarget::organization("nowhere"), "access_denied"),
    ];
    for (target, code) in cases {
        assert_eq!(
            machine.token(&target).await.unwrap_err().code(),
            code,
            "{target}"
        );
    }
    let before = world.token_calls();
    assert!(
        machine.token(&TokenTarget::user_info()).await.is_err(),
        "there is no user"
    );
    assert_eq!(world.token_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn during_a_roll_over_every_secret_is_tried_and_the_good_one_kept() {
    let world = world();
    for (first, second) in [(SECRET, "old"), ("old", SECRET)] {
        world.logto.reset_counts();
        let context = world
            .context()
            .fallback_authentication(ClientAuthentication::Basic(second.into()));
        let machine = M2mClient::new(config(&world, first), context).unwrap();
        machine.token(&shopping()).await.unwrap();
        let refused = usize::from(first != SECRET);
        assert_eq!(world.token_calls(), 1 + refused);
        machine
            .token(&shopping().in_organization(FLEET))
            .await
            .unwrap();
        assert_eq!(
            world.token_calls(),
            2 + refused,
            "the good one is known now"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn during_a_roll_over_requests_at_once_do_not_skip_the_good_secret() {
    let world = world();
    world.network.set_latency(Duration::from_secs(1));
    let context = world
        .context()
        .fallback_authentication(ClientAuthentication::Basic(SECRET.into()));
    let machine = M2mClient::new(config(&world, "old"), context).unwrap();
    let (one, two, three) = tokio::join!(
        async { machine.token(&shopping()).await },
        async { machine.token(&shopping().in_organization(FLEET)).await },
        async { machine.token(&TokenTarget::organization(FLEET)).await },
    );
    for token in [one, two, three] {
        token.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn f15_when_no_secret_is_good_the_provider_is_not_asked_again_and_again() {
    let world = world();
    let context = world
        .context()
        .fallback_authentication(ClientAuthentication::Post("older".into()));
    let machine = M2mClient::new(config(&world, "old"), context).unwrap();
    let error = machine.token(&shopping()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.advice()),
        ("invalid_client", Advice::FixConfiguration)
    );
    for _ in 0..10 {
        machine.token(&shopping()).await.unwrap_err();
        machine
            .token(&shopping().in_organization(FLEET))
            .await
            .unwrap_err();
    }
    assert_eq!(world.token_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_secret_in_the_body_is_accepted_too() {
    let world = world();
    let builder = LogtoConfig::builder(world.logto.endpoint(), MACHINE);
    let config = builder.build().unwrap();
    let post = ClientAuthentication::Post(SECRET.into());
    let config = config.with_client_authentication(post).unwrap();
    let machine = M2mClient::new(config, world.context()).unwrap();
    machine.token(&shopping()).await.unwrap();
    let requests = world.logto.requests();
    let request = requests
        .iter()
        .find(|request| request.endpoint() == Endpoint::Token)
        .unwrap();
    assert_eq!(request.param("client_secret"), Some(SECRET));
    assert!(!request.headers().contains_key(http::header::AUTHORIZATION));
}

/// Whatever changes nothing, or nothing that matters, is sent again when the connection breaks; a subject
/// token is sent once.
#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_no_failure_of_what_may_be_repeated() {
    let world = world();
    let machine = machine(&world);
    for broken in [Mishap::Refused, Mishap::RequestLost, Mishap::AnswerLost] {
        for path in [
            "/openid-configuration",
            "/token",
            "/introspection",
            "/revocation",
        ] {
            world.network.next(path, broken.clone());
        }
        machine.token(&shopping()).await.unwrap();
        machine.forget(&shopping());
        machine.introspect(Secret::from("opaque")).await.unwrap();
        machine.revoke(Secret::from("refresh")).await.unwrap();
        world.network.mend();
        // Once more, and not twice.
        world.network.next("/introspection", broken.clone());
        world.network.next("/introspection", broken.clone());
        let error = machine
            .introspect(Secret::from("opaque"))
            .await
            .unwrap_err();
        assert!(error.advice().is_retry(), "{error}");

        world.network.next("/token", broken.clone());
        let calls = world.token_calls();
        let subject = world.logto.create_subject_token("alice").unwrap();
        let subject = TypedToken::access_token(subject.as_str());
        let error = machine.exchange_token(subject, None, shopping()).await;
        assert!(error.unwrap_err().advice().is_retry());
        assert!(world.token_calls() <= calls + 1, "{broken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn token_exchange_acts_for_a_user_and_names_the_actor() {
    let world = world();
    let machine = machine(&world);
    let server = ResourceServer::new(world.config().clone(), world.context()).unwrap();
    let demands = AccessTokenVerification::api(server.issuer(), SHOPPING_API);

    let subject_token = world.logto.create_subject_token("alice").unwrap();
    let subject = TypedToken::access_token(subject_token.as_str());
    let token = machine
        .exchange_token(subject.clone(), None, shopping())
        .await
        .unwrap();
    let claims = server.verify(token.token.expose(), &demands).await.unwrap();
    assert_eq!((claims.sub.as_str(), &claims.act), ("user-alice", &None));
    let again = machine
        .exchange_token(subject, None, shopping())
        .await
        .unwrap_err();
    assert_eq!(
        again.code(),
        "invalid_grant",
        "a subject token is good once"
    );

    let personal = world.logto.create_personal_access_token("alice").unwrap();
    for _ in 0..2 {
        let personal = TypedToken::personal_access_token(personal.as_str());
        let token = machine
            .exchange_token(personal, None, shopping())
            .await
            .unwrap();
        let claims = server.verify(token.token.expose(), &demands).await.unwrap();
        assert_eq!(claims.sub, "user-alice");
    }

    let client = world.client(MemoryStorage::new());
    let bob = world.sign_in(&client, "bob").await.session;
    let bobs = bob
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap()
        .token;
    let subject_token = world.logto.create_subject_token("alice").unwrap();
    let token = machine
        .exchange_token(
            TypedToken::access_token(subject_token.as_str()),
            Some(TypedToken::access_token(bobs)),
            shopping(),
        )
        .await
        .unwrap();
    let claims = server.verify(token.token.expose(), &demands).await.unwrap();
    assert_eq!(claims.sub, "user-alice");
    assert_eq!(claims.act.as_ref().unwrap().sub, "user-bob");
}

#[tokio::test(start_paused = true)]
async fn l4_l5_revocation_succeeds_for_what_is_no_longer_there_and_waits_when_told() {
    let world = world();
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    let application = M2mClient::new(world.config().clone(), world.context()).unwrap();
    let jwt = session
        .access_token(&TokenTarget::resource(SHOPPING_API))
        .await
        .unwrap()
        .token;
    let refresh_token = session.snapshot().refresh_token().unwrap().clone();
    application
        .revoke(jwt)
        .await
        .expect("a JWT cannot be revoked, which is nobody's error");
    application.revoke(Secret::from("unknown")).await.unwrap();
    assert!(world.logto.grant_is_alive(refresh_token.expose()));

    let busy = Fault::retry_after(StatusCode::SERVICE_UNAVAILABLE, "12");
    world.logto.fault(Endpoint::Revocation, busy);
    let error = application.revoke(refresh_token.clone()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(12)));
    assert!(world.logto.grant_is_alive(refresh_token.expose()));
    application.revoke(refresh_token.clone()).await.unwrap();
    assert!(!world.logto.grant_is_alive(refresh_token.expose()));
    application
        .revoke(refresh_token)
        .await
        .expect("revoked already");
}

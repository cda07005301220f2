//! The device flow, through the client.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use logto_client::{
    Error, LogtoClient, LogtoConfig, TokenTarget, WritableSession,
    core::sign_in::{DeviceAuthorization, DeviceSignIn},
    error::DeviceEnd,
};
use logto_storage::MemoryStorage;
use logto_testkit::{App, Endpoint, Fault, demo::SHOPPING_API};
use logto_tests::world::{Mishap, World};
use tokio::{task::JoinHandle, time::sleep};

const TV: &str = "tv";

fn world() -> World {
    World::with(|app| app, |logto| logto.app(App::native(TV).device_flow()))
}

fn client(world: &World) -> LogtoClient {
    let config = LogtoConfig::builder(world.logto.endpoint(), TV)
        .scopes(["read:products"])
        .resource(SHOPPING_API)
        .build()
        .unwrap();
    LogtoClient::builder(config, world.context(), MemoryStorage::new())
        .build()
        .unwrap()
}

/// A device that shows its code.
async fn start(client: &LogtoClient) -> DeviceAuthorization {
    client
        .sign_in_on_device(&DeviceSignIn::new())
        .await
        .unwrap()
}

/// The device waits for its user.
fn wait(
    client: &LogtoClient,
    device: &DeviceAuthorization,
) -> JoinHandle<Result<WritableSession, Error>> {
    let (client, device) = (client.clone(), device.clone());
    tokio::spawn(async move { client.complete_device_sign_in(device).await })
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

fn verdict(error: &str) -> Fault {
    let response = Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header(header::CONTENT_TYPE, "application/json");
    let body = Bytes::from(format!(r#"{{"error":"{error}"}}"#));
    Fault::Instead(response.body(body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_a_device_asks_every_five_seconds_until_the_user_approves() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    assert!(device.verification_uri_complete.is_some());
    let waiting = wait(&client, &device);
    seconds(4).await;
    assert_eq!(world.token_calls(), 0, "not before the first five are over");
    seconds(8).await;
    assert_eq!(world.token_calls(), 2);
    assert!(world.logto.approve_device(&device.user_code, "alice"));
    let session = waiting.await.unwrap().unwrap();
    assert_eq!(world.token_calls(), 3);
    assert_eq!(session.claims().sub, "user-alice");
    let shopping = TokenTarget::resource(SHOPPING_API);
    let token = session.access_token(&shopping).await.unwrap();
    assert!(token.scopes.contains("read:products"));
    let found = client.session(&session.handle()).await.unwrap();
    assert!(found.is_some(), "a session as any other");
}

#[tokio::test(start_paused = true)]
async fn an_approval_whose_response_is_late_signs_in() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    assert!(world.logto.approve_device(&device.user_code, "alice"));
    let slow = Mishap::Slow(Duration::from_secs(12));
    world.network.next("/token", slow);
    let session = wait(&client, &device).await.unwrap().unwrap();
    assert_eq!(session.claims().sub, "user-alice");
    assert_eq!(world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f38_an_approval_whose_caller_is_gone_waits_for_the_next_call() {
    // The next call comes while the response is on its way, or after it has arrived.
    for pause in [0, 20] {
        let world = world();
        let _time = world.let_time_pass();
        let client = client(&world);
        let device = start(&client).await;
        assert!(world.logto.approve_device(&device.user_code, "alice"));
        let slow = Mishap::Slow(Duration::from_secs(3));
        world.network.next("/token", slow);
        let waiting = wait(&client, &device);
        seconds(6).await;
        assert_eq!(world.token_calls(), 1, "the response is on its way");
        waiting.abort();
        seconds(pause).await;
        let session = wait(&client, &device).await.unwrap().unwrap();
        assert_eq!(session.claims().sub, "user-alice");
        let again = wait(&client, &device).await.unwrap().unwrap_err();
        assert_eq!(again.code(), "invalid_grant");
        assert_eq!(world.token_calls(), 1, "the device code is sent once");
    }
}

#[tokio::test(start_paused = true)]
async fn f5_keys_and_metadata_that_fail_cost_a_device_polls_and_no_approval() {
    for path in ["/jwks", "/openid-configuration"] {
        let world = world();
        let _time = world.let_time_pass();
        let device = start(&client(&world)).await;
        // A process that has never reached Logto.
        let client = client(&world);
        for _ in 0..2 {
            world.network.next(path, Mishap::Busy(503, None));
        }
        assert!(world.logto.approve_device(&device.user_code, "alice"));
        let session = wait(&client, &device).await.unwrap().unwrap();
        assert_eq!(session.claims().sub, "user-alice", "{path}");
        assert_eq!(world.token_calls(), 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_down_makes_the_interval_longer_for_good() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    world.logto.fault(Endpoint::Token, verdict("slow_down"));
    let waiting = wait(&client, &device);
    seconds(6).await;
    assert_eq!(world.token_calls(), 1);
    seconds(8).await;
    assert_eq!(world.token_calls(), 1, "ten seconds now");
    seconds(2).await;
    assert_eq!(world.token_calls(), 2);
    seconds(8).await;
    assert_eq!(world.token_calls(), 2, "and they stay ten");
    assert!(world.logto.approve_device(&device.user_code, "alice"));
    waiting.await.unwrap().unwrap();
    assert_eq!(world.token_calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_denial_ends_the_wait() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    let waiting = wait(&client, &device);
    seconds(1).await;
    assert!(world.logto.deny_device(&device.user_code));
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Device(DeviceEnd::Denied)), "{error}");
    assert_eq!(error.code(), "access_denied");
    assert_eq!(world.token_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn codes_expire_whoever_says_so_first() {
    // The provider, after ten minutes.
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let error = wait(&client, &start(&client).await)
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(error, Error::Device(DeviceEnd::Expired)),
        "{error}"
    );
    assert_eq!(error.code(), "expired_token");
    // Every five seconds, and the one that hears it.
    assert!(world.token_calls() <= 121, "{}", world.token_calls());

    // Our clock, when the provider does not answer.
    let device = start(&client).await;
    let down = Fault::status(StatusCode::BAD_GATEWAY);
    world.logto.break_down(Endpoint::Token, down);
    let before = world.token_calls();
    let error = wait(&client, &device).await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Device(DeviceEnd::Expired)),
        "{error}"
    );
    let calls = world.token_calls() - before;
    assert!(calls <= 15, "the pauses grow to a minute: {calls}");
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_costs_nothing_but_time() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    for fault in [
        Fault::status(StatusCode::SERVICE_UNAVAILABLE),
        Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "7"),
        Fault::ResetBeforeCommit,
    ] {
        world.logto.fault(Endpoint::Token, fault);
    }
    assert!(world.logto.approve_device(&device.user_code, "alice"));
    let session = wait(&client, &device).await.unwrap().unwrap();
    assert_eq!(session.claims().sub, "user-alice");
    assert_eq!(world.token_calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_device_code_is_good_once_and_for_device_applications_only() {
    let world = world();
    let _time = world.let_time_pass();
    let client = client(&world);
    let device = start(&client).await;
    assert!(world.logto.approve_device(&device.user_code, "alice"));
    wait(&client, &device).await.unwrap().unwrap();
    let error = wait(&client, &device).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "invalid_grant");

    let other = world.client(MemoryStorage::new());
    let refused = other.sign_in_on_device(&DeviceSignIn::new()).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_request");
}

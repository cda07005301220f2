//! Requests to the Account API and the Management API, including their tokens.

use http::{Method, StatusCode};
use logto_client::{
    AccessToken, LogtoConfig, TokenTarget,
    core::logto_api::{AccountApi, ManagementApi},
    m2m::M2mClient,
};
use logto_storage::MemoryStorage;
use logto_testkit::{App, Endpoint, Resource, Role, demo::SHOPPING_API};
use logto_tests::world::World;
use serde_json::{Value, json};

const MANAGER: &str = "manager";
const SECRET: &str = "manager-secret";

fn management_api(world: &World) -> ManagementApi {
    ManagementApi::self_hosted(world.config())
}

fn world(scope: &str) -> World {
    let indicator = "https://default.logto.app/api";
    World::with(
        |app| app,
        |logto| {
            logto
                .resource(Resource::new(indicator).scopes(["all", "some"]))
                .role(Role::new("manager").permissions(indicator, [scope]))
                .app(App::machine_to_machine(MANAGER, SECRET).role("manager"))
        },
    )
}

async fn managers_token(world: &World, target: &TokenTarget) -> AccessToken {
    let config = LogtoConfig::builder(world.logto.endpoint(), MANAGER).app_secret(SECRET);
    let machine = M2mClient::new(config.build().unwrap(), world.context()).unwrap();
    machine.token(target).await.unwrap()
}

async fn users_token(world: &World, target: &TokenTarget) -> AccessToken {
    let client = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    session.access_token(target).await.unwrap()
}

fn answer(world: &World, request: http::Request<bytes::Bytes>) -> (StatusCode, Value) {
    let response = world.logto.handle(request);
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    (response.status(), body)
}

#[tokio::test(start_paused = true)]
async fn a_managers_token_opens_the_management_api_and_no_other_does() {
    let world = world("all");
    let api = management_api(&world);
    let users = json!([{ "id": "user-alice" }]);
    world
        .logto
        .answer_api(Method::GET, "/api/users", StatusCode::OK, users.clone());
    let list = |token: &AccessToken| {
        let request = api.request(token, Method::GET, &["users"], &[("page", "1")], None);
        answer(&world, request.unwrap())
    };

    let token = managers_token(&world, &api.target()).await;
    assert_eq!(list(&token), (StatusCode::OK, users));
    let asked = world.logto.requests().pop().unwrap();
    assert_eq!(asked.endpoint(), Endpoint::Api);
    assert_eq!(asked.param("page"), Some("1"));

    let shopping = users_token(&world, &TokenTarget::resource(SHOPPING_API)).await;
    let opaque = users_token(&world, &TokenTarget::user_info()).await;
    for token in [&shopping, &opaque] {
        let (status, body) = list(token);
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["code"], "auth.unauthorized");
    }
    world.clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(list(&token).0, StatusCode::UNAUTHORIZED, "it has expired");
}

#[tokio::test(start_paused = true)]
async fn the_management_api_wants_the_scope_all() {
    let world = world("some");
    let api = management_api(&world);
    let target = TokenTarget::resource(api.indicator()).with_scopes(["some"]);
    let token = managers_token(&world, &target).await;
    let request = api.request(&token, Method::GET, &["users"], &[], None);
    let (status, body) = answer(&world, request.unwrap());
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body["code"], "auth.forbidden");
}

#[tokio::test(start_paused = true)]
async fn users_change_their_account_with_a_verification_record() {
    let world = world("all");
    let token = users_token(&world, &TokenTarget::user_info()).await;
    let path = "/api/my-account/password";
    world
        .logto
        .answer_api(Method::POST, path, StatusCode::NO_CONTENT, Value::Null);
    let change = |account: &AccountApi| {
        let body = json!({ "password": "new" });
        let segments = ["my-account", "password"];
        account
            .request(Method::POST, &segments, Some(&body))
            .unwrap()
    };

    let account = AccountApi::new(world.config(), &token).verified_by("record-1");
    assert_eq!(
        answer(&world, change(&account)),
        (StatusCode::NO_CONTENT, Value::Null)
    );
    let asked = world.logto.requests().pop().unwrap();
    assert_eq!(asked.headers()["logto-verification-id"], "record-1");

    let shopping = users_token(&world, &TokenTarget::resource(SHOPPING_API)).await;
    let account = AccountApi::new(world.config(), &shopping);
    assert_eq!(answer(&world, change(&account)).0, StatusCode::UNAUTHORIZED);
    let mut nobodys = change(&account);
    nobodys.headers_mut().clear();
    let (status, body) = answer(&world, nobodys);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(body["code"], "auth.authorization_header_missing");
}

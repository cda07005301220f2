//! An application's webhook endpoint, with deliveries of the test provider.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use logto::core::{
    Secret,
    webhook::{self, WebhookError},
};
use logto_client::{storage::SessionStorage, web::LogtoWeb};
use logto_storage::MemoryStorage;
use logto_testkit::{Interaction, Logto, Webhook, demo::APP_ID};
use logto_tests::{
    stage::{codec, cookie_storage, key_ring},
    world::World,
};
use serde_json::{Value, json};

type Delivery = http::Request<bytes::Bytes>;

/// What an application does with a delivery: its status, and whom it is about.
fn endpoint(signing_key: &str, delivery: &Delivery) -> (StatusCode, Option<String>) {
    let key = Secret::from(signing_key);
    match webhook::verify(&key, delivery.headers(), delivery.body()) {
        Ok(()) => {
            let body: Value = serde_json::from_slice(delivery.body()).unwrap();
            let user = &body["user"]["username"];
            (StatusCode::OK, user.as_str().map(str::to_owned))
        }
        Err(WebhookError::Header | WebhookError::Signature) => (StatusCode::UNAUTHORIZED, None),
        Err(other) => panic!("{other}"),
    }
}

fn hook() -> Webhook {
    Webhook::new("https://app.example.com/webhooks", "the signing key")
}

#[tokio::test(start_paused = true)]
async fn l10_a_user_who_is_suspended_or_deleted_or_has_a_new_password_is_signed_out() {
    let world = World::new();
    let logto = &world.logto;
    let id = logto.user_entity("alice").unwrap()["id"].clone();
    let data = |event: &str, details: Value| logto.data_webhook(&hook(), event, details).unwrap();
    let route = |route: &str| json!({ "matchedRoute": route, "params": { "userId": id }, "data": { "id": id } });
    let deliveries = [
        (
            true,
            data(
                "User.Deleted",
                json!({ "data": null, "params": { "userId": id } }),
            ),
        ),
        (
            true,
            data(
                "User.SuspensionStatus.Updated",
                json!({ "data": { "id": id, "isSuspended": true } }),
            ),
        ),
        (
            true,
            data("User.Data.Updated", route("/users/:userId/password")),
        ),
        (
            true,
            logto
                .interaction_webhook(&hook(), Interaction::ForgotPassword, "alice", APP_ID)
                .unwrap(),
        ),
        (
            false,
            data(
                "User.SuspensionStatus.Updated",
                json!({ "data": { "id": id, "isSuspended": false } }),
            ),
        ),
        (false, data("User.Data.Updated", route("/users/:userId"))),
        (
            false,
            logto
                .interaction_webhook(&hook(), Interaction::SignIn, "alice", APP_ID)
                .unwrap(),
        ),
    ];
    let key = Secret::from("the signing key");
    for (ends, delivery) in deliveries {
        let storages: [Arc<dyn SessionStorage>; 2] = [
            Arc::new(MemoryStorage::new()),
            Arc::new(cookie_storage(&world)),
        ];
        for storage in storages {
            let client = world.client(storage);
            let web = LogtoWeb::new(client.clone(), codec(), key_ring());
            let alice = world.sign_in(&client, "alice").await.session;
            let bob = world.sign_in(&client, "bob").await.session;
            let (headers, body) = (delivery.headers(), delivery.body());
            let forged = web
                .webhook(&Secret::from("another key"), headers, body)
                .await;
            assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
            assert!(client.session(&alice.handle()).await.unwrap().is_some());

            assert_eq!(
                web.webhook(&key, headers, body).await.status(),
                StatusCode::OK
            );
            let found = client.session(&alice.handle()).await.unwrap();
            assert_eq!(found.is_none(), ends, "{delivery:?}");
            assert!(client.session(&bob.handle()).await.unwrap().is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l10_a_webhook_that_comes_again_ends_no_later_session() {
    let world = World::new();
    let client = world.client(cookie_storage(&world));
    let web = LogtoWeb::new(client.clone(), codec(), key_ring());
    let key = Secret::from("the signing key");
    let delivery = world
        .logto
        .interaction_webhook(&hook(), Interaction::ForgotPassword, "alice", APP_ID)
        .unwrap();
    world.clock.advance(Duration::from_secs(1));
    let later = world.sign_in(&client, "alice").await.session;
    for _ in 0..2 {
        let response = web.webhook(&key, delivery.headers(), delivery.body()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(client.session(&later.handle()).await.unwrap().is_some());
    }
}

#[test]
fn the_kits_deliveries_pass_and_changed_ones_do_not() {
    let logto = Logto::demo().build().unwrap();
    let hook = Webhook::new("https://app.example.com/webhooks", "the signing key");
    let sign_in = logto
        .interaction_webhook(&hook, Interaction::SignIn, "alice", APP_ID)
        .unwrap();
    let refused = (StatusCode::UNAUTHORIZED, None);
    assert_eq!(
        endpoint("the signing key", &sign_in),
        (StatusCode::OK, Some("alice".to_owned()))
    );
    assert_eq!(endpoint("another key", &sign_in), refused);

    let mut changed = sign_in.clone();
    *changed.body_mut() = String::from_utf8(sign_in.body().to_vec())
        .unwrap()
        .replace("alice", "mallory")
        .into();
    assert_eq!(endpoint("the signing key", &changed), refused);

    let details = json!({ "data": logto.user_entity("bob") });
    let data = logto.data_webhook(&hook, "User.Created", details).unwrap();
    assert_eq!(endpoint("the signing key", &data), (StatusCode::OK, None));
    let mut mixed = data;
    *mixed.headers_mut() = sign_in.headers().clone();
    assert_eq!(endpoint("the signing key", &mixed), refused);
}

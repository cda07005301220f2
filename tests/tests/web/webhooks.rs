//! An application's webhook endpoint, with deliveries of the test provider.

use http::StatusCode;
use logto::core::{
    Secret,
    webhook::{self, WebhookError},
};
use logto_testkit::{Interaction, Logto, Webhook, demo::APP_ID};
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

//! Webhook deliveries. The signature is held against `logto_core::webhook` in the workspace's own tests; here
//! against one that was made by other means.

use bytes::Bytes;
use http::{Request, header};
use logto_testkit::{Interaction, Webhook};
use serde_json::{Value, json};

use crate::common::lab::{ACME, Ask, Lab, TRADITIONAL};

fn webhook() -> Webhook {
    Webhook::new("https://app.example.com/webhooks?from=logto", "secret")
}

fn body(delivery: &Request<Bytes>) -> Value {
    serde_json::from_slice(delivery.body()).unwrap()
}

fn names(delivery: &Request<Bytes>) -> Vec<String> {
    let text = std::str::from_utf8(delivery.body()).unwrap();
    let body = body(delivery);
    let mut names: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

#[test]
fn a_sign_in_is_told_with_its_user_and_its_application() {
    let lab = Lab::new();
    lab.sign_in(&Ask::default());
    lab.wait(1);
    let webhook = webhook().id("hook-1");
    let delivery = lab
        .logto
        .interaction_webhook(&webhook, Interaction::SignIn, "alice", TRADITIONAL.0)
        .unwrap();
    assert_eq!(delivery.method(), "POST");
    assert_eq!(
        delivery.uri(),
        "https://app.example.com/webhooks?from=logto"
    );
    assert_eq!(delivery.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        delivery.headers()[header::USER_AGENT],
        "Logto (https://logto.io/)"
    );

    let told = body(&delivery);
    for (member, expected) in [
        ("event", json!("PostSignIn")),
        ("interactionEvent", json!("SignIn")),
        ("createdAt", json!("2026-11-22T08:22:44.001Z")),
        ("userId", json!("dknhv6vsaxt5")),
        ("hookId", json!("hook-1")),
    ] {
        assert_eq!(told[member], expected, "{member}");
    }
    let user = &told["user"];
    assert_eq!(user["primaryEmail"], "alice@example.com");
    assert_eq!(user["profile"]["familyName"], "Lab");
    assert_eq!(
        user["customData"],
        json!({"plan": "gold", "nested": {"n": 1}})
    );
    assert_eq!(user["lastSignInAt"], 1_795_335_764_000_u64);
    assert_eq!(user["isSuspended"], false);
    assert_eq!(
        told["application"],
        json!({"id": TRADITIONAL.0, "type": "Traditional", "name": TRADITIONAL.0, "description": null})
    );
    assert_eq!(
        names(&delivery).join(" "),
        "event interactionEvent createdAt sessionId userAgent userId userIp user application hookId"
    );
}

#[test]
fn the_other_interactions_have_events_of_their_own() {
    let lab = Lab::new();
    for (interaction, name, event) in [
        (Interaction::Register, "Register", "PostRegister"),
        (
            Interaction::ForgotPassword,
            "ForgotPassword",
            "PostResetPassword",
        ),
    ] {
        let delivery = lab
            .logto
            .interaction_webhook(&webhook(), interaction, "mallory", "nobody")
            .unwrap();
        let told = body(&delivery);
        assert_eq!(told["event"], event);
        assert_eq!(told["interactionEvent"], name);
        for unknown in ["userId", "user", "application"] {
            assert!(told.get(unknown).is_none(), "{unknown}");
        }
    }
}

#[test]
fn a_change_is_told_with_its_data() {
    let lab = Lab::new();
    lab.logto.suspend_user("alice");
    let details = json!({
        "data": lab.logto.user_entity("alice"),
        "path": "/users/dknhv6vsaxt5/is-suspended",
        "method": "PATCH",
        "status": 200,
        "hookId": "another",
    });
    let event = "User.SuspensionStatus.Updated";
    let delivery = lab.logto.data_webhook(&webhook(), event, details).unwrap();
    let told = body(&delivery);
    assert_eq!(told["event"], event);
    assert_eq!(told["createdAt"], "2026-11-22T08:22:44.000Z");
    assert_eq!(told["data"]["isSuspended"], true);
    assert_eq!(told["data"]["lastSignInAt"], Value::Null);
    assert_eq!(told["hookId"], "test-hook");
    assert_eq!(
        names(&delivery).join(" "),
        "event createdAt userAgent ip path method status data hookId"
    );
    assert_eq!(lab.logto.user_entity(ACME), None);
}

#[test]
fn the_body_is_signed_with_the_webhooks_key() {
    let lab = Lab::new();
    let delivery = lab
        .logto
        .data_webhook(&webhook(), "Role.Deleted", json!(null))
        .unwrap();
    let expected = concat!(
        r#"{"event":"Role.Deleted","createdAt":"2026-11-22T08:22:44.000Z","#,
        r#""userAgent":"logto-testkit","ip":"127.0.0.1","hookId":"test-hook"}"#
    );
    assert_eq!(delivery.body(), expected);
    assert_eq!(delivery.headers()["logto-signature-sha-256"], SIGNATURE);
    assert!(!format!("{:?}", webhook()).contains("secret"));

    let nowhere = Webhook::new("not a URL", "secret");
    assert!(
        lab.logto
            .data_webhook(&nowhere, "Role.Deleted", json!({}))
            .is_err()
    );
}

/// By `openssl dgst -sha256 -hmac secret`.
const SIGNATURE: &str = "e69322f6f53b5892afc43a2bdf25f98b9d4ab9377d12e184cbecfde8c240f9db";

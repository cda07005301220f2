//! Pending sign-ins: random values, and what is stored until the callback.

use std::{collections::BTreeSet, time::Duration};

use logto_core::{
    SignIn,
    sign_in::{PendingSignIn, SIGN_IN_RANDOM_BYTES},
    vocabulary::Prompt,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::support::provider::{self, NOW, config, metadata, parameters, random};

fn start(sign_in: &SignIn) -> (Url, PendingSignIn) {
    sign_in
        .start(&config(), &metadata(), &random(), NOW)
        .unwrap()
}

/// The values of a pending sign-in that come from the random bytes.
fn drawn(pending: &PendingSignIn) -> [Value; 4] {
    let stored = serde_json::to_value(pending).unwrap();
    ["code_verifier", "state", "nonce", "session_id"].map(|name| stored[name].clone())
}

fn drawn_from(random: &[u8; SIGN_IN_RANDOM_BYTES]) -> [Value; 4] {
    let (_, pending) = SignIn::new()
        .start(&config(), &metadata(), random, NOW)
        .unwrap();
    drawn(&pending)
}

#[test]
fn c3_verifier_state_and_nonce_carry_256_bits_in_the_verifiers_alphabet() {
    for byte in [0_u8, 0x3F, 0xFB, 0xFF] {
        for value in &drawn_from(&[byte; SIGN_IN_RANDOM_BYTES])[..3] {
            let text = value.as_str().unwrap();
            assert_eq!(text.len(), 43);
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
                "{text}"
            );
        }
    }
}

#[test]
fn c4_each_random_byte_decides_exactly_one_of_the_values() {
    let before = drawn_from(&random());
    for index in 0..SIGN_IN_RANDOM_BYTES {
        let mut changed = random();
        changed[index] ^= 1;
        let after = drawn_from(&changed);
        for (value, (old, new)) in before.iter().zip(&after).enumerate() {
            let decided_by_this_byte = value == (index / 32).min(3);
            assert_eq!(
                old != new,
                decided_by_this_byte,
                "byte {index}, value {value}"
            );
        }
    }
}

#[test]
fn c4_ten_thousand_draws_repeat_nothing() {
    const DRAWS: u32 = 10_000;
    let mut seen: [BTreeSet<String>; 4] = Default::default();
    for draw in 0..DRAWS {
        let number = draw.to_be_bytes();
        let random = std::array::from_fn(|index| number[index % 4]);
        for (seen, value) in seen.iter_mut().zip(drawn_from(&random)) {
            assert!(seen.insert(value.to_string()));
        }
    }
}

proptest! {
    #[test]
    fn c4_the_same_bytes_give_the_same_request_and_other_bytes_another(
        one in prop::array::uniform32(any::<u8>()),
        other in prop::array::uniform32(any::<u8>()),
    ) {
        let spread = |bytes: [u8; 32]| std::array::from_fn(|index| bytes[index % 32]);
        prop_assert_eq!(drawn_from(&spread(one)), drawn_from(&spread(one)));
        prop_assert_eq!(drawn_from(&spread(one)) == drawn_from(&spread(other)), one == other);
    }
}

#[test]
fn c7_the_pending_sign_in_holds_all_that_the_callback_is_checked_against() {
    let sign_in = SignIn::new()
        .return_to("/orders?page=2")
        .app_state(&json!({"cart": 17}))
        .unwrap()
        .scopes(["read:orders"])
        .resources(["https://api.example.com"])
        .max_age(Duration::from_secs(60))
        .acr_values(["urn:mfa"]);
    let (url, pending) = start(&sign_in);
    let stored = serde_json::to_value(&pending).unwrap();
    let session_id: Vec<u8> = (96..112).collect();
    let expected = json!({
        "issuer": "https://tenant.logto.app/oidc",
        "client_id": "app-id",
        "redirect_uri": "https://shop.example.com/callback",
        "state": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8",
        "nonce": "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8",
        "code_verifier": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "session_id": session_id,
        "scopes": ["openid", "offline_access", "profile", "read:orders"],
        "resources": ["https://api.example.com"],
        "return_to": "/orders?page=2",
        "sign_in": {
            "a": {"cart": 17},
            "s": ["read:orders"],
            "i": ["https://api.example.com"],
            "m": 60,
            "c": ["urn:mfa"],
        },
        "created_at": NOW,
    });
    assert_eq!(stored, expected);
    let again: PendingSignIn = serde_json::from_value(stored).unwrap();
    assert_eq!(again, pending);
    assert_eq!(
        pending.state().expose(),
        parameters(url.query().unwrap().as_bytes())["state"]
    );
    assert_eq!(pending.return_to().as_str(), "/orders?page=2");
}

#[test]
fn f8_a_sign_in_starts_again_once_with_the_same_options_and_fresh_secrets() {
    let sign_in = SignIn::sign_up()
        .return_to("/orders?page=2")
        .app_state(&json!({"cart": 17}))
        .unwrap()
        .scopes(["read:orders"])
        .prompt([Prompt::Login, Prompt::Consent])
        .login_hint("alice@example.com")
        .max_age(Duration::from_secs(60))
        .one_time_token("good-once")
        .google_one_tap_credential("good-once-too");
    let (url, pending) = start(&sign_in);
    let again = pending.again().unwrap();
    let started = again.start(&config(), &metadata(), &[9; 112], NOW);
    let (again_url, again_pending) = started.unwrap();

    let mut first = parameters(url.query().unwrap().as_bytes());
    let mut second = parameters(again_url.query().unwrap().as_bytes());
    for secret in ["state", "nonce", "code_challenge"] {
        assert_ne!(first.remove(secret), second.remove(secret), "{secret}");
    }
    for good_once in ["one_time_token", "google_one_tap_credential"] {
        assert!(first.remove(good_once).is_some() && !second.contains_key(good_once));
    }
    assert_eq!(first, second);
    assert_eq!(second["prompt"], "login consent");
    assert_eq!(second["max_age"], "60");
    assert_eq!(again_pending.return_to(), pending.return_to());

    // Once, whatever it went through meanwhile.
    assert!(again.again().is_none() && again_pending.again().is_none());
    let written = serde_json::to_string(&again_pending).unwrap();
    let read: PendingSignIn = serde_json::from_str(&written).unwrap();
    assert!(read.again().is_none());
    let written = serde_json::to_string(&pending).unwrap();
    let read: PendingSignIn = serde_json::from_str(&written).unwrap();
    assert_eq!(read.again().unwrap(), again);
    assert!(!written.contains("good-once"), "{written}");
}

#[test]
fn f8_a_silent_sign_in_stays_silent_when_it_starts_again() {
    let (_, pending) = start(&SignIn::silent());
    let (url, _) = pending
        .again()
        .unwrap()
        .start(&config(), &metadata(), &[9; 112], NOW)
        .unwrap();
    assert_eq!(
        parameters(url.query().unwrap().as_bytes())["prompt"],
        "none"
    );
}

#[test]
fn b18_the_url_holds_neither_verifier_nor_secret_nor_application_state() {
    let sign_in = SignIn::new().app_state(&"application-state").unwrap();
    let (url, _) = start(&sign_in);
    for secret in [
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        provider::APP_SECRET,
        "application-state",
    ] {
        assert!(!url.as_str().contains(secret), "{secret}");
    }
}

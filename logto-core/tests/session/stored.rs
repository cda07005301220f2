//! Serialization of sessions and deltas.

use logto_core::{
    Session,
    session::{SessionDelta, SessionId, UnreadableSession},
};
use serde_json::{Value, json};

use crate::support::{
    SigningKey,
    provider::{self, ISSUER},
    sessions::{API, at, delta, id_token, read, record, session, session_with, token_record},
};

#[test]
fn a_delta_survives_its_storage() {
    let delta = delta(json!({
        "refresh_token": "rotated",
        "id_token": id_token(&json!({"name": "Alice"})),
        "access_token": [
            {"resource": API, "organization_id": "org1", "scopes": ["read:orders"]},
            token_record("t", &["read:orders"], 900),
        ],
        "forgotten": [{}, {"resource": API}],
        "at": at(5),
    }));
    let again: SessionDelta =
        serde_json::from_str(&serde_json::to_string(&delta).unwrap()).unwrap();
    assert_eq!(again, delta);
    assert_eq!(
        again.id_token.unwrap().claims().user.name.as_deref(),
        Some("Alice")
    );
}

#[test]
fn a_session_survives_its_storage() {
    let organizations: Vec<String> = (0..1000).map(|n| format!("organization-{n:08}")).collect();
    let with_typ = SigningKey::es384().sign_with_header(
        &json!({"alg": "ES384", "typ": "JWT", "zzz": 1}),
        &json!({
            "iss": ISSUER, "sub": "alice", "aud": ["app-id"], "exp": 1.5e9, "iat": 1,
            "custom": {"deep": [1, null, "é\u{1F980}"]},
        }),
    );
    for id_token in [
        id_token(&json!({})),
        id_token(&json!({"organizations": organizations})),
        id_token(
            &json!({"name": null, "custom_data": {"a": 1.25}, "updated_at": 1_795_335_765_405_i64}),
        ),
        with_typ,
    ] {
        let session = session_with("id_token", json!(id_token));
        let stored = serde_json::to_string(&session).unwrap();
        let again: Session = serde_json::from_str(&stored).unwrap();
        assert_eq!(again, session);
        assert_eq!(again.claims().to_map(), session.claims().to_map());
        assert_eq!(serde_json::to_string(&again).unwrap(), stored);
    }
}

#[test]
fn f33_a_stored_session_that_cannot_be_read_is_an_error_and_shows_nothing() {
    let good = record();
    for (member, value) in [
        ("id", json!([1, 2, 3])),
        ("id", json!("name")),
        ("id_token", json!("")),
        ("id_token", json!("a.b.c")),
        ("id_token", json!("secret-opaque")),
        ("id_token", json!(17)),
        ("access_tokens", json!({})),
        ("access_tokens", json!([[{}, {}]])),
        ("created_at", json!("today")),
        ("requested_scopes", json!("openid")),
    ] {
        let mut bad = good.clone();
        bad[member] = value.clone();
        let error = serde_json::from_value::<Session>(bad).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for member in good.as_object().unwrap().keys() {
        let mut bad = provider::object(good.clone());
        bad.remove(member);
        let result = serde_json::from_value::<Session>(Value::Object(bad));
        let may_be_absent = member == "refresh_token";
        assert_eq!(result.is_ok(), may_be_absent, "{member}");
    }
    assert_eq!(
        UnreadableSession.to_string(),
        "the stored session is unreadable"
    );
    // A later version may write more.
    let mut newer = good;
    newer["zzz"] = json!(1);
    assert_eq!(read(newer), session());
}

#[test]
fn b11_the_name_of_a_session_is_what_the_random_bytes_say() {
    let name = SessionId::from_random([9; 16]);
    assert_eq!(name.as_bytes(), &[9; 16]);
    assert_eq!(format!("{name:?}"), "SessionId([redacted])");
    let again: SessionId = serde_json::from_value(serde_json::to_value(&name).unwrap()).unwrap();
    assert_eq!(again, name);
}

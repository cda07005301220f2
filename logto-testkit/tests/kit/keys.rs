//! Signing keys and their rotation.

use crate::common::{
    json,
    lab::{Ask, Lab},
    member,
    recording::Replay,
};
use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use logto_recordings::Recording;
use logto_testkit::{KeyError, KeyType, Logto, RsaKeys};
use serde_json::Value;

fn keys(lab: &Lab) -> Vec<Value> {
    json(&lab.get("/oidc/jwks"))["keys"]
        .as_array()
        .unwrap()
        .clone()
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn bytes(key: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap()
}

/// Whether the published key with the token's `kid` verifies it.
fn verifies(keys: &[Value], token: &str) -> bool {
    let Some(key) = keys.iter().find(|key| key["kid"] == header(token)["kid"]) else {
        return false;
    };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    if key["kty"] == "RSA" {
        let public = PublicKeyComponents {
            n: bytes(key, "n"),
            e: bytes(key, "e"),
        };
        return public
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .is_ok();
    }
    let point = [vec![4], bytes(key, "x"), bytes(key, "y")].concat();
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
        .verify(signed.as_bytes(), &signature)
        .is_ok()
}

fn id_token(lab: &Lab) -> String {
    member(&lab.sign_in(&Ask::default()), "id_token")
}

#[test]
fn an_id_token_is_signed_by_the_published_key() {
    let lab = Lab::new();
    let token = id_token(&lab);
    assert_eq!(header(&token)["alg"], "ES384");
    assert!(header(&token).get("typ").is_none());
    assert!(verifies(&keys(&lab), &token));
}

#[test]
fn recording_118_rotation_to_rsa() {
    let lab = Lab::new();
    let before = id_token(&lab);
    lab.logto.rotate_keys(KeyType::Rsa).unwrap();
    let recording = Recording::load(118);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[]));
    let discovery = json(&lab.get("/oidc/.well-known/openid-configuration"));
    let algorithms = &discovery["id_token_signing_alg_values_supported"];
    assert_eq!(*algorithms, serde_json::json!(["PS256", "RS256", "ES384"]));

    let after = id_token(&lab);
    assert_eq!(header(&after)["alg"], "RS256");
    assert!(verifies(&keys(&lab), &after));
    assert!(
        verifies(&keys(&lab), &before),
        "the previous key is still published"
    );
}

#[test]
fn providers_share_rsa_keys_and_none_has_one_twice() {
    let shared = RsaKeys::default();
    let kids = || {
        let builder = Logto::builder().signing_key(KeyType::Rsa).rsa_keys(&shared);
        let logto = builder.build().unwrap();
        let request = Request::get("http://localhost:3001/oidc/jwks");
        let request = request.body(Bytes::new()).unwrap();
        let mut kids = Vec::new();
        for _ in 0..3 {
            kids.push(json(&logto.handle(request.clone()))["keys"][0]["kid"].clone());
            logto.rotate_keys(KeyType::Rsa).unwrap();
        }
        kids
    };
    let first = kids();
    assert_eq!(kids(), first);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
}

#[test]
fn two_rotations_drop_the_key_before() {
    let lab = Lab::new();
    let token = id_token(&lab);
    lab.logto.rotate_keys(KeyType::Ec).unwrap();
    lab.logto.rotate_keys(KeyType::Ec).unwrap();
    assert_eq!(keys(&lab).len(), 2);
    assert!(!verifies(&keys(&lab), &token));
}

#[test]
fn recording_119_the_previous_key_can_be_removed() {
    let lab = Lab::new();
    lab.logto.rotate_keys(KeyType::Ec).unwrap();
    lab.logto.remove_previous_key();
    let recording = Recording::load(119);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[]));
    assert!(verifies(&keys(&lab), &id_token(&lab)));
}

fn kids(lab: &Lab) -> Vec<Value> {
    let keys = keys(lab).into_iter();
    keys.map(|key| key["kid"].clone()).collect()
}

#[test]
fn a_staged_key_is_published_before_it_signs() {
    let lab = Lab::new();
    lab.logto.rotate_keys(KeyType::Ec).unwrap();
    let before = id_token(&lab);
    let [current, previous] = &kids(&lab)[..] else {
        panic!("two keys")
    };

    lab.logto.stage_key(KeyType::Rsa).unwrap();
    let staged = kids(&lab);
    assert_eq!(staged.len(), 3);
    assert_eq!((&staged[0], &staged[2]), (current, previous));
    let algorithms = json(&lab.get("/oidc/.well-known/openid-configuration"));
    let algorithms = &algorithms["id_token_signing_alg_values_supported"];
    assert_eq!(*algorithms, serde_json::json!(["ES384", "PS256", "RS256"]));
    assert_eq!(header(&id_token(&lab))["kid"], *current);
    assert!(matches!(
        lab.logto.rotate_keys(KeyType::Ec),
        Err(KeyError::Staged)
    ));

    assert!(lab.logto.activate_staged_key());
    assert_eq!(kids(&lab), [staged[1].clone(), current.clone()]);
    let after = id_token(&lab);
    assert_eq!(header(&after)["kid"], staged[1]);
    assert!(verifies(&keys(&lab), &after) && verifies(&keys(&lab), &before));
    assert!(!lab.logto.activate_staged_key());
}

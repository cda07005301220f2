//! The answers to what an application sends with its secret: tokens, a device code, a pushed request.
//!
//! The first line says which request it answers, the second has the claims of an ID token, which is signed and stands
//! for `{id_token}` in the body; then come status, content type and body, as `input::response` reads them.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use http::Response;
use logto_core::{
    AccessToken, Exchange as _, Machine as _, Secret, SignIn, Step, TokenTarget,
    error::Endpoint,
    grants::{ClientCredentials, ExchangeToken, RefreshTokens, TypedToken},
    jwt::AwsLcVerifier,
    pushed_authorization::PushAuthorization,
    sign_in::{
        Callback, CompleteSignIn, DeviceSignIn, PendingSignIn, ProviderKeys, SIGN_IN_RANDOM_BYTES,
    },
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::{
    Verdict,
    application::{
        API, NOW, config, good_callback, header, id_token_claims, keys, metadata, pending_sign_in,
        signed_text,
    },
    input::{joined, lines, recorded, response, text},
    undisclosed::assert_undisclosed,
};

/// No sign-in takes more.
const MAX_STEPS: usize = 32;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let [kind, claims, rest] = lines(data);
    let mut response = response(rest);
    let id_token = signed_text(header(None).as_bytes(), claims);
    let body = text(response.body()).replace("{id_token}", &id_token);
    *response.body_mut() = Bytes::from(body);
    let accepted = match kind {
        b"code" => completes_a_sign_in(response, data),
        b"client" => {
            let asked = ClientCredentials::new(config(), metadata(), target(), NOW);
            let asked = asked.expect("the target is an API");
            asked
                .accept(response, NOW)
                .is_ok_and(|token| is_good(&token, data))
        }
        b"exchange" => {
            let subject = TypedToken::access_token("the-subject-token-1");
            let asked = ExchangeToken::new(config(), metadata(), subject, target(), NOW);
            asked
                .accept(response, NOW)
                .is_ok_and(|token| is_good(&token, data))
        }
        b"device" => is_a_device_code(response, data),
        b"pushed" => is_a_pushed_request(response),
        _ => refreshes(response, data),
    };
    Verdict::accepted_if(accepted)
}

fn target() -> TokenTarget {
    TokenTarget::resource(API)
}

fn is_good(token: &AccessToken, data: &[u8]) -> bool {
    assert!(!token.token.expose().is_empty());
    assert_undisclosed(token, token.token.expose(), data);
    assert!(token.issued_at <= token.expires_at);
    let year = 366 * 24 * 3_600;
    assert!(
        token.expires_at.as_secs() - NOW.as_secs() < year,
        "a token that never expires"
    );
    true
}

fn completes_a_sign_in(response: Response<Bytes>, data: &[u8]) -> bool {
    let pending: PendingSignIn =
        serde_json::from_value(pending_sign_in()).expect("the pending sign-in is readable");
    let callback = Callback::from_query(good_callback()).expect("the callback is good");
    let resumed = pending.resume(callback, config(), metadata(), NOW);
    let keys = ProviderKeys::new(Some(Arc::clone(keys())), Arc::new(AwsLcVerifier));
    let resumed = resumed.expect("the callback belongs to it");
    let mut machine = CompleteSignIn::new(config(), metadata(), resumed, keys);
    let said: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let mut answer = Some(response);
    // A code is sent once, and the keys may be asked for.
    let mut now = NOW;
    for _ in 0..MAX_STEPS {
        match machine.poll(now) {
            Step::Send { request, .. } => match answer.take() {
                Some(answer) => machine.handle(answer, now),
                None => {
                    assert_ne!(request.uri().path(), "/oidc/token", "a code is sent twice");
                    machine.handle(Response::new(Bytes::new()), now);
                }
            },
            Step::Wait(pause) => now = now.plus(pause),
            Step::Done(Err(incomplete)) => {
                for name in ["access_token", "refresh_token", "id_token"] {
                    if let Some(token) = said[name].as_str() {
                        assert_undisclosed(&incomplete, token, data);
                    }
                }
                return false;
            }
            Step::Done(Ok(signed_in)) => {
                let session = &signed_in.session;
                assert_eq!(
                    said["id_token"].as_str(),
                    session.id_token().map(|token| token.expose())
                );
                assert_eq!(session.claims().nonce.as_deref(), Some("the-nonce"));
                for token in session.access_tokens().values() {
                    assert_undisclosed(&signed_in, token.token.expose(), data);
                }
                if let Some(token) = session.refresh_token() {
                    assert_eq!(said["refresh_token"].as_str(), Some(token.expose()));
                    assert_undisclosed(&signed_in, token.expose(), data);
                }
                let stored = serde_json::to_string(session).expect("it can be stored");
                assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(session));
                return true;
            }
        }
    }
    panic!("a sign-in does not end");
}

/// The new refresh token is there whatever the rest says: the old one is spent.
fn refreshes(response: Response<Bytes>, data: &[u8]) -> bool {
    let scopes = BTreeSet::from(["openid".to_owned()]);
    let old = Secret::from("the-refresh-token-1");
    let asked = RefreshTokens::new(config(), metadata(), old, target(), &scopes, NOW);
    let said: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let Ok(refreshed) = asked.accept(response, NOW) else {
        return false;
    };
    let given = said["refresh_token"]
        .as_str()
        .filter(|token| !token.is_empty());
    assert_eq!(given, refreshed.refresh_token.as_ref().map(Secret::expose));
    if let Some(token) = given {
        assert_undisclosed(&refreshed, token, data);
    }
    refreshed
        .access_token
        .is_ok_and(|token| is_good(&token, data))
}

fn is_a_device_code(response: Response<Bytes>, data: &[u8]) -> bool {
    let asked = DeviceSignIn::new().start(config(), metadata(), NOW);
    let asked = asked.expect("there is an endpoint");
    let Ok(device) = asked.accept(response, NOW) else {
        return false;
    };
    let pending = device;
    assert_undisclosed(&pending, pending.device_code().expose(), data);
    assert!(pending.next_poll() >= NOW);
    true
}

fn is_a_pushed_request(response: Response<Bytes>) -> bool {
    let random = [7; SIGN_IN_RANDOM_BYTES];
    let started = SignIn::new().start_pushed(config(), metadata(), &random, NOW);
    let (push, _): (PushAuthorization, _) = started.expect("there is an endpoint");
    let said: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let Ok(pushed) = push.accept(response, NOW) else {
        return false;
    };
    let url = pushed.url;
    let endpoint = metadata()
        .endpoint(Endpoint::Authorization)
        .expect("there is one");
    assert_eq!(
        (url.origin(), url.path()),
        (endpoint.origin(), endpoint.path())
    );
    let sent = url.query_pairs().find(|(name, _)| name == "request_uri");
    assert_eq!(
        sent.map(|(_, uri)| uri.into_owned()).as_deref(),
        said["request_uri"].as_str()
    );
    true
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let claims = id_token_claims().to_string();
    let tokens = json!({
        "access_token": "the-access-token-1",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "openid profile",
        "refresh_token": "the-refresh-token-2",
        "id_token": "{id_token}",
    })
    .to_string();
    let answer = joined([b"200", b"application/json", tokens.as_bytes()]);
    let mut seeds: Vec<Vec<u8>> = ["code", "client", "exchange", "refresh"]
        .map(|kind| joined([kind.as_bytes(), claims.as_bytes(), &answer]))
        .to_vec();
    for (kind, numbers) in [
        ("code", &[6, 7, 45, 50, 53][..]),
        ("refresh", &[13, 14, 16, 18, 25, 29, 36]),
        ("client", &[89, 91, 93, 97, 100]),
        ("exchange", &[108, 109, 110]),
        ("device", &[102, 103]),
        ("pushed", &[111]),
    ] {
        for number in numbers {
            let recorded = recorded(&Recording::load(*number).response);
            seeds.push(joined([kind.as_bytes(), claims.as_bytes(), &recorded]));
        }
    }
    seeds
}

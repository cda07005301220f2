//! What many sessions, keys and organizations cost each request.

use std::{iter, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_client::storage::{Handle, SessionReader, SessionStorage};
use logto_core::{
    Session, UnixTime, api_token::AccessTokenVerification, id_token::IdTokenVerification,
};
use logto_storage::MemoryStorage;
use serde_json::{Value, json};

use crate::{
    claims::{self, API, APP_ID, ISSUER, NOW},
    contest::Contest,
    fixtures::at_once,
    keys::{ALGORITHMS, Key},
};

const NOW_TIME: UnixTime = UnixTime::from_secs(NOW + 1);

/// A contest for each number that may grow.
/// As each takes its memory when it is made, they are made one after the other. With `SESSIONS=100000` in the
/// environment the last of them takes no gigabytes.
pub fn contests() -> impl Iterator<Item = Contest> {
    let contests: [fn() -> Contest; 4] =
        [keys, organizations, organizations_in_a_session, sessions];
    contests.into_iter().map(|contest| contest())
}

/// The tenth power that follows on another, from `first` to `last`.
fn powers_of_ten(first: usize, last: usize) -> impl Iterator<Item = usize> {
    iter::successors(Some(first), |power| Some(power * 10)).take_while(move |power| *power <= last)
}

fn keys() -> Contest {
    let key = Key::generate(ALGORITHMS[3]);
    let token = key.sign(Some("at+jwt"), &claims::access_token(ISSUER, NOW, ""));
    powers_of_ten(1, 100).fold(
        Contest::new("Verify an access token (EdDSA), keys of the provider"),
        |contest, count| {
            let others = (1..count).map(|_| {
                let mut other = Key::generate(ALGORITHMS[3]).jwk;
                other["kid"] = other["x"].clone();
                other
            });
            let (token, keys) = (token.clone(), key.set(others));
            let verification = AccessTokenVerification::api(ISSUER, API);
            contest.enter(count.to_string(), move || {
                verification
                    .verify(&token, &keys, NOW_TIME)
                    .expect("a good token")
            })
        },
    )
}

fn organizations() -> Contest {
    let key = Key::generate(ALGORITHMS[0]);
    powers_of_ten(1, 1_000).fold(
        Contest::new("Verify an ID token (ES384), organizations in it"),
        |contest, count| {
            let token = key.sign(None, &claims::id_token(NOW, count));
            let keys = key.set([]);
            let name = format!("{count}: {} bytes", token.len());
            let verification = IdTokenVerification::new(ISSUER, APP_ID);
            contest.enter(name, move || {
                verification
                    .verify(&token, &keys, NOW_TIME)
                    .expect("a good token")
            })
        },
    )
}

fn organizations_in_a_session() -> Contest {
    powers_of_ten(1, 1_000).fold(
        Contest::new("Load a session from memory, organizations in it"),
        |contest, count| {
            let storage = MemoryStorage::new();
            let (handle, _) =
                at_once(storage.create(&session(0, count), NOW_TIME)).expect("stored");
            contest.enter(count.to_string(), move || load(&storage, &handle))
        },
    )
}

fn sessions() -> Contest {
    let most = std::env::var("SESSIONS").ok();
    let most = most.and_then(|most| most.parse().ok()).unwrap_or(1_000_000);
    powers_of_ten(100, most).fold(
        Contest::new("Load a session from memory, sessions there"),
        |contest, count| {
            let storage = MemoryStorage::new().capacity(count);
            let create = |i| {
                at_once(storage.create(&session(i, 2), NOW_TIME))
                    .expect("stored")
                    .0
            };
            let handles: Vec<Handle> = (0..count).map(create).collect();
            // Steps that meet all of them, far apart.
            let mut places = (0..count)
                .map(move |i| i.wrapping_mul(7_919) % count)
                .cycle();
            contest.enter(count.to_string(), move || {
                let place = places.next().unwrap_or_default();
                load(&storage, &handles[place])
            })
        },
    )
}

fn load(storage: &MemoryStorage, handle: &Handle) -> Arc<Session> {
    let loaded = storage.load_at_once(handle, NOW_TIME);
    loaded
        .expect("nothing to wait for")
        .expect("memory")
        .expect("signed in")
        .session
}

/// A user's session, without access tokens.
fn session(user: usize, organizations: usize) -> Session {
    let mut claims = claims::id_token(NOW, organizations);
    claims["sub"] = format!("user-{user}").into();
    let id_token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let access_tokens: [Value; 0] = [];
    let session = json!({
        "id": vec![1; 16],
        "id_token": id_token,
        "refresh_token": "mLdQ7cXFxkEvC0vT3w2u5QGqJf0yWn5kq7Wm1vS2x9Y",
        "access_tokens": access_tokens,
        "requested_scopes": ["openid"],
        "requested_resources": [],
        "granted_scopes": ["openid"],
        "began_at": NOW,
        "created_at": NOW,
        "changed_at": NOW,
    });
    serde_json::from_value(session).expect("a session")
}

//! What is sealed in the cookies of a session. The fuzzer chooses the plaintext, which is sealed with the right key.
//!
//! Two bytes say how long the record is; what follows it is the plaintext of a part of the handle, if there is any.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use logto_client::{
    entropy::{Entropy, EntropyError, OsEntropy},
    seal::{Purpose, SealContext},
    storage::{Handle, SessionReader as _, SessionStorage as _},
};
use logto_core::{Session, TokenTarget};
use logto_storage::CookieStorage;
use serde_json::Value;

use super::cookies::codec;
use crate::{
    Verdict,
    application::{
        API, APP_ID, ISSUER, NOW, config, seal_keys, stored_session, stored_session_with_data,
    },
    undisclosed::assert_undisclosed,
};

/// The same nonce for everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

static STORAGE: LazyLock<CookieStorage> = LazyLock::new(|| {
    // Nothing is kept, so that every input is opened.
    let storage = CookieStorage::new(seal_keys().clone(), config(), codec());
    storage.keep_opened(0).entropy(NoEntropy)
});

/// The storage of the application.
pub(crate) fn storage() -> &'static CookieStorage {
    &STORAGE
}

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let Some((record, part)) = split(data) else {
        return Verdict::Refused;
    };
    let mut handle = Handle::new(sealed(codec().name(), record));
    if !part.is_empty() {
        handle = handle.with_parts([sealed(&part_name(), part)]);
    }
    let Some(stored) = load(&handle) else {
        return Verdict::Refused;
    };
    let session = &stored.session;
    // Whatever the record says, each part of it can be asked for.
    let token = session.usable_token(config(), &TokenTarget::resource(API), NOW);
    let tokens: Vec<&str> = session
        .access_tokens()
        .values()
        .map(|token| token.token.expose())
        .chain(token.iter().map(|token| token.token.expose()))
        .chain(session.refresh_token().map(|token| token.expose()))
        .chain([session.kept_id_token().expose()])
        .chain(session.data().map(|data| data.as_json()))
        .collect();
    for token in tokens {
        assert_undisclosed(session, token, data);
    }
    let _ = (session.claims(), session.id());
    let _ = session.data().map(|data| data.read::<Value>());
    // What can be written is the same when it is read.
    let written = storage()
        .create(session, NOW)
        .now_or_never()
        .expect("nothing to wait for");
    let Ok((handle, _)) = written else {
        return Verdict::Refused;
    };
    let Some(again) = load(&handle) else {
        // Its lifetime is over, counted from when it began.
        return Verdict::Refused;
    };
    assert_eq!(again.session.id(), session.id());
    assert_eq!(again.session.claims(), session.claims());
    assert_eq!(again.session.refresh_token(), session.refresh_token());
    assert_eq!(again.session.granted_scopes(), session.granted_scopes());
    assert_eq!(again.session.data(), session.data());
    Verdict::accepted_if(session.is_readable())
}

fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)).min(rest.len()))
}

fn load(handle: &Handle) -> Option<logto_client::storage::Stored> {
    let loaded = storage().load(handle, NOW).now_or_never();
    loaded
        .expect("nothing to wait for")
        .expect("no handle is an error")
}

fn context(name: &str) -> SealContext<'_> {
    SealContext {
        purpose: Purpose::Session,
        name,
        issuer: ISSUER,
        app_id: APP_ID,
    }
}

fn sealed(name: &str, plaintext: &[u8]) -> String {
    let sealed = seal_keys().seal(&context(name), plaintext, &OsEntropy);
    URL_SAFE_NO_PAD.encode(sealed.expect("it can be sealed"))
}

/// What the parts of the session are bound to, whose id is that of the seeds.
fn part_name() -> String {
    format!("{}.{}", codec().name(), URL_SAFE_NO_PAD.encode([7; 16]))
}

fn opened(name: &str, sealed: &str) -> Vec<u8> {
    let sealed = URL_SAFE_NO_PAD
        .decode(sealed)
        .expect("a handle is base64url");
    seal_keys()
        .open(&context(name), &sealed)
        .expect("it opens")
        .to_vec()
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut without = stored_session();
    without["access_tokens"] = serde_json::json!([]);
    let mut kept_within = stored_session();
    kept_within["refresh_token"] = Value::Null;
    let mut seeds = Vec::new();
    for stored in [
        stored_session(),
        without,
        kept_within,
        stored_session_with_data(),
    ] {
        let session: Session = serde_json::from_value(stored).expect("it is a session");
        let written = storage()
            .create(&session, NOW)
            .now_or_never()
            .expect("nothing to wait for");
        let (handle, _) = written.expect("it fits");
        let record = opened(codec().name(), handle.value());
        let parts = handle.parts().into_iter();
        let parts: Vec<Vec<u8>> = parts.map(|part| opened(&part_name(), part)).collect();
        let len = u16::try_from(record.len())
            .expect("it is short")
            .to_be_bytes();
        let alone = [&len[..], &record].concat();
        seeds.extend(parts.iter().map(|part| [&alone[..], part].concat()));
        seeds.push(alone);
    }
    seeds
}

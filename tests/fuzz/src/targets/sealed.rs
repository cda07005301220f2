//! Sealed bytes: the purpose, a place and what is done to the byte there; then the plaintext. What begins with `raw `
//! is opened as it stands.

use logto_client::seal::{KeyRing, OVERHEAD, Purpose, SealContext, SealKey};

use super::record::NoEntropy;
use crate::{
    Verdict,
    application::{APP_ID, ISSUER, seal_keys},
};

const PURPOSES: [Purpose; 4] = [
    Purpose::Session,
    Purpose::PendingSignIn,
    Purpose::Record,
    Purpose::LastUse,
];

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    if let Some(raw) = data.strip_prefix(b"raw ") {
        for purpose in PURPOSES {
            if let Some(opened) = seal_keys().open(&context(purpose, "name"), raw) {
                assert!(opened.len() < raw.len());
            }
        }
        return Verdict::Refused;
    }
    let Some(([kind, high, low, change], plaintext)) = data.split_first_chunk() else {
        return Verdict::Refused;
    };
    let purpose = PURPOSES[usize::from(*kind) % PURPOSES.len()];
    let context = context(purpose, "name");
    let sealed = seal_keys()
        .seal(&context, plaintext, &NoEntropy)
        .expect("it can be sealed");
    assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
    let opened = seal_keys().open(&context, &sealed);
    assert_eq!(opened.as_deref(), Some(plaintext));

    let refused = |context: &SealContext<'_>, sealed: &[u8]| {
        assert!(
            seal_keys().open(context, sealed).is_none(),
            "it opens for {context:?}"
        );
    };
    let place = usize::from(u16::from_be_bytes([*high, *low])) % sealed.len();
    if *change != 0 {
        let mut changed = sealed.clone();
        changed[place] ^= change;
        refused(&context, &changed);
    }
    refused(&context, &sealed[..place]);
    refused(&context, &[&sealed[..], &[*change]].concat());
    for other in PURPOSES.into_iter().filter(|other| *other != purpose) {
        refused(&self::context(other, "name"), &sealed);
    }
    for other in [
        SealContext {
            name: "nam",
            ..context
        },
        SealContext {
            issuer: "https://other.example/oidc",
            ..context
        },
        SealContext {
            app_id: "app-i",
            ..context
        },
    ] {
        refused(&other, &sealed);
    }
    let other = KeyRing::new(SealKey::new(&[8; 32]));
    assert!(other.open(&context, &sealed).is_none());
    let rotated = other.with_previous_key(SealKey::new(&[7; 32]));
    assert_eq!(rotated.open(&context, &sealed).as_deref(), Some(plaintext));
    Verdict::Accepted
}

fn context(purpose: Purpose, name: &str) -> SealContext<'_> {
    SealContext {
        purpose,
        name,
        issuer: ISSUER,
        app_id: APP_ID,
    }
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (0..8_u8)
        .map(|kind| [&[kind, 0, kind * 9, 1], &b"some plaintext"[..]].concat())
        .collect();
    let sealed = seal_keys().seal(&context(Purpose::Record, "name"), b"x", &NoEntropy);
    seeds.push([&b"raw "[..], &sealed.expect("it can be sealed")].concat());
    seeds
}

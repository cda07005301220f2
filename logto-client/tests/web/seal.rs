//! Sealing: authenticated encryption of cookies and records.

use std::collections::BTreeSet;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use logto_client::{
    entropy::{Entropy, EntropyError, OsEntropy},
    seal::{KeyRing, MAX_OVERHEAD, OVERHEAD, Purpose, SealContext, SealError, SealKey, WeakSecret},
};
use proptest::prelude::*;
use sha2::Sha256;

const CONTEXT: SealContext<'static> = SealContext {
    purpose: Purpose::Session,
    name: "__Host-logto_app",
    issuer: "https://tenant.logto.app/oidc",
    app_id: "app",
};

fn key(byte: u8) -> SealKey {
    SealKey::new(&[byte; 32])
}

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(key(byte))
}

/// What a release sealed that knew XChaCha20-Poly1305 only.
fn sealed_by_an_older_release(key: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
    let labelled = |label: &[u8], derived: &mut [u8]| {
        let hkdf = Hkdf::<Sha256>::new(Some(b"logto-rs seal 1"), key);
        hkdf.expand(label, derived).unwrap();
    };
    let (mut id, mut session_key) = ([0; 32], [0; 32]);
    labelled(b"key id", &mut id);
    labelled(b"session", &mut session_key);
    let header = [1, id[0], id[1]];
    let mut aad = header.to_vec();
    aad.push(1);
    for part in [CONTEXT.name, CONTEXT.issuer, CONTEXT.app_id] {
        aad.extend((part.len() as u64).to_be_bytes());
        aad.extend(part.as_bytes());
    }
    let payload = Payload {
        msg: plaintext,
        aad: &aad,
    };
    let cipher = XChaCha20Poly1305::new(&session_key.into());
    let body = cipher.encrypt(&[9; 24].into(), payload).unwrap();
    [&header[..], &[9; 24], &body].concat()
}

/// A source that always gives the same byte, to make the nonce predictable.
#[derive(Debug)]
struct Always(u8);

impl Entropy for Always {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(self.0);
        Ok(())
    }
}

#[derive(Debug)]
struct Exhausted;

impl Entropy for Exhausted {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError("exhausted".into()))
    }
}

#[test]
fn b2_every_flipped_bit_and_every_truncation_is_refused() {
    let ring = ring(1);
    let plaintext = b"a refresh token and an ID token";
    let sealed = ring.seal(&CONTEXT, plaintext, &OsEntropy).unwrap();
    assert_eq!(&*ring.open(&CONTEXT, &sealed).unwrap(), plaintext);

    for bit in 0..sealed.len() * 8 {
        let mut tampered = sealed.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(&CONTEXT, &tampered).is_none(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(
            ring.open(&CONTEXT, &sealed[..length]).is_none(),
            "first {length} bytes"
        );
        assert!(
            ring.open(&CONTEXT, &sealed[sealed.len() - length..])
                .is_none(),
            "last {length} bytes"
        );
    }
    let longer = [sealed.as_slice(), b"\0"].concat();
    assert!(ring.open(&CONTEXT, &longer).is_none());
}

#[test]
fn b3_what_an_older_release_sealed_opens_and_is_bound_to_the_same() {
    let old = sealed_by_an_older_release(&[1; 32], b"a session");
    assert_eq!(old.len(), b"a session".len() + MAX_OVERHEAD);
    assert_eq!(&*ring(1).open(&CONTEXT, &old).unwrap(), b"a session");
    let rotated = ring(2).with_previous_key(key(1));
    assert!(rotated.open(&CONTEXT, &old).is_some());
    let purpose = Purpose::Record;
    let other = SealContext { purpose, ..CONTEXT };
    assert!(ring(1).open(&other, &old).is_none());
    assert!(ring(2).open(&CONTEXT, &old).is_none());
    for bit in 0..old.len() * 8 {
        let mut tampered = old.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        assert!(ring(1).open(&CONTEXT, &tampered).is_none(), "bit {bit}");
    }
}

#[test]
fn b2_the_first_byte_names_the_cipher_and_no_other_opens_it() {
    let sealed = ring(1).seal(&CONTEXT, b"a session", &OsEntropy).unwrap();
    assert_eq!(sealed[0], 2, "AES-256-GCM-SIV");
    let old = sealed_by_an_older_release(&[1; 32], b"a session");
    for format in 0..=255 {
        for (sealed, own) in [(&sealed, 2), (&old, 1)] {
            let mut renamed = sealed.clone();
            renamed[0] = format;
            let opened = ring(1).open(&CONTEXT, &renamed).is_some();
            assert_eq!(opened, format == own, "{format}");
        }
    }
}

#[test]
fn b2_nothing_opens_under_another_context() {
    let contexts = [
        CONTEXT,
        SealContext {
            purpose: Purpose::PendingSignIn,
            ..CONTEXT
        },
        SealContext {
            purpose: Purpose::Record,
            ..CONTEXT
        },
        SealContext {
            name: "__Host-logto_other",
            ..CONTEXT
        },
        SealContext {
            issuer: "https://other.logto.app/oidc",
            ..CONTEXT
        },
        SealContext {
            app_id: "other",
            ..CONTEXT
        },
        // The same characters, cut at other places.
        SealContext {
            name: "__Host-logto_apphttps://tenant.logto.app/oidc",
            issuer: "",
            ..CONTEXT
        },
        SealContext {
            issuer: "https://tenant.logto.app/oidcapp",
            app_id: "",
            ..CONTEXT
        },
        SealContext {
            name: "",
            issuer: "",
            app_id: "",
            ..CONTEXT
        },
    ];
    let ring = ring(1);
    for (i, sealed_for) in contexts.iter().enumerate() {
        let sealed = ring.seal(sealed_for, b"secret", &OsEntropy).unwrap();
        for (j, opened_for) in contexts.iter().enumerate() {
            assert_eq!(
                ring.open(opened_for, &sealed).is_some(),
                i == j,
                "{sealed_for:?} {opened_for:?}"
            );
        }
    }
}

#[test]
fn b2_a_key_of_one_purpose_is_not_the_key_of_another() {
    // With the same nonce, equal keys would give equal ciphertexts.
    let sealed: BTreeSet<Vec<u8>> = [Purpose::Session, Purpose::PendingSignIn, Purpose::Record]
        .map(|purpose| {
            let context = SealContext { purpose, ..CONTEXT };
            let sealed = ring(1)
                .seal(&context, b"the same plaintext", &Always(7))
                .unwrap();
            sealed[15..sealed.len() - 16].to_vec()
        })
        .into();
    assert_eq!(sealed.len(), 3);
}

#[test]
fn b3_short_and_empty_secrets_are_refused_and_the_error_says_what_to_do() {
    let hex = "0f8b1d9c4e6a7f2035bd48c1a9e76d5f0f8b1d9c4e6a7f2035bd48c1a9e76d5f";
    let base64 = "fY3BxJQ0nJjM6fPq1Z0k8S3v5c7dWgTtRrUuXxYy2b4";
    let too_short = |length, needed| Some(WeakSecret::TooShort { length, needed });
    for (secret, expected) in [
        ("", too_short(0, 64)),
        ("   \n", too_short(0, 64)),
        ("secret", too_short(6, 43)),
        ("correct horse battery staple", too_short(28, 43)),
        (&hex[..63], too_short(63, 64)),
        (&hex[..43], too_short(43, 64)),
        (&base64[..42], too_short(42, 43)),
        (&"a".repeat(64), Some(WeakSecret::Repetitive)),
        (&"password".repeat(8), Some(WeakSecret::Repetitive)),
        (hex, None),
        (&hex.to_uppercase(), None),
        (base64, None),
        (&format!("{base64}="), None),
    ] {
        let refused = SealKey::from_secret(secret).err();
        assert_eq!(refused, expected, "{secret:?}");
        if let Some(error) = refused {
            assert!(
                error.to_string().contains("openssl rand -base64 32"),
                "{error}"
            );
        }
    }
}

#[test]
fn b3_white_space_around_a_secret_does_not_count() {
    let secret = "fY3BxJQ0nJjM6fPq1Z0k8S3v5c7dWgTtRrUuXxYy2b4";
    let plain = KeyRing::new(SealKey::from_secret(secret).unwrap());
    let spaced = KeyRing::new(SealKey::from_secret(&format!(" {secret}\r\n")).unwrap());
    let sealed = plain.seal(&CONTEXT, b"x", &OsEntropy).unwrap();
    assert!(spaced.open(&CONTEXT, &sealed).is_some());
}

#[test]
fn b3_keys_rotate_and_a_retired_key_opens_nothing() {
    let sealed_by_old = ring(1).seal(&CONTEXT, b"x", &OsEntropy).unwrap();
    let rotated = KeyRing::new(key(2))
        .with_previous_key(key(3))
        .with_previous_key(key(1));
    assert!(rotated.open(&CONTEXT, &sealed_by_old).is_some());

    let sealed_by_new = rotated.seal(&CONTEXT, b"x", &OsEntropy).unwrap();
    assert!(
        ring(2).open(&CONTEXT, &sealed_by_new).is_some(),
        "the first key seals"
    );
    assert!(ring(1).open(&CONTEXT, &sealed_by_new).is_none());
    assert!(ring(2).open(&CONTEXT, &sealed_by_old).is_none(), "retired");
}

#[test]
fn b3_keys_whose_ids_collide_still_open() {
    // Among 2,000 keys some of the 65,536 ids are taken twice.
    let id = |key: &SealKey| {
        let sealed = KeyRing::new(key.clone())
            .seal(&CONTEXT, b"x", &Always(0))
            .unwrap();
        (sealed[1], sealed[2])
    };
    let mut seen = std::collections::HashMap::new();
    let (one, other) = (0_u32..2_000)
        .find_map(|number| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let key = SealKey::new(&bytes);
            seen.insert(id(&key), key.clone())
                .map(|earlier| (earlier, key))
        })
        .unwrap();
    let sealed = KeyRing::new(other.clone())
        .seal(&CONTEXT, b"x", &OsEntropy)
        .unwrap();
    assert!(
        KeyRing::new(one.clone())
            .with_previous_key(other)
            .open(&CONTEXT, &sealed)
            .is_some()
    );
    assert!(KeyRing::new(one).open(&CONTEXT, &sealed).is_none());
}

#[test]
fn b11_keyed_hashes_differ_by_key_and_by_part() {
    let hash = |ring: &KeyRing, parts: &[&str]| ring.keyed_hashes(parts)[0];
    let ours = ring(1);
    let alice = hash(&ours, &["sub", "alice"]);
    assert_eq!(hash(&ours.clone(), &["sub", "alice"]), alice);
    for parts in [
        &["sub", "alicf"][..],
        &["sid", "alice"],
        &["suba", "lice"],
        &["", "subalice"],
        &["sub", "alice", ""],
        &["alice", "sub"],
    ] {
        assert_ne!(hash(&ours, parts), alice, "{parts:?}");
    }
    let rotated = ring(2).with_previous_key(key(1));
    let hashes = rotated.keyed_hashes(&["sub", "alice"]);
    assert_eq!(hashes, [hash(&ring(2), &["sub", "alice"]), alice]);
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn b4_the_same_plaintext_is_never_sealed_alike() {
    let ring = ring(1);
    let sealed: BTreeSet<Vec<u8>> = (0..1_000)
        .map(|_| ring.seal(&CONTEXT, b"same", &OsEntropy).unwrap())
        .collect();
    assert_eq!(sealed.len(), 1_000);
    let nonces: BTreeSet<&[u8]> = sealed.iter().map(|sealed| &sealed[3..15]).collect();
    assert_eq!(nonces.len(), 1_000);
}

#[test]
fn b4_without_randomness_nothing_is_sealed() {
    let refused = ring(1).seal(&CONTEXT, b"x", &Exhausted);
    assert!(matches!(refused, Err(SealError::Entropy(_))));
}

#[test]
fn b18_neither_keys_nor_rings_show_themselves() {
    let shown = format!(
        "{:?} {:?}",
        key(0xab),
        ring(0xab).with_previous_key(key(0xcd))
    );
    assert_eq!(shown, "SealKey([redacted]) KeyRing { keys: 2 }");
}

proptest! {
    #[test]
    fn b2_what_is_sealed_opens_and_arbitrary_bytes_do_not(
        plaintext in prop::collection::vec(any::<u8>(), 0..5_000),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let ring = ring(1);
        let sealed = ring.seal(&CONTEXT, &plaintext, &OsEntropy).unwrap();
        prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
        let opened = ring.open(&CONTEXT, &sealed).unwrap();
        prop_assert_eq!(&*opened, plaintext.as_slice());
        prop_assert!(ring.open(&CONTEXT, &garbage).is_none());
    }
}

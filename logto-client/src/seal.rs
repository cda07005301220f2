//! Authenticated encryption for data that leaves the process: sessions and pending sign-ins in cookies,
//! records in a store.
//!
//! Sealed data opens only with the key, the [`Purpose`], the name, the issuer and the application for
//! which it was sealed. Anything else (another key, a cookie under another name, a flipped bit) gives
//! `None` and reveals nothing of the plaintext.
//!
//! The cipher is XChaCha20-Poly1305
//! ([draft-irtf-cfrg-xchacha](https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03)) with a
//! random 192-bit nonce for each message. After 2^80 messages with one key, the probability that two
//! nonces were equal is below 2^-32, so the number of messages never requires a new key.
//!
//! ```
//! use logto_client::entropy::OsEntropy;
//! use logto_client::seal::{KeyRing, Purpose, SealContext, SealKey};
//!
//! let old = SealKey::from_secret("fY3BxJQ0nJjM6fPq1Z0k8S3v5c7dWgTtRrUuXxYy2b4")?;
//! let new = SealKey::from_secret("0f8b1d9c4e6a7f2035bd48c1a9e76d5f0f8b1d9c4e6a7f2035bd48c1a9e76d5f")?;
//! let context = SealContext {
//!     purpose: Purpose::Session,
//!     name: "__Host-logto",
//!     issuer: "https://tenant.logto.app/oidc",
//!     app_id: "my-app",
//! };
//!
//! let before = KeyRing::new(old.clone()).seal(&context, b"session", &OsEntropy)?;
//! let rotated = KeyRing::new(new).with_previous_key(old);
//! assert_eq!(rotated.open(&context, &before).as_deref(), Some(&b"session".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::{Entropy, EntropyError, random};

/// How many bytes sealed data is longer than the plaintext.
pub const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

const FORMAT: u8 = 1;
const KEY_ID_LEN: usize = 2;
const HEADER_LEN: usize = 1 + KEY_ID_LEN;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// The fewest hexadecimal digits, and the fewest characters of another encoding, that can hold 256 bits.
const MIN_HEX_DIGITS: usize = 64;
const MIN_CHARACTERS: usize = 43;
/// 64 random hexadecimal digits have fewer distinct ones with a probability below 10^-18.
const MIN_DISTINCT_CHARACTERS: usize = 8;

/// The keys of an application. The first one seals; each of them opens.
///
/// To change the key without signing anybody out, make the new key the first one and keep the old one
/// with [`with_previous_key`](Self::with_previous_key) for as long as sessions may live.
#[derive(Clone)]
pub struct KeyRing {
    first: SealKey,
    older: Vec<SealKey>,
}

impl KeyRing {
    /// A ring of one key.
    pub const fn new(key: SealKey) -> Self {
        Self {
            first: key,
            older: Vec::new(),
        }
    }

    /// Adds a key that opens what it sealed before and seals nothing new.
    #[must_use]
    pub fn with_previous_key(mut self, older: SealKey) -> Self {
        self.older.push(older);
        self
    }

    /// Encrypts `plaintext`, for [`open`](Self::open) with the same context. The result is
    /// [`OVERHEAD`] bytes longer.
    ///
    /// # Errors
    /// When the random source fails, or the plaintext is longer than 256 GiB.
    pub fn seal(
        &self,
        context: &SealContext<'_>,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_LEN] = random(entropy)?;
        let header = self.first.header();
        let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(OVERHEAD));
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);

        let body = sealed.get_mut(HEADER_LEN + NONCE_LEN..).unwrap_or_default();
        let tag = self
            .first
            .cipher(context.purpose)
            .encrypt_in_place_detached(
                &XNonce::from(nonce),
                &context.associated_data(header),
                body,
            );
        match tag {
            Ok(tag) => {
                sealed.extend_from_slice(&tag);
                Ok(sealed)
            }
            Err(_) => {
                sealed.zeroize();
                Err(SealError::TooLong)
            }
        }
    }

    /// Decrypts what [`seal`](Self::seal) made with one of these keys and the same context. Returns `None`
    /// for anything else.
    pub fn open(&self, context: &SealContext<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_LEN>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let associated_data = context.associated_data(*header);

        std::iter::once(&self.first)
            .chain(&self.older)
            .filter(|key| key.header() == *header)
            .find_map(|key| {
                let mut body = Zeroizing::new(body.to_vec());
                key.cipher(context.purpose)
                    .decrypt_in_place_detached(
                        &XNonce::from(*nonce),
                        &associated_data,
                        &mut body,
                        &Tag::from(*tag),
                    )
                    .ok()
                    .map(|()| body)
            })
    }
}

impl KeyRing {
    /// Hashes `parts` under each key, the first key first: names for what a store may recognize, and
    /// nobody without the keys may guess. Look for all of them, and write the first.
    pub fn keyed_hashes(&self, parts: &[&str]) -> Vec<[u8; 32]> {
        let lengths: Vec<[u8; 8]> = parts
            .iter()
            .map(|part| (part.len() as u64).to_be_bytes())
            .collect();
        // Each part behind its length, so that no two lists are hashed alike.
        let info: Vec<&[u8]> = lengths
            .iter()
            .zip(parts)
            .flat_map(|(length, part)| [length.as_slice(), part.as_bytes()])
            .collect();
        std::iter::once(&self.first)
            .chain(&self.older)
            .map(|key| key.hash(&info))
            .collect()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.older.len().saturating_add(1))
            .finish()
    }
}

/// A key of a [`KeyRing`]. HKDF-SHA256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)) derives a key
/// for each [`Purpose`] from it, when it is created rather than when it is used.
#[derive(Clone)]
pub struct SealKey {
    id: [u8; KEY_ID_LEN],
    session: XChaCha20Poly1305,
    pending_sign_in: XChaCha20Poly1305,
    record: XChaCha20Poly1305,
    last_use: XChaCha20Poly1305,
    names: Hkdf<Sha256>,
}

impl SealKey {
    /// A key of 256 random bits.
    pub fn new(key: &[u8; 32]) -> Self {
        Self::derive(key)
    }

    /// A key from a random text in the configuration, such as the output of `openssl rand -base64 32`.
    /// Surrounding white space is ignored. Any encoding will do, but the text has to be random: a password
    /// or a phrase is not, whatever its length.
    ///
    /// # Errors
    /// [`WeakSecret`] when the text cannot hold 256 bits: fewer than 64 hexadecimal digits, fewer than 43
    /// characters of another encoding, or the same few characters over and over.
    pub fn from_secret(secret: &str) -> Result<Self, WeakSecret> {
        let secret = secret.trim();
        let length = secret.chars().count();
        let is_hex = secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        let needed = if is_hex {
            MIN_HEX_DIGITS
        } else {
            MIN_CHARACTERS
        };
        if length < needed {
            return Err(WeakSecret::TooShort { length, needed });
        }
        let mut characters: Vec<char> = secret.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        let distinct = characters.len();
        characters.zeroize();
        if distinct < MIN_DISTINCT_CHARACTERS {
            return Err(WeakSecret::Repetitive);
        }
        Ok(Self::derive(secret.as_bytes()))
    }

    /// A key from a secret of 256 random bits in any encoding.
    pub(crate) fn derive(input: &[u8]) -> Self {
        let [first, second, ..] = *labelled(input, b"key id");
        let cipher = |label| XChaCha20Poly1305::new((&*labelled(input, label)).into());
        Self {
            id: [first, second],
            session: cipher(b"session"),
            pending_sign_in: cipher(b"pending sign-in"),
            record: cipher(b"record"),
            last_use: cipher(b"last use"),
            names: Hkdf::new(None, &*labelled(input, b"names")),
        }
    }

    /// HKDF-Expand of one block is HMAC-SHA256.
    fn hash(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut hash = [0; 32];
        let expanded = self.names.expand_multi_info(info, &mut hash);
        debug_assert!(expanded.is_ok(), "HKDF-SHA256 expands to up to 8,160 bytes");
        hash
    }

    const fn cipher(&self, purpose: Purpose) -> &XChaCha20Poly1305 {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::PendingSignIn => &self.pending_sign_in,
            Purpose::Record => &self.record,
            Purpose::LastUse => &self.last_use,
        }
    }

    /// What stands before the nonce: the format, and the id of the key. Keys with the same id are all
    /// tried, so two bytes are enough.
    const fn header(&self) -> [u8; HEADER_LEN] {
        let [first, second] = self.id;
        [FORMAT, first, second]
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey([redacted])")
    }
}

/// What sealed data is for. Each purpose has its own key, so that data of one never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A whole session in a cookie.
    Session,
    /// A pending sign-in in a cookie.
    PendingSignIn,
    /// A record in a store on the server.
    Record,
    /// When the session in a cookie was last in use.
    LastUse,
}

/// What sealed data is bound to, besides the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// What the data is for.
    pub purpose: Purpose,
    /// Where the data is kept: the name of the cookie, or the key of the record in its store.
    pub name: &'a str,
    /// The issuer of the tokens in it.
    pub issuer: &'a str,
    /// The application (`client_id`) that it belongs to.
    pub app_id: &'a str,
}

impl SealContext<'_> {
    /// The context as bytes, each part preceded by its length, so that no two contexts have the same
    /// bytes.
    fn associated_data(&self, header: [u8; HEADER_LEN]) -> Vec<u8> {
        let purpose = match self.purpose {
            Purpose::Session => 1,
            Purpose::PendingSignIn => 2,
            Purpose::Record => 3,
            Purpose::LastUse => 4,
        };
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&header);
        bytes.push(purpose);
        for part in [self.name, self.issuer, self.app_id] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Why a secret is too weak for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakSecret {
    /// It is too short for 256 bits.
    #[error(
        "the cookie secret has {length} characters and needs {needed}; generate one with `openssl rand -base64 32`"
    )]
    TooShort {
        /// How many characters it has.
        length: usize,
        /// How many characters it needs.
        needed: usize,
    },
    /// It repeats the same few characters.
    #[error("the cookie secret is not random; generate one with `openssl rand -base64 32`")]
    Repetitive,
}

/// Why data could not be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The random source failed, so there is no nonce.
    #[error("cannot seal: {0}")]
    Entropy(#[from] EntropyError),
    /// The plaintext is longer than 256 GiB, the most that the cipher can encrypt.
    #[error("cannot seal: the plaintext is too long")]
    TooLong,
}

/// A key that only the holder of `input` can compute, a different one for each label.
fn labelled(input: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let (extracted, hkdf) = Hkdf::<Sha256>::extract(Some(b"logto-rs seal 1"), input);
    let mut key = Zeroizing::new(<[u8; 32]>::from(extracted));
    let expanded = hkdf.expand(label, key.as_mut_slice());
    debug_assert!(expanded.is_ok(), "HKDF-SHA256 expands to up to 8,160 bytes");
    key
}

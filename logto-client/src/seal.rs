//! Authenticated encryption for data that leaves the process: sessions and pending sign-ins in cookies,
//! records in a store.
//!
//! Sealed data opens only with the key, the [`Purpose`], the name, the issuer and the application for
//! which it was sealed. Anything else (another key, a cookie under another name, a flipped bit) gives
//! `None` and reveals nothing of the plaintext.
//!
//! The cipher is AES-256-GCM-SIV ([RFC 8452](https://www.rfc-editor.org/rfc/rfc8452)) with a random nonce of 96
//! bits for each message, in constant time. Where the processor has instructions for AES it takes a fraction of
//! the time of any other. Two nonces out of 2^48 are equal with a probability of two fifths, and that is no harm: with
//! this cipher, unlike plain AES-GCM, it reveals only whether the two plaintexts are the same too, and a session
//! never is. RFC 8452, section 9, calls random nonces a safe practice, so the number of messages never requires a
//! new key.
//!
//! The first byte of sealed data says which cipher sealed it. What an older release sealed with
//! XChaCha20-Poly1305 opens; so does what a build without the features `aws-lc` and `rust-crypto` seals, which
//! has no AES.
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
//! assert_eq!(rotated.open(&context, &before).as_deref(), Some(&b"session"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aes_gcm_siv;

use std::{
    fmt,
    ops::{Deref, Range},
    sync::Arc,
};

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use smallvec::SmallVec;
use zeroize::{Zeroize, Zeroizing};

use self::aes_gcm_siv::Aead;
use crate::entropy::{Entropy, EntropyError, random};

/// How many bytes sealed data is longer than the plaintext.
pub const OVERHEAD: usize = match aes_gcm_siv::IS_THERE {
    true => HEADER_LEN + aes_gcm_siv::NONCE_LEN + TAG_LEN,
    false => MAX_OVERHEAD,
};

/// The largest overhead, in bytes: that of data that an older release may have sealed.
pub const MAX_OVERHEAD: usize = HEADER_LEN + XCHACHA_NONCE_LEN + TAG_LEN;

/// The first byte: the cipher.
const XCHACHA20_POLY1305: u8 = 1;
const AES_256_GCM_SIV: u8 = 2;

const KEY_ID_LEN: usize = 2;
const HEADER_LEN: usize = 1 + KEY_ID_LEN;
const XCHACHA_NONCE_LEN: usize = 24;
const TAG_LEN: usize = aes_gcm_siv::TAG_LEN;

/// The fewest hexadecimal digits, and the fewest characters of another encoding, that can hold 256 bits.
const MIN_HEX_DIGITS: usize = 64;
const MIN_CHARACTERS: usize = 43;
/// 64 random hexadecimal digits have fewer distinct ones with a probability below 10^-18.
const MIN_DISTINCT_CHARACTERS: usize = 8;

/// The keys of an application. The first one seals; each of them opens.
///
/// To change the key without signing users out, make the new key the first one and keep the old one with
/// [`with_previous_key`](Self::with_previous_key) for as long as sessions may live.
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
    /// When the random source fails, or the plaintext is longer than 64 GiB.
    pub fn seal(
        &self,
        context: &SealContext<'_>,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let ciphers = self.first.ciphers(context.purpose);
        let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(OVERHEAD));
        let tag = match &ciphers.aes_gcm_siv {
            Some(cipher) => {
                let nonce = random(entropy)?;
                let aad = self
                    .first
                    .begin(&mut sealed, AES_256_GCM_SIV, &nonce, context);
                let body = append(&mut sealed, plaintext);
                cipher.seal(nonce, &aad, body)
            }
            None => {
                let nonce: [u8; XCHACHA_NONCE_LEN] = random(entropy)?;
                let aad = self
                    .first
                    .begin(&mut sealed, XCHACHA20_POLY1305, &nonce, context);
                let body = append(&mut sealed, plaintext);
                let cipher = &ciphers.xchacha20_poly1305;
                let tag = cipher.encrypt_in_place_detached(&XNonce::from(nonce), &aad, body);
                tag.ok().map(Into::into)
            }
        };
        match tag {
            Some(tag) => {
                sealed.extend_from_slice(&tag);
                Ok(sealed)
            }
            None => {
                sealed.zeroize();
                Err(SealError::TooLong)
            }
        }
    }

    /// Decrypts what [`seal`](Self::seal) made with one of these keys and the same context, here or in an older
    /// release. Returns `None` for anything else.
    pub fn open(&self, context: &SealContext<'_>, sealed: &[u8]) -> Option<Plaintext> {
        let mut opened = Plaintext::with_capacity(sealed.len());
        self.open_onto(context, sealed, &mut opened).map(|_| opened)
    }

    /// As [`open`](Self::open), but appends to `opened`, and returns the range. With enough capacity, no copy
    /// is left behind.
    pub fn open_onto(
        &self,
        context: &SealContext<'_>,
        sealed: &[u8],
        opened: &mut Plaintext,
    ) -> Option<Range<usize>> {
        let opened = &mut *opened.0;
        let (header, rest) = sealed.split_first_chunk::<HEADER_LEN>()?;
        let (rest, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let aad = context.associated_data(*header);
        let [format, id @ ..] = *header;
        let begin = opened.len();

        for key in std::iter::once(&self.first).chain(&self.older) {
            if key.keys.id != id {
                continue;
            }
            let ciphers = key.ciphers(context.purpose);
            if ciphers.open_onto(format, &aad, rest, tag, opened).is_some() {
                return Some(begin..opened.len());
            }
            if let Some(garbage) = opened.get_mut(begin..) {
                garbage.zeroize();
            }
            opened.truncate(begin);
        }
        None
    }
}

impl KeyRing {
    /// Hashes `parts` with each key, the first key first: ids that a store can compare, and that cannot be
    /// guessed without the keys. Look up all of them, and write the first.
    pub fn keyed_hashes(&self, parts: &[&str]) -> Vec<[u8; 32]> {
        let lengths: Vec<[u8; 8]> = parts
            .iter()
            .map(|part| (part.len() as u64).to_be_bytes())
            .collect();
        // Each part is preceded by its length, so that no two lists have the same hash.
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

/// What a [`KeyRing`] has decrypted. The memory is overwritten when it is dropped.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// An empty buffer for `capacity` bytes. Growing beyond them would leave a copy in memory.
    pub fn with_capacity(capacity: usize) -> Self {
        Vec::with_capacity(capacity).into()
    }
}

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        // The unused part of a vector is overwritten many bytes at a time, the used part byte by byte.
        self.0.clear();
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key of a [`KeyRing`]. HKDF-SHA256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)) derives a key
/// for each [`Purpose`] from it, when it is created rather than when it is used.
#[derive(Clone)]
pub struct SealKey {
    keys: Arc<Keys>,
}

struct Keys {
    id: [u8; KEY_ID_LEN],
    session: Ciphers,
    pending_sign_in: Ciphers,
    record: Ciphers,
    last_use: Ciphers,
    names: Hkdf<Sha256>,
}

/// The ciphers of one purpose, each under a key of its own.
struct Ciphers {
    xchacha20_poly1305: XChaCha20Poly1305,
    aes_gcm_siv: Option<aes_gcm_siv::Cipher>,
}

impl Ciphers {
    fn derive(input: &[u8], purpose: &str) -> Self {
        let aes_key = labelled(input, format!("{purpose}, AES-256-GCM-SIV").as_bytes());
        Self {
            xchacha20_poly1305: XChaCha20Poly1305::new(
                (&*labelled(input, purpose.as_bytes())).into(),
            ),
            aes_gcm_siv: aes_gcm_siv::Cipher::new(&aes_key),
        }
    }

    /// Appends the decrypted text between header and tag.
    fn open_onto(
        &self,
        format: u8,
        aad: &[u8],
        rest: &[u8],
        tag: &[u8; TAG_LEN],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        let begin = opened.len();
        match format {
            AES_256_GCM_SIV => {
                let (nonce, body) = rest.split_first_chunk()?;
                let cipher = self.aes_gcm_siv.as_ref()?;
                opened.resize(begin.saturating_add(body.len()), 0);
                cipher.open(*nonce, aad, body, tag, opened.get_mut(begin..)?)
            }
            XCHACHA20_POLY1305 => {
                let (nonce, body) = rest.split_first_chunk::<XCHACHA_NONCE_LEN>()?;
                let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
                let body = append(opened, body);
                let cipher = &self.xchacha20_poly1305;
                let result = cipher.decrypt_in_place_detached(&nonce, aad, body, &tag);
                result.ok()
            }
            _ => None,
        }
    }
}

impl SealKey {
    /// A key of 256 random bits.
    pub fn new(key: &[u8; 32]) -> Self {
        Self::derive(key)
    }

    /// A key from a random text in the configuration, such as the output of `openssl rand -base64 32`.
    /// Surrounding white space is ignored. Any encoding is accepted, but the text has to be random: a password
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
        let keys = Keys {
            id: [first, second],
            session: Ciphers::derive(input, "session"),
            pending_sign_in: Ciphers::derive(input, "pending sign-in"),
            record: Ciphers::derive(input, "record"),
            last_use: Ciphers::derive(input, "last use"),
            names: Hkdf::new(None, &*labelled(input, b"names")),
        };
        Self {
            keys: Arc::new(keys),
        }
    }

    /// HKDF-Expand of one block is HMAC-SHA256.
    fn hash(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut hash = [0; 32];
        let expanded = self.keys.names.expand_multi_info(info, &mut hash);
        debug_assert!(expanded.is_ok(), "HKDF-SHA256 expands to up to 8,160 bytes");
        hash
    }

    fn ciphers(&self, purpose: Purpose) -> &Ciphers {
        match purpose {
            Purpose::Session => &self.keys.session,
            Purpose::PendingSignIn => &self.keys.pending_sign_in,
            Purpose::Record => &self.keys.record,
            Purpose::LastUse => &self.keys.last_use,
        }
    }

    /// Writes the header of the ciphertext, and returns the associated data: the format, and the id of the key.
    /// Keys with the same id are all tried, so two bytes are enough.
    fn begin(
        &self,
        sealed: &mut Vec<u8>,
        format: u8,
        nonce: &[u8],
        context: &SealContext<'_>,
    ) -> AssociatedData {
        let [first, second] = self.keys.id;
        let header = [format, first, second];
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(nonce);
        context.associated_data(header)
    }
}

fn append<'a>(sealed: &'a mut Vec<u8>, plaintext: &[u8]) -> &'a mut [u8] {
    let begin = sealed.len();
    sealed.extend_from_slice(plaintext);
    sealed.get_mut(begin..).unwrap_or_default()
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey([redacted])")
    }
}

/// The purpose of sealed data. Each purpose has its own key, so data of one never opens as another.
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

/// The context that sealed data is bound to, besides the key.
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

/// Names of cookies, issuers and applications are short.
type AssociatedData = SmallVec<[u8; 256]>;

impl SealContext<'_> {
    /// The context as bytes, each part preceded by its length, so that no two contexts have the same
    /// bytes.
    fn associated_data(&self, header: [u8; HEADER_LEN]) -> AssociatedData {
        let purpose = match self.purpose {
            Purpose::Session => 1,
            Purpose::PendingSignIn => 2,
            Purpose::Record => 3,
            Purpose::LastUse => 4,
        };
        let mut bytes = AssociatedData::new();
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
    /// The plaintext is longer than 64 GiB, the most that the cipher can encrypt.
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

//! A provider's keys.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Algorithm, PublicKey,
    jwk::Jwk,
    verifier::{JwsVerifier, VerifyingKey},
};
use crate::error::TokenError;
use crate::json;

/// The keys that a provider signs with at the moment
/// ([RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)), ready for use.
///
/// A newer set replaces an older one as a whole: a key that the provider has withdrawn must not stay
/// in use. The set does not know whose it is; keep one per issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// Sorted by `kid`, those without one first.
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    kid: Option<String>,
    material: PublicKey,
    /// One for each algorithm that the key may be used with.
    prepared: Vec<(Algorithm, Arc<dyn VerifyingKey>)>,
}

/// Why a document is not a key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It is longer than [`KeySet::MAX_LEN`].
    #[error("the key set has {len} bytes, more than {}", KeySet::MAX_LEN)]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// It has more keys than [`KeySet::MAX_KEYS`].
    #[error("the key set has {count} keys, more than {}", KeySet::MAX_KEYS)]
    TooManyKeys {
        /// How many it has.
        count: usize,
    },
    /// It is not a JSON object, or an object in it has a member twice. The text says where.
    #[error("the key set {0}")]
    Json(String),
    /// It has no array `keys`.
    #[error("the key set has no array `keys`")]
    NoKeys,
}

impl KeySet {
    /// The longest document that is read, in bytes.
    pub const MAX_LEN: usize = 512 * 1024;

    /// The largest number of keys that is read.
    pub const MAX_KEYS: usize = 100;

    /// Reads a JSON Web Key Set and prepares its keys with `verifier`.
    ///
    /// A key that cannot be used is left out, and the others remain usable: a key of an unknown type,
    /// curve, `use` or `alg`, a symmetric or private key, an RSA key outside of 2,048 to 8,192 bits or
    /// with an exponent that is even, below 3 or above 2^32, a point of the wrong length or off its
    /// curve, a member of the array that is not an object.
    ///
    /// # Errors
    /// When the document as a whole is unusable. The previous set should stay in use then.
    pub fn parse(body: &[u8], verifier: &dyn JwsVerifier) -> Result<Self, KeySetError> {
        if body.len() > Self::MAX_LEN {
            return Err(KeySetError::TooLong { len: body.len() });
        }
        let document =
            json::parse_object(body).map_err(|error| KeySetError::Json(error.to_string()))?;
        let jwks = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeySetError::NoKeys)?;
        if jwks.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooManyKeys { count: jwks.len() });
        }
        let mut keys: Vec<Key> = jwks
            .iter()
            .filter_map(Jwk::parse)
            .map(|jwk| Key::prepare(jwk, verifier))
            .filter(|key| !key.prepared.is_empty())
            .collect();
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        Ok(Self { keys })
    }

    /// The key for a token with this algorithm and this `kid`.
    ///
    /// Exactly one key has to fit: one with the token's `kid` and algorithm, or, for a token without
    /// `kid`, one with its algorithm. Two keys that share a `kid` can both be used when they are for
    /// different algorithms; where both fit, none is used. The same key listed twice is one key: there is
    /// nothing to confuse.
    ///
    /// # Errors
    /// [`TokenError::KeyNotFound`], [`TokenError::AmbiguousKey`] or [`TokenError::KeyMismatch`].
    pub fn find(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<&dyn VerifyingKey, TokenError> {
        let candidates = match kid {
            Some(kid) => self.named(kid),
            None => &self.keys,
        };
        let mut fitting = candidates
            .iter()
            .filter_map(|key| Some((&key.material, key.for_algorithm(algorithm)?)));
        match fitting.next() {
            Some((material, key)) => match fitting.all(|(other, _)| other == material) {
                true => Ok(key),
                false => Err(TokenError::AmbiguousKey),
            },
            None if kid.is_some() && !candidates.is_empty() => {
                Err(TokenError::KeyMismatch(algorithm.name()))
            }
            None => Err(TokenError::key_not_found(kid)),
        }
    }

    /// The number of usable keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names of the usable keys that have one.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.kid.as_deref())
    }

    fn named(&self, kid: &str) -> &[Key] {
        let start = self
            .keys
            .partition_point(|key| key.kid.as_deref() < Some(kid));
        let end = self
            .keys
            .partition_point(|key| key.kid.as_deref() <= Some(kid));
        self.keys.get(start..end).unwrap_or_default()
    }
}

impl Key {
    fn prepare(jwk: Jwk, verifier: &dyn JwsVerifier) -> Self {
        let prepared = jwk
            .key
            .algorithms()
            .iter()
            .copied()
            .filter(|algorithm| jwk.algorithm.is_none_or(|only| only == *algorithm))
            .filter_map(|algorithm| Some((algorithm, verifier.prepare(algorithm, &jwk.key)?)))
            .collect();
        Self {
            kid: jwk.kid,
            material: jwk.key,
            prepared,
        }
    }

    fn for_algorithm(&self, algorithm: Algorithm) -> Option<&dyn VerifyingKey> {
        self.prepared
            .iter()
            .find(|(fits, _)| *fits == algorithm)
            .map(|(_, key)| key.as_ref())
    }
}

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

/// The current signing keys of a provider
/// ([RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)), ready for use.
///
/// A newer set replaces an older one as a whole: a key that the provider has withdrawn must not stay in use.
/// The set does not know its issuer; keep one per issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// Sorted by `kid`; keys without one come first.
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    kid: Option<String>,
    material: PublicKey,
    /// One for each algorithm that the key can be used with.
    prepared: Vec<(Algorithm, Arc<dyn VerifyingKey>)>,
}

/// Why a document is not a key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The document is longer than [`KeySet::MAX_LEN`].
    #[error("the key set has {len} bytes, more than {}", KeySet::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        len: usize,
    },
    /// The set has more keys than [`KeySet::MAX_KEYS`].
    #[error("the key set has {count} keys, more than {}", KeySet::MAX_KEYS)]
    TooManyKeys {
        /// The number of keys.
        count: usize,
    },
    /// The document is not a JSON object, or an object in it has a member twice. The text says where.
    #[error("the key set {0}")]
    Json(String),
    /// The document has no array `keys`.
    #[error("the key set has no array `keys`")]
    NoKeys,
}

impl KeySet {
    /// The longest accepted document, in bytes.
    pub const MAX_LEN: usize = 512 * 1024;

    /// The largest accepted number of keys.
    pub const MAX_KEYS: usize = 100;

    /// Reads a JSON Web Key Set and prepares its keys with `verifier`.
    ///
    /// Unusable keys are left out, and the others remain usable. Unusable are: keys of an unknown type,
    /// curve, `use` or `alg`; symmetric and private keys; RSA keys outside of 2,048 to 8,192 bits or with an
    /// exponent that is even, below 3 or above 2^32; points of the wrong length or off their curve; and array
    /// members that are not objects.
    ///
    /// # Errors
    /// The document as a whole is unusable. Keep the previous set in use.
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
    /// Exactly one key must match: one with the token's `kid` and algorithm or, for a token without `kid`,
    /// one with its algorithm. Two keys that share a `kid` can both be used if they are for different
    /// algorithms; if both match, neither is used. The same key listed twice counts as one key.
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

    /// The `kid`s of the usable keys that have one.
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

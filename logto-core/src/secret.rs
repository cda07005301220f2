//! Strings that must stay secret.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A token, a client secret, or any other string that grants access to its holder.
/// `Debug` prints no part of it, and there is no `Display`. Comparison takes constant time. Clones share the
/// memory, which is overwritten when the last of them is dropped. [`Secret::expose`] is the only way to read it.
/// Serialization writes it in clear, because a session must be stored: seal what you serialize.
#[derive(Clone)]
pub struct Secret(Arc<Wiped>);

struct Wiped(Zeroizing<String>);

impl Drop for Wiped {
    fn drop(&mut self) {
        // The unused part of a string is overwritten many bytes at a time, the used part byte by byte.
        self.0.clear();
    }
}

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Wiped(Zeroizing::new(value.into()))))
    }

    /// The secret in clear, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (self.expose().as_bytes(), other.expose().as_bytes());
        own.ct_eq(other).into()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.expose().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

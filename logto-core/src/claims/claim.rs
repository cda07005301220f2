//! One claim, and the unit of Logto's timestamps.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::time::UnixTime;

/// A claim that may be missing, or be there as `null`, or have a value.
///
/// Logto sends `null` for a user who has no name, picture or user name, and leaves the other profile
/// claims out; most applications treat both alike and use [`Claim::value`] or [`Claim::as_deref`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim<T> {
    /// Not in the object: the scope was not granted, the tenant left it out, or its type is
    /// unexpected and it is in [`UserClaims::extra`](super::UserClaims::extra).
    #[default]
    Absent,
    /// Present as JSON `null`.
    Null,
    /// Present with a value.
    Value(T),
}

impl<T> Claim<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Takes the value out, if there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value as what it dereferences to: `Option<&str>` for a text claim, a slice for a list.
    pub fn as_deref(&self) -> Option<&T::Target>
    where
        T: Deref,
    {
        self.value().map(Deref::deref)
    }

    /// Whether the claim is missing.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the claim is there as `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<T: DeserializeOwned> Claim<T> {
    /// Moves the claim `name` out of `claims`. A value of another type is left where it is.
    pub(super) fn take(claims: &mut Map<String, Value>, name: &str) -> Self {
        let claim = match claims.get(name) {
            None => return Self::Absent,
            Some(value) => match Self::deserialize(value) {
                Ok(claim) => claim,
                Err(_) => return Self::Absent,
            },
        };
        claims.remove(name);
        claim
    }
}

impl<T: Serialize> Claim<T> {
    /// Puts the claim back; the inverse of [`Claim::take`].
    pub(super) fn put(&self, claims: &mut Map<String, Value>, name: &str) {
        if !self.is_absent() {
            // Every type used as a claim has a JSON form, so the error cannot occur.
            if let Ok(value) = serde_json::to_value(self) {
                claims.insert(name.to_owned(), value);
            }
        }
    }
}

/// `Null` and `Absent` are both written as `null`: mark fields with
/// `#[serde(default, skip_serializing_if = "Claim::is_absent")]`.
impl<T: Serialize> Serialize for Claim<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Claim<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// A moment in **milliseconds** since 1970-01-01T00:00:00Z, the unit of Logto's `created_at` and
/// `updated_at`. The dates of the protocol itself are seconds: [`UnixTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// The moment `milliseconds` after the epoch; negative before it.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same moment in whole seconds, rounded down.
    pub const fn to_unix_time(self) -> UnixTime {
        UnixTime::from_secs(self.0.div_euclid(1000))
    }
}

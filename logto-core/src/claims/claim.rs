//! One claim, and the unit of Logto's timestamps.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::time::UnixTime;

/// A claim that is absent, `null`, or has a value.
///
/// For a user without a name, picture or user name, Logto sends `null`; it omits the other profile claims.
/// Most applications treat both alike and use [`Claim::value`] or [`Claim::as_deref`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim<T> {
    /// Not in the object: the scope was not granted, the tenant excluded it, or its type is unexpected and it
    /// is in [`UserClaims::extra`](super::UserClaims::extra).
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

    /// The value, dereferenced: `Option<&str>` for a text claim, a slice for a list.
    pub fn as_deref(&self) -> Option<&T::Target>
    where
        T: Deref,
    {
        self.value().map(Deref::deref)
    }

    /// Whether the claim is absent.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the claim is `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<T> Claim<T> {
    /// Stores `value`, or returns it if it has another type.
    pub(super) fn fill(&mut self, value: Value) -> Option<Value>
    where
        T: ClaimValue,
    {
        if value.is_null() {
            *self = Self::Null;
            return None;
        }
        match T::from_json(value) {
            Ok(value) => *self = Self::Value(value),
            Err(misfit) => return Some(misfit),
        }
        None
    }
}

impl<T: Serialize> Claim<T> {
    /// Writes the claim back; the inverse of [`Claim::fill`].
    pub(super) fn put(&self, claims: &mut Map<String, Value>, name: &str) {
        if !self.is_absent() {
            // Every type used as a claim has a JSON form, so the error cannot occur.
            if let Ok(value) = serde_json::to_value(self) {
                claims.insert(name.to_owned(), value);
            }
        }
    }
}

/// `Null` and `Absent` both serialize to `null`: mark fields with
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

/// A type of claim. Its JSON is moved into it where possible.
pub(super) trait ClaimValue: Sized {
    /// The value, or the unchanged JSON if it has another type.
    fn from_json(json: Value) -> Result<Self, Value>;
}

impl ClaimValue for String {
    fn from_json(json: Value) -> Result<Self, Value> {
        match json {
            Value::String(text) => Ok(text),
            other => Err(other),
        }
    }
}

impl ClaimValue for Vec<String> {
    fn from_json(json: Value) -> Result<Self, Value> {
        match json {
            Value::Array(texts) if texts.iter().all(Value::is_string) => {
                let texts = texts.into_iter();
                Ok(texts
                    .filter_map(|text| String::from_json(text).ok())
                    .collect())
            }
            other => Err(other),
        }
    }
}

impl ClaimValue for Map<String, Value> {
    fn from_json(json: Value) -> Result<Self, Value> {
        match json {
            Value::Object(object) => Ok(object),
            other => Err(other),
        }
    }
}

/// Implements [`ClaimValue`] for types that serde can deserialize.
macro_rules! deserialized {
    ($($type:ty),+) => {
        $(impl $crate::claims::claim::ClaimValue for $type {
            fn from_json(json: serde_json::Value) -> Result<Self, serde_json::Value> {
                serde::Deserialize::deserialize(&json).map_err(|_| json)
            }
        })+
    };
}
pub(super) use deserialized;

deserialized!(bool, UnixMillis);

/// A time in **milliseconds** since 1970-01-01T00:00:00Z, the unit of Logto's `created_at` and `updated_at`.
/// The protocol's own dates are in seconds: [`UnixTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// The time `milliseconds` after the epoch; negative before it.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same time in whole seconds, rounded down.
    pub const fn to_unix_time(self) -> UnixTime {
        UnixTime::from_secs(self.0.div_euclid(1000))
    }
}

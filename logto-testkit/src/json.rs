//! JSON objects whose members keep the order in which Logto sends them.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// An object as an ordered list of members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Vec<(&'static str, Json)>);

/// A member's value.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Value(Value),
    Object(Members),
    Array(Vec<Members>),
}

impl Members {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.push(name, value);
        self
    }

    pub(crate) fn with_some(mut self, name: &'static str, value: Option<impl Into<Json>>) -> Self {
        if let Some(value) = value {
            self.push(name, value);
        }
        self
    }

    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Json>) {
        self.0.push((name, value.into()));
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
            Self::Array(objects) => objects.serialize(serializer),
        }
    }
}

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

impl From<Members> for Json {
    fn from(members: Members) -> Self {
        Self::Object(members)
    }
}

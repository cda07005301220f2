//! A part of the world that most steps leave alone.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value that is shared until it changes, with its fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Part<T> {
    value: Arc<T>,
    fingerprint: Option<u64>,
}

impl<T: Hash> Part<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Arc::new(value),
            fingerprint: None,
        }
    }

    /// Whether both share a value that neither has changed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value)
    }

    pub(crate) fn fingerprint(&mut self) -> u64 {
        let value = &self.value;
        *self.fingerprint.get_or_insert_with(|| fingerprint(value))
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> DerefMut for Part<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.fingerprint = None;
        Arc::make_mut(&mut self.value)
    }
}

/// 64 bits that stand for a value. Among ten million states two have the same with a probability of
/// 3 in a million; one of them would not be explored.
pub(crate) fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

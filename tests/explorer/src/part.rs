//! A part of the world that most steps leave alone.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hash, Hasher},
    ops::{Deref, DerefMut},
    sync::Arc,
};

use foldhash::quality::FixedState;

/// A value that is shared until it changes, with its fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Part<T> {
    value: Arc<T>,
    fingerprint: Cell<Option<u64>>,
}

impl<T: Default> Default for Part<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Part<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Arc::new(value),
            fingerprint: Cell::new(None),
        }
    }

    /// Whether both share a value that neither has changed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value)
    }
}

impl<T: Hash> Part<T> {
    pub(crate) fn fingerprint(&self) -> u64 {
        if let Some(known) = self.fingerprint.get() {
            return known;
        }
        let fingerprint = fingerprint(&self.value);
        self.fingerprint.set(Some(fingerprint));
        fingerprint
    }
}

impl<T: Hash> Hash for Part<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
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
        self.fingerprint.set(None);
        Arc::make_mut(&mut self.value)
    }
}

/// 64 bits that stand for a value. Among ten million states two have the same with a probability of
/// 3 in a million; one of them would not be explored.
pub(crate) fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    FixedState::default().hash_one(value)
}

//! Whose turn it is to take a lease.
//!
//! Processes look now and then whether a lease is free. One with much to do would take it again in the
//! instant in which it gives it back, and the others would hardly ever find it. So whoever is refused
//! joins a queue, an entry beside the lease with the ids of those that wait, and only the first of it
//! tries. The first keeps the queue alive by coming; if it does not come any more, the queue ends and the
//! others form a new one.

use std::{sync::OnceLock, time::Duration};

use super::{Entry, KeyValueStore};
use crate::{
    entropy::{Entropy, random},
    storage::StorageError,
};

/// How long the first in the queue may stay away. Longer than callers wait between two attempts.
const PATIENCE: Duration = Duration::from_millis(500);
/// More do not queue, they only look.
const MAX_WAITING: usize = 64;
/// Others write to the queue, too. One that is not left ends by itself.
const ATTEMPTS: u32 = 5;

/// Who waits for leases: one for each process that shares a store.
#[derive(Debug, Default)]
pub struct Waiter(OnceLock<u64>);

impl Waiter {
    /// A waiter that nobody knows yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn id(&self, entropy: &dyn Entropy) -> Result<u64, StorageError> {
        match self.0.get() {
            Some(id) => Ok(*id),
            None => {
                let id = random_number(entropy)?;
                Ok(*self.0.get_or_init(|| id))
            }
        }
    }
}

pub(super) fn random_number(entropy: &dyn Entropy) -> Result<u64, StorageError> {
    random(entropy)
        .map(u64::from_be_bytes)
        .map_err(|error| StorageError::Unavailable(Box::new(error)))
}

/// The queue for a lease, as one that waits sees it.
pub(super) struct Queue<'a> {
    store: &'a dyn KeyValueStore,
    key: String,
    /// Who looks at it.
    id: u64,
    version: Option<u64>,
    waiting: Vec<u64>,
    expires_in: Duration,
}

impl<'a> Queue<'a> {
    pub(super) async fn of(
        store: &'a dyn KeyValueStore,
        lease: &str,
        id: u64,
    ) -> Result<Self, StorageError> {
        let mut queue = Self {
            store,
            key: format!("{lease}.queue"),
            id,
            version: None,
            waiting: Vec::new(),
            expires_in: PATIENCE,
        };
        queue.look().await?;
        Ok(queue)
    }

    pub(super) fn is_our_turn(&self) -> bool {
        self.waiting.first().is_none_or(|first| *first == self.id)
    }

    /// Waits on: joins the queue, or keeps it alive as the first of it. What goes wrong costs the place in
    /// the queue, not the lease.
    pub(super) async fn stay(mut self) {
        if !self.waiting.contains(&self.id) {
            if self.waiting.len() == MAX_WAITING {
                return;
            }
            self.waiting.push(self.id);
        } else if !self.is_our_turn() {
            return;
        }
        let ttl = if self.is_our_turn() {
            PATIENCE
        } else {
            self.expires_in
        };
        let _ = self.write(ttl).await;
    }

    /// Makes way for the next one.
    pub(super) async fn leave(mut self) {
        for _ in 0..ATTEMPTS {
            if !self.waiting.contains(&self.id) {
                return;
            }
            self.waiting.retain(|waiting| *waiting != self.id);
            let left = if self.waiting.is_empty() {
                // Whoever has joined meanwhile joins again.
                self.store
                    .delete(&self.key, self.version)
                    .await
                    .map(|()| true)
            } else {
                self.write(PATIENCE).await
            };
            if !matches!(left, Ok(false)) || self.look().await.is_err() {
                return;
            }
        }
    }

    async fn look(&mut self) -> Result<(), StorageError> {
        let found = self.store.get(&self.key).await?;
        (self.version, self.waiting) = (None, Vec::new());
        if let Some(found) = found {
            let ids = found.entry.value.chunks_exact(8);
            let id = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
            self.waiting = ids.filter_map(id).collect();
            self.version = Some(found.entry.version);
            self.expires_in = found.expires_in;
        }
        Ok(())
    }

    async fn write(&self, ttl: Duration) -> Result<bool, StorageError> {
        let entry = Entry {
            version: self
                .version
                .map_or(self.id, |version| version.wrapping_add(1)),
            value: self
                .waiting
                .iter()
                .flat_map(|id| id.to_be_bytes())
                .collect(),
            ..Entry::default()
        };
        self.store.put(&self.key, self.version, entry, ttl).await
    }
}

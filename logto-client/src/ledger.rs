//! The successor ledger: what became of refresh tokens that were spent here.
//!
//! A rotated refresh token exists in exactly one response. A request that still carries the session
//! from before that response (an old cookie, a replica that lags, a store whose write failed) would
//! replay a dead token, and three seconds later Logto answers that by ending the grant. The ledger
//! brings such a session up to date instead: from the spent token to what replaced it, and to the
//! access tokens that were fetched with it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use hkdf::Hkdf;
use logto_core::{
    Secret, Session, TokenTarget, UnixTime,
    session::{SessionDelta, SessionId},
};
use sha2::{Digest, Sha256};

use crate::{
    entropy::{Entropy, random},
    flight::lock,
    storage::StorageError,
};

/// How many spent refresh tokens are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLimits {
    /// Entries; each takes a few kilobytes. The oldest go first. Default 10,000.
    pub capacity: usize,
    /// How long an entry is kept after it last changed. Default one day.
    pub lifetime: Duration,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// A place where several processes share their ledgers: a small expiring map.
///
/// Needed where sessions live in cookies and more than one process serves them; a storage on the
/// server has the newest session anyway. Keys are hashes and values are sealed with what only the
/// holders of a session know, so that the place learns nothing. A failing place is as good as none.
#[async_trait]
pub trait SharedLedger: fmt::Debug + Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// When the place cannot be asked.
    async fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Sets the value of `key` for at least `lifetime`.
    ///
    /// # Errors
    /// When the place cannot be asked.
    async fn put(
        &self,
        key: &[u8; 32],
        value: Vec<u8>,
        lifetime: Duration,
    ) -> Result<(), StorageError>;
}

/// A refresh token's name in the ledger.
type Spent = [u8; 32];

#[derive(Debug)]
pub(crate) struct Ledger {
    limits: LedgerLimits,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_token: HashMap<Spent, Entry>,
    /// Every change of an entry, oldest first; stale ones are skipped.
    changes: VecDeque<(UnixTime, Spent)>,
}

#[derive(Debug)]
struct Entry {
    deltas: Vec<SessionDelta>,
    changed_at: UnixTime,
}

impl Ledger {
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self {
            limits,
            entries: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> LedgerLimits {
        self.limits
    }

    /// Remembers what spending `refresh_token` gave.
    pub(crate) fn record(&self, refresh_token: &Secret, delta: &SessionDelta, now: UnixTime) {
        if delta.is_empty() {
            return;
        }
        let spent = name(refresh_token);
        let mut entries = lock(&self.entries);
        let entry = entries.by_token.entry(spent).or_insert_with(|| Entry {
            deltas: Vec::new(),
            changed_at: now,
        });
        entry.changed_at = now;
        entry.absorb(delta);
        entries.changes.push_back((now, spent));
        entries.evict(self.limits, now);
    }

    /// Brings a session up to date, through any number of rotations, and says whether that changed it.
    pub(crate) fn catch_up(&self, session: &mut Session, now: UnixTime) -> bool {
        let entries = lock(&self.entries);
        let mut changed = false;
        // A chain has no circles, as no token replaces itself; the bound is for safety only.
        for _ in 0..=entries.by_token.len() {
            let Some(refresh_token) = session.refresh_token().cloned() else {
                break;
            };
            let Some(entry) = entries.by_token.get(&name(&refresh_token)) else {
                break;
            };
            if now.since(entry.changed_at) > self.limits.lifetime {
                break;
            }
            for delta in &entry.deltas {
                changed |= apply_if_newer(session, delta);
            }
            if session.refresh_token() == Some(&refresh_token) {
                break;
            }
        }
        changed
    }

    /// Forgets a session's tokens: it has been signed out.
    pub(crate) fn forget(&self, refresh_token: &Secret) {
        lock(&self.entries).by_token.remove(&name(refresh_token));
    }

    /// Forgets one access token.
    pub(crate) fn forget_token(&self, refresh_token: &Secret, target: &TokenTarget) {
        if let Some(entry) = lock(&self.entries).by_token.get_mut(&name(refresh_token)) {
            for delta in &mut entry.deltas {
                delta.access_token.take_if(|(held, _)| held == target);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).by_token.len()
    }
}

impl Entries {
    fn evict(&mut self, limits: LedgerLimits, now: UnixTime) {
        while let Some((changed_at, spent)) = self.changes.front().copied() {
            let full =
                self.by_token.len() > limits.capacity || self.changes.len() > 4 * limits.capacity;
            if !full && now.since(changed_at) <= limits.lifetime {
                break;
            }
            self.changes.pop_front();
            if self
                .by_token
                .get(&spent)
                .is_some_and(|entry| entry.changed_at == changed_at)
            {
                self.by_token.remove(&spent);
            }
        }
    }
}

impl Entry {
    /// Keeps one delta for each target, so that an entry does not grow with time.
    fn absorb(&mut self, delta: &SessionDelta) {
        let target = delta.access_token.as_ref().map(|(target, _)| target);
        self.deltas.retain(|old| {
            let supersedes = old.access_token.as_ref().map(|(target, _)| target) == target;
            !supersedes || (old.refresh_token.is_some() && delta.refresh_token.is_none())
        });
        self.deltas.push(delta.clone());
    }
}

/// Applies what is newer than the session.
fn apply_if_newer(session: &mut Session, delta: &SessionDelta) -> bool {
    let mut newer = delta.clone();
    if let Some((target, token)) = &newer.access_token {
        let held = session.access_tokens().get(target);
        if held.is_some_and(|held| held.issued_at >= token.issued_at) {
            newer.access_token = None;
        }
    }
    if newer
        .id_token
        .as_ref()
        .is_some_and(|id_token| id_token.claims().iat <= session.claims().iat)
    {
        newer.id_token = None;
    }
    if newer.refresh_token.as_ref() == session.refresh_token() {
        newer.refresh_token = None;
    }
    newer.forgotten.clear();
    if newer.is_empty() {
        return false;
    }
    session.apply(&newer);
    true
}

fn name(refresh_token: &Secret) -> Spent {
    Sha256::digest(refresh_token.expose()).into()
}

/// The ledger of several processes.
///
/// What replaced a refresh token is found by the spent one; an access token by the session and what it
/// is for, because two processes that rotate at the same moment get different refresh tokens. Both
/// are sealed with what they are found by.
#[derive(Debug)]
pub(crate) struct SealedLedger {
    place: std::sync::Arc<dyn SharedLedger>,
    lifetime: Duration,
}

impl SealedLedger {
    pub(crate) fn new(place: std::sync::Arc<dyn SharedLedger>, limits: LedgerLimits) -> Self {
        Self {
            place,
            lifetime: limits.lifetime,
        }
    }

    /// What replaced `refresh_token` in another process. A place that fails knows nothing.
    pub(crate) async fn successor(&self, refresh_token: &Secret) -> Option<SessionDelta> {
        self.get(&SharedKeys::of_successor(refresh_token)).await
    }

    /// The access token that another process fetched.
    pub(crate) async fn access_token(
        &self,
        session: &SessionId,
        target: &TokenTarget,
    ) -> Option<SessionDelta> {
        self.get(&SharedKeys::of_access_token(session, target))
            .await
    }

    /// Tells the other processes what spending `refresh_token` gave.
    pub(crate) async fn tell(
        &self,
        session: &SessionId,
        refresh_token: &Secret,
        delta: &SessionDelta,
        entropy: &dyn Entropy,
    ) {
        if delta.refresh_token.is_some() {
            let mut rotation = delta.clone();
            rotation.access_token = None;
            let keys = SharedKeys::of_successor(refresh_token);
            self.put(&keys, &rotation, entropy).await;
        }
        if let Some((target, _)) = &delta.access_token {
            let mut fetched = delta.clone();
            fetched.refresh_token = None;
            let keys = SharedKeys::of_access_token(session, target);
            self.put(&keys, &fetched, entropy).await;
        }
    }

    /// Makes the other processes forget an access token.
    pub(crate) async fn forget_access_token(
        &self,
        session: &SessionId,
        target: &TokenTarget,
        entropy: &dyn Entropy,
    ) {
        let keys = SharedKeys::of_access_token(session, target);
        self.put(&keys, &SessionDelta::default(), entropy).await;
    }

    async fn get(&self, keys: &SharedKeys) -> Option<SessionDelta> {
        let sealed = self.place.get(&keys.name).await.ok()??;
        let (nonce, ciphertext) = sealed.split_at_checked(24)?;
        let delta = keys
            .cipher
            .decrypt(XNonce::from_slice(nonce), ciphertext)
            .ok()?;
        serde_json::from_slice(&delta).ok()
    }

    /// What cannot be told costs the others a request, no more.
    async fn put(
        &self,
        keys: &SharedKeys,
        delta: &SessionDelta,
        entropy: &dyn Entropy,
    ) -> Option<()> {
        let nonce: [u8; 24] = random(entropy).ok()?;
        let delta = serde_json::to_vec(delta).ok()?;
        let mut sealed = nonce.to_vec();
        sealed.extend(
            keys.cipher
                .encrypt(XNonce::from_slice(&nonce), delta.as_slice())
                .ok()?,
        );
        self.place.put(&keys.name, sealed, self.lifetime).await.ok()
    }
}

/// Name and key of an entry in a shared place: neither tells anything about what it is found by.
struct SharedKeys {
    name: [u8; 32],
    cipher: XChaCha20Poly1305,
}

impl SharedKeys {
    fn of_successor(refresh_token: &Secret) -> Self {
        Self::of(refresh_token.expose().as_bytes(), b"successor")
    }

    fn of_access_token(session: &SessionId, target: &TokenTarget) -> Self {
        // Whatever has no JSON, which targets always have, shares an entry that then does not fit.
        let target = serde_json::to_vec(target).unwrap_or_default();
        Self::of(session.as_bytes(), &target)
    }

    fn of(secret: &[u8], what: &[u8]) -> Self {
        let root = Hkdf::<Sha256>::new(Some(b"logto successor ledger"), secret);
        let derive = |label: &[u8]| {
            let mut key = [0; 32];
            // Fails only for outputs longer than 8,160 bytes.
            let _ = root.expand_multi_info(&[label, what], &mut key);
            key
        };
        Self {
            name: derive(b"name"),
            cipher: XChaCha20Poly1305::new(&derive(b"seal").into()),
        }
    }
}

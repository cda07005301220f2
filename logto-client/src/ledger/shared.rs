//! The ledger of several processes.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use hkdf::Hkdf;
use logto_core::{
    Secret, TokenTarget,
    session::{SessionDelta, SessionId},
};
use sha2::Sha256;

use super::LedgerLimits;
use crate::{
    entropy::{Entropy, random},
    storage::{Lease, StorageError},
};

/// A place where several processes share their ledgers: a small expiring map, and a lock.
///
/// Worth having where sessions live in cookies and more than one process serves them; a storage on the
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

    /// Takes the right to refresh the session that `key` stands for, until `ttl` has passed; `None` means
    /// that another process holds it. Taking it after its holder let the time run out is a
    /// [takeover](Lease::was_taken_over). A place that always grants it, as by default, loses nothing
    /// either, but processes that want the same token at the same moment then all ask for it.
    ///
    /// # Errors
    /// When the place cannot be asked.
    async fn lease(&self, key: &[u8; 32], ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let _ = (key, ttl);
        Ok(Some(Lease::unshared()))
    }

    /// Prolongs a lease: it ends `ttl` from now. `false` means that it is lost: another process has taken
    /// it over, or this place no longer knows it.
    ///
    /// # Errors
    /// When the place cannot be asked; the lease then ends when it would have ended.
    async fn renew(
        &self,
        key: &[u8; 32],
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let _ = (key, lease, ttl);
        Ok(true)
    }

    /// Gives back what [`lease`](Self::lease) granted. A lease that has meanwhile gone to somebody else
    /// is left alone.
    ///
    /// # Errors
    /// When the place cannot be asked; the lease then ends with its time.
    async fn release(&self, key: &[u8; 32], lease: Lease) -> Result<(), StorageError> {
        let _ = (key, lease);
        Ok(())
    }
}

/// The ledger of several processes.
///
/// What replaced a refresh token is found by the spent one; an access token by the session and what it
/// is for, because two processes that rotate at the same moment get different refresh tokens. Both
/// are sealed with what they are found by.
#[derive(Debug)]
pub(crate) struct SealedLedger {
    place: Arc<dyn SharedLedger>,
    lifetime: Duration,
}

impl SealedLedger {
    pub(crate) fn new(place: Arc<dyn SharedLedger>, limits: LedgerLimits) -> Self {
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

    /// The right to refresh a session, against the other processes.
    pub(crate) async fn lease(
        &self,
        session: &SessionId,
        ttl: Duration,
    ) -> Result<Option<Lease>, StorageError> {
        self.place.lease(&SharedKeys::of_lease(session), ttl).await
    }

    pub(crate) async fn renew(
        &self,
        session: &SessionId,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let key = SharedKeys::of_lease(session);
        self.place.renew(&key, lease, ttl).await
    }

    pub(crate) async fn release(
        &self,
        session: &SessionId,
        lease: Lease,
    ) -> Result<(), StorageError> {
        let key = SharedKeys::of_lease(session);
        self.place.release(&key, lease).await
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

    /// The name alone: a lease has no value to be sealed.
    fn of_lease(session: &SessionId) -> [u8; 32] {
        Self::of(session.as_bytes(), b"lease").name
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

//! The ledger that several processes share.

use std::{fmt, sync::Arc, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use logto_core::{
    LogtoConfig, Secret, TokenTarget,
    session::{SessionDelta, SessionId},
};
use sha2::Sha256;

use super::LedgerLimits;
use crate::{
    entropy::Entropy,
    key_value::{Entry, KeyValueStore},
    seal::{KeyRing, Purpose, SealContext, SealKey},
    storage::{Lease, StorageError},
};

const MIN_TTL: Duration = Duration::from_millis(1);
const MAX_TTL: Duration = Duration::from_secs(3_650 * 24 * 3600);

/// A time to live that every store accepts.
fn within_limits(ttl: Duration) -> Duration {
    ttl.clamp(MIN_TTL, MAX_TTL)
}

/// The successor ledger of several processes, in a key-value store.
///
/// The successor of a refresh token is found by the token. An access token is found by the session and
/// its target, because two processes that rotate at the same moment get different refresh tokens.
///
/// The store learns nothing: the key of an entry is a hash of a secret, and its value is sealed with a key
/// derived from that secret, which only holders of the session know. A store that fails loses nothing: the
/// client asks the provider instead.
pub(crate) struct SharedLedger {
    pub(crate) store: Arc<dyn KeyValueStore>,
    /// The keys that hash and seal ends, because user ids can be guessed.
    pub(super) keys: KeyRing,
    pub(super) issuer: String,
    pub(super) app_id: String,
    ttl: Duration,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl SharedLedger {
    pub(crate) fn new(
        store: Arc<dyn KeyValueStore>,
        keys: KeyRing,
        config: &LogtoConfig,
        limits: LedgerLimits,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            store,
            keys,
            issuer: config.issuer().to_owned(),
            app_id: config.app_id().to_owned(),
            ttl: limits.lifetime,
            entropy,
        }
    }

    /// The successor of `refresh_token`, if another process has replaced it.
    pub(crate) async fn successor(
        &self,
        refresh_token: &Secret,
    ) -> Result<Option<SessionDelta>, StorageError> {
        self.get(&Location::of_successor(refresh_token)).await
    }

    /// The access token that another process fetched.
    pub(crate) async fn access_token(
        &self,
        session: &SessionId,
        target: &TokenTarget,
    ) -> Result<Option<SessionDelta>, StorageError> {
        self.get(&Location::of_access_token(session, target)).await
    }

    /// Records the result of spending `refresh_token`, and returns whether other processes find the successor.
    pub(crate) async fn record(
        &self,
        session: &SessionId,
        refresh_token: &Secret,
        delta: &SessionDelta,
    ) -> bool {
        let mut is_found = true;
        if delta.refresh_token.is_some() {
            let mut rotation = delta.clone();
            rotation.access_token = None;
            let location = Location::of_successor(refresh_token);
            is_found = self.put(&location, &rotation).await.is_ok();
        }
        if let Some((target, _)) = &delta.access_token {
            let mut fetched = delta.clone();
            fetched.refresh_token = None;
            let location = Location::of_access_token(session, target);
            let _ = self.put(&location, &fetched).await;
        }
        is_found
    }

    /// Makes all processes forget an access token.
    pub(crate) async fn forget_access_token(&self, session: &SessionId, target: &TokenTarget) {
        let location = Location::of_access_token(session, target);
        let _ = self.put(&location, &SessionDelta::default()).await;
    }

    /// Records `name` for `ttl`, and returns whether it is new to all processes. If the store fails, it counts
    /// as new.
    pub(crate) async fn is_first_use(&self, name: &str, ttl: Duration) -> bool {
        let Location { key, .. } = Location::of(name.as_bytes(), b"used");
        let (entry, ttl) = (Entry::default(), within_limits(ttl));
        let written = self.store.put(&key, None, entry, ttl).await;
        written.unwrap_or(true)
    }

    /// Takes the lease of a session, see [`Lease::take`], and returns it with its key in the store.
    pub(crate) async fn lease(
        &self,
        session: &SessionId,
        ttl: Duration,
    ) -> Result<Option<(String, Lease)>, StorageError> {
        let Location { key, .. } = Location::of(session.as_bytes(), b"lease");
        let lease = Lease::take(&*self.store, &key, ttl, &*self.entropy).await?;
        Ok(lease.map(|lease| (key, lease)))
    }

    async fn get(&self, location: &Location) -> Result<Option<SessionDelta>, StorageError> {
        let Some(found) = self.store.get(&location.key).await? else {
            return Ok(None);
        };
        let context = self.context(&location.key);
        let opened = location.ring.open(&context, &found.entry.value);
        Ok(opened.and_then(|opened| serde_json::from_slice(&opened).ok()))
    }

    /// Writes an entry. If another process writes at the same time, its entry is as new as this one.
    async fn put(&self, location: &Location, delta: &SessionDelta) -> Result<(), StorageError> {
        let delta =
            serde_json::to_vec(delta).map_err(|error| StorageError::Unavailable(error.into()))?;
        let Location { key, ring } = location;
        let found = self.store.get(key).await?;
        let current = found.map(|found| found.entry.version);
        self.put_sealed(key, ring, &delta, current, self.ttl)
            .await?;
        Ok(())
    }

    /// Seals a value and writes it if `current` is the version of what is there, and says whether it was.
    pub(super) async fn put_sealed(
        &self,
        key: &str,
        ring: &KeyRing,
        value: &[u8],
        current: Option<u64>,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let entry = Entry {
            version: current.map_or(0, |version| version.wrapping_add(1)),
            value: ring
                .seal(&self.context(key), value, &*self.entropy)
                .map_err(|error| StorageError::Unavailable(error.into()))?,
            ..Entry::default()
        };
        let ttl = within_limits(ttl);
        self.store.put(key, current, entry, ttl).await
    }

    pub(super) fn context<'a>(&'a self, key: &'a str) -> SealContext<'a> {
        SealContext {
            purpose: Purpose::Record,
            name: key,
            issuer: &self.issuer,
            app_id: &self.app_id,
        }
    }
}

impl fmt::Debug for SharedLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLedger")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The store key of an entry, and the key that seals it. Neither reveals the secret.
struct Location {
    key: String,
    ring: KeyRing,
}

impl Location {
    fn of_successor(refresh_token: &Secret) -> Self {
        Self::of(refresh_token.expose().as_bytes(), b"successor")
    }

    fn of_access_token(session: &SessionId, target: &TokenTarget) -> Self {
        // A target always has a JSON form. One without would share an entry whose delta does not match.
        let target = serde_json::to_vec(target).unwrap_or_default();
        Self::of(session.as_bytes(), &target)
    }

    fn of(secret: &[u8], what: &[u8]) -> Self {
        let mut name = [0; 32];
        // Fails only for outputs longer than 8,160 bytes.
        let _ = hkdf::Hkdf::<Sha256>::new(Some(b"logto successor ledger"), secret)
            .expand_multi_info(&[b"name", what], &mut name);
        Self {
            key: format!("{}.ledger", URL_SAFE_NO_PAD.encode_to_string(name)),
            ring: KeyRing::new(SealKey::derive(secret)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashMap},
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
    };

    use async_trait::async_trait;
    use futures_util::FutureExt;
    use logto_core::{AccessToken, UnixTime};

    use super::*;
    use crate::{entropy::OsEntropy, key_value::Found, single_flight::lock, storage::SessionOwner};

    /// A store that keeps everything, with the times to live that it was given.
    #[derive(Debug, Default)]
    struct Shelf {
        entries: Mutex<HashMap<String, (Entry, Duration)>>,
        is_down: AtomicBool,
    }

    impl Shelf {
        fn check(&self) -> Result<(), StorageError> {
            match self.is_down.load(Ordering::Relaxed) {
                true => Err(StorageError::Unavailable("down".into())),
                false => Ok(()),
            }
        }
    }

    #[async_trait]
    impl KeyValueStore for Shelf {
        async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
            self.check()?;
            let found = lock(&self.entries).get(key).cloned();
            Ok(found.map(|(entry, expires_in)| Found { entry, expires_in }))
        }

        async fn put(
            &self,
            key: &str,
            expected: Option<u64>,
            entry: Entry,
            ttl: Duration,
        ) -> Result<bool, StorageError> {
            self.check()?;
            let mut entries = lock(&self.entries);
            let is_expected = entries.get(key).map(|(current, _)| current.version) == expected;
            if is_expected {
                entries.insert(key.to_owned(), (entry, ttl));
            }
            Ok(is_expected)
        }

        async fn delete(&self, _: &[&str], _: Option<u64>) -> Result<(), StorageError> {
            self.check()
        }

        async fn keys_of(&self, _: &SessionOwner) -> Result<Vec<String>, StorageError> {
            Ok(Vec::new())
        }
    }

    const SPENT: &str = "refresh-token-that-was-spent-0123456789";
    const SUCCESSOR: &str = "refresh-token-that-replaced-it-0123456789";
    const ACCESS_TOKEN: &str = "access-token-0123456789";

    fn ledger(shelf: &Arc<Shelf>, app_id: &str, lifetime: Duration) -> SharedLedger {
        let config = LogtoConfig::builder("https://tenant.logto.app", app_id).build();
        let limits = LedgerLimits {
            lifetime,
            ..LedgerLimits::default()
        };
        SharedLedger::new(
            Arc::<Shelf>::clone(shelf),
            KeyRing::new(SealKey::new(&[7; 32])),
            &config.unwrap(),
            limits,
            Arc::new(OsEntropy),
        )
    }

    fn session() -> SessionId {
        SessionId::from_random([7; 16])
    }

    fn target() -> TokenTarget {
        TokenTarget::resource("https://api.example.com")
    }

    fn delta(access_token: &str) -> SessionDelta {
        let (issued_at, expires_at) = (UnixTime::from_secs(1), UnixTime::from_secs(3601));
        let access_token = Secret::from(access_token);
        let access_token = AccessToken::new(access_token, BTreeSet::new(), issued_at, expires_at);
        let mut delta = SessionDelta::default();
        delta.access_token = Some((target(), access_token));
        delta.refresh_token = Some(Secret::from(SUCCESSOR));
        delta
    }

    /// Waits for what never really waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("the shelf answers at once")
    }

    #[test]
    fn f36_what_one_process_records_another_finds_and_the_last_write_counts() {
        let shelf = Arc::default();
        let (one, other) = (
            ledger(&shelf, "app", Duration::MAX),
            ledger(&shelf, "app", Duration::MAX),
        );
        let spent = Secret::from(SPENT);
        assert!(now(one.successor(&spent)).unwrap().is_none());
        let found = now(one.access_token(&session(), &target()));
        assert!(found.unwrap().is_none());
        for access_token in ["first", "second"] {
            assert!(now(one.record(&session(), &spent, &delta(access_token))));
            let found = now(other.successor(&spent)).unwrap().unwrap();
            assert_eq!(found.refresh_token, Some(Secret::from(SUCCESSOR)));
            assert_eq!(found.access_token, None);
            let found = now(other.access_token(&session(), &target()));
            let found = found.unwrap().unwrap();
            assert_eq!(found.refresh_token, None);
            assert_eq!(found.access_token, delta(access_token).access_token);
        }
        now(other.forget_access_token(&session(), &target()));
        let forgotten = now(one.access_token(&session(), &target()));
        assert_eq!(forgotten.unwrap().unwrap(), SessionDelta::default());
        let strangers = ledger(&shelf, "another-app", Duration::MAX);
        assert!(now(strangers.successor(&spent)).unwrap().is_none());
    }

    #[test]
    fn f36_a_store_that_is_down_knows_nothing() {
        let shelf = Arc::default();
        let ledger = ledger(&shelf, "app", Duration::MAX);
        let spent = Secret::from(SPENT);
        assert!(now(ledger.record(&session(), &spent, &delta(ACCESS_TOKEN))));
        shelf.is_down.store(true, Ordering::Relaxed);
        now(ledger.successor(&spent)).unwrap_err();
        assert!(!now(ledger.record(&session(), &spent, &delta("another"))));
        now(ledger.lease(&session(), Duration::from_secs(1))).unwrap_err();
        shelf.is_down.store(false, Ordering::Relaxed);
        let found = now(ledger.access_token(&session(), &target()));
        let found = found.unwrap().unwrap();
        assert_eq!(found.access_token, delta(ACCESS_TOKEN).access_token);
    }

    #[test]
    fn the_store_sees_hashes_and_sealed_values_that_open_only_where_they_were_put() {
        let shelf: Arc<Shelf> = Arc::default();
        let ledger = ledger(&shelf, "app", Duration::MAX);
        let spent = Secret::from(SPENT);
        now(ledger.record(&session(), &spent, &delta(ACCESS_TOKEN)));
        let (of_successor, of_access_token) = (
            Location::of_successor(&spent).key,
            Location::of_access_token(&session(), &target()).key,
        );
        let mut entries = lock(&shelf.entries);
        assert_eq!(entries.len(), 2);
        for (key, (entry, ttl)) in &*entries {
            assert!(key.len() <= 64 && *ttl == MAX_TTL);
            let seen = format!("{key} {entry:?} {}", String::from_utf8_lossy(&entry.value));
            for secret in [SPENT, SUCCESSOR, ACCESS_TOKEN, "api.example.com"] {
                assert!(!seen.contains(secret), "{seen}");
            }
        }
        let moved = entries.remove(&of_access_token).unwrap();
        let another = Location::of_access_token(&session(), &TokenTarget::user_info()).key;
        entries.insert(another, moved.clone());
        entries.insert(of_successor, moved);
        drop(entries);
        let found = now(ledger.access_token(&session(), &TokenTarget::user_info()));
        assert!(found.unwrap().is_none());
        assert!(now(ledger.successor(&spent)).unwrap().is_none());
    }

    #[test]
    fn an_entry_lives_as_long_as_the_ledger_says() {
        for (lifetime, ttl) in [
            (Duration::ZERO, MIN_TTL),
            (Duration::from_secs(60), Duration::from_secs(60)),
            (Duration::MAX, MAX_TTL),
        ] {
            let shelf: Arc<Shelf> = Arc::default();
            let ledger = ledger(&shelf, "app", lifetime);
            now(ledger.record(&session(), &Secret::from(SPENT), &delta(ACCESS_TOKEN)));
            assert!(lock(&shelf.entries).values().all(|entry| entry.1 == ttl));
        }
    }
}

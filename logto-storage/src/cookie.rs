//! Sessions in the browser: the handle is the sealed session.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use logto_client::{
    entropy::{Entropy, OsEntropy},
    seal::{KeyRing, OVERHEAD, Purpose, SealContext},
    storage::{
        Handle, Replaced, SessionOwner, SessionReader, SessionStorage, StorageError, Stored,
        Version,
    },
    web::cookies::CookieCodec,
};
use logto_core::{AccessToken, LogtoConfig, Session, TokenTarget, UnixTime};

use crate::{
    Lifetimes,
    lifetimes::Expiry,
    record::{Record, Unreadable, access_token_len},
};

/// Keeps each session, sealed, in the cookies of its browser. Nothing is kept on the server.
///
/// That has its price: a copy of a cookie stays good until it expires, also after sign-out; nobody
/// else's session can be ended; and of two responses that cross, the browser keeps the later.
///
/// # What does not fit
/// A session that is longer than the cookies may be is stored without some of its access tokens: the
/// expired ones go first, then the longest unused, and they are fetched again when they are needed.
/// The refresh token always stays; without one so do the access tokens, since nothing could fetch them
/// again.
///
/// If even the ID token is too long, the user's organizations are left out of it, with the roles and the
/// data there: with the default budget of 7 KiB from some 250 organizations on. The claims of the session
/// then do not know of any, and
/// [`WritableSession::organizations`](logto_client::WritableSession::organizations) and `user_info` ask
/// for them; raise the budget or keep sessions on the server to spare that. What still does not fit is
/// [`StorageError::TooLarge`] and nothing is stored.
#[derive(Clone)]
pub struct CookieStorage {
    keys: KeyRing,
    name: String,
    issuer: String,
    app_id: String,
    /// The longest handle that the cookies carry.
    capacity: usize,
    lifetimes: Lifetimes,
    entropy: Arc<dyn Entropy>,
    on_overflow: Option<Arc<Report>>,
}

type Report = dyn Fn(&Overflow) + Send + Sync;

/// Something was left out of a cookie for want of room. No session is lost by it, but it costs a request
/// when it is needed next: a reason to keep sessions on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overflow {
    /// What the access tokens were for that were left out.
    pub dropped: Vec<TokenTarget>,
    /// Whether the organizations of the user were left out of the claims.
    pub without_organizations: bool,
    /// Bytes that the whole session would have taken.
    pub size: usize,
    /// Bytes that fit.
    pub limit: usize,
}

impl CookieStorage {
    /// A storage in the cookies that `cookies` reads and writes, sealed by `keys` for the issuer and
    /// the application of `config`.
    pub fn new(keys: KeyRing, config: &LogtoConfig, cookies: &CookieCodec) -> Self {
        Self {
            keys,
            name: cookies.name().to_owned(),
            issuer: config.issuer().to_owned(),
            app_id: config.app_id().to_owned(),
            capacity: cookies.capacity(),
            lifetimes: Lifetimes::default(),
            entropy: Arc::new(OsEntropy),
            on_overflow: None,
        }
    }

    /// Other lifetimes than the default ones.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Another source of nonces than the operating system.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// What to do when something has to be left out.
    #[must_use]
    pub fn on_overflow(mut self, report: impl Fn(&Overflow) + Send + Sync + 'static) -> Self {
        self.on_overflow = Some(Arc::new(report));
        self
    }

    fn context(&self) -> SealContext<'_> {
        SealContext {
            purpose: Purpose::Session,
            name: &self.name,
            issuer: &self.issuer,
            app_id: &self.app_id,
        }
    }

    fn open(&self, handle: &Handle, now: UnixTime) -> Option<Record> {
        let handle = handle.expose();
        if handle.len() > self.capacity {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode_to_vec(handle).ok()?;
        let record = self.keys.open(&self.context(), &sealed)?;
        match Record::decode(&record, now) {
            Ok(record) => Some(record),
            Err(Unreadable::Expired) => None,
            Err(_unreadable) => {
                #[cfg(feature = "tracing")]
                tracing::warn!(reason = ?_unreadable, "a session cookie of ours cannot be read");
                None
            }
        }
    }

    fn seal(
        &self,
        session: &Session,
        version: Version,
        now: UnixTime,
    ) -> Result<Handle, StorageError> {
        let expiry = Expiry::of(session, self.lifetimes, now);
        let record = self.fitted(
            Record {
                version: version.0,
                expiry,
                session: session.clone(),
            },
            now,
        )?;
        let bytes = record.encode().map_err(unavailable)?;
        let sealed = self
            .keys
            .seal(&self.context(), &bytes, &*self.entropy)
            .map_err(unavailable)?;
        Ok(Handle::new(URL_SAFE_NO_PAD.encode_to_string(sealed)))
    }

    /// The record without what there is no room for.
    fn fitted(&self, mut record: Record, now: UnixTime) -> Result<Record, StorageError> {
        let whole = len_of(&record)?;
        if whole <= self.capacity {
            return Ok(record);
        }
        let tokens = droppable(&record.session, now)?;
        let of_tokens: usize = tokens.iter().map(|(_, len)| len).sum();
        let mut excess = self.excess(whole);
        let without_organizations = excess > of_tokens && record.session.forget_organizations();
        if without_organizations {
            excess = self.excess(len_of(&record)?);
        }
        let mut dropped = Vec::new();
        for (target, len) in tokens {
            if excess == 0 {
                break;
            }
            record.session.forget(&target);
            dropped.push(target);
            excess = excess.saturating_sub(len);
        }
        let size = len_of(&record)?;
        if size > self.capacity {
            return Err(StorageError::TooLarge {
                size,
                limit: self.capacity,
            });
        }
        self.report(&Overflow {
            dropped,
            without_organizations,
            size: whole,
            limit: self.capacity,
        });
        Ok(record)
    }

    /// Bytes of a record that have to go from a handle of this length; a base64url character carries six
    /// bits.
    fn excess(&self, handle_len: usize) -> usize {
        handle_len
            .saturating_sub(self.capacity)
            .saturating_mul(3)
            .div_ceil(4)
    }

    fn report(&self, overflow: &Overflow) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            dropped = overflow.dropped.len(),
            without_organizations = overflow.without_organizations,
            size = overflow.size,
            limit = overflow.limit,
            "the session does not fit into its cookies; what was left out will be fetched again"
        );
        if let Some(report) = &self.on_overflow {
            report(overflow);
        }
    }
}

#[async_trait]
impl SessionReader for CookieStorage {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        Ok(self.open(handle, now).map(stored))
    }
}

#[async_trait]
impl SessionStorage for CookieStorage {
    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        let version = Version(1);
        Ok((self.seal(session, version, now)?, version))
    }

    /// Answers a new handle. The old one, if somebody kept it, goes on to open until it expires.
    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let Some(record) = self.open(handle, now) else {
            return Ok(Replaced::Gone);
        };
        if Version(record.version) != expected {
            return Ok(Replaced::Conflict(stored(record)));
        }
        let version = Version(record.version.saturating_add(1));
        let handle = self.seal(session, version, now)?;
        Ok(Replaced::Stored { handle, version })
    }

    /// Does nothing: the caller deletes the cookies.
    async fn remove(&self, _: &Handle) -> Result<(), StorageError> {
        Ok(())
    }

    async fn remove_all(&self, _: &SessionOwner) -> Result<Option<u64>, StorageError> {
        Ok(None)
    }

    fn is_authoritative(&self) -> bool {
        false
    }
}

impl fmt::Debug for CookieStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieStorage")
            .field("name", &self.name)
            .field("issuer", &self.issuer)
            .field("app_id", &self.app_id)
            .field("capacity", &self.capacity)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

fn stored(record: Record) -> Stored {
    Stored {
        session: record.session,
        version: Version(record.version),
    }
}

/// The access tokens that can be fetched again, with the bytes they take, those to drop first in front.
fn droppable(session: &Session, now: UnixTime) -> Result<Vec<(TokenTarget, usize)>, StorageError> {
    if session.refresh_token().is_none() {
        return Ok(Vec::new());
    }
    let mut tokens: Vec<(&TokenTarget, &AccessToken)> = session.access_tokens().iter().collect();
    tokens.sort_by_key(|(_, token)| (now < token.expires_at, token.last_used));
    let measured = tokens.into_iter().map(|(target, token)| {
        let len = access_token_len(target, token).map_err(unavailable)?;
        Ok((target.clone(), len))
    });
    measured.collect()
}

/// Characters of the handle for a record.
fn len_of(record: &Record) -> Result<usize, StorageError> {
    let bytes = record.encode().map_err(unavailable)?.len();
    Ok(bytes.saturating_add(OVERHEAD).saturating_mul(4).div_ceil(3))
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError::Unavailable(Box::new(error))
}

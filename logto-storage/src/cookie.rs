//! Sessions in the browser: the handle is the sealed session.

mod last_use;

use std::{cmp::Reverse, fmt, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use logto_client::{
    entropy::{Entropy, OsEntropy},
    seal::{KeyRing, OVERHEAD, Plaintext, Purpose, SealContext},
    storage::{
        Handle, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
    },
    web::cookies::CookieCodec,
};
use logto_core::{
    AccessToken, LogtoConfig, Session, TokenTarget, UnixTime,
    session::{SessionDelta, SessionId},
};

use smallvec::SmallVec;

use self::last_use::LastUse;
use crate::{
    Lifetimes,
    lifetimes::Expiry,
    record::{self, PackedToken, Record, Unreadable, encode_access_token},
    seen::{self, Seen},
};

/// Keeps each session, sealed, in the cookies of its browser. The server stores nothing.
///
/// The limits: a copy of a cookie stays valid until it expires, even after sign-out; the sessions of other
/// browsers cannot be ended; and of two responses that cross, the browser keeps the later.
///
/// # When a session is idle
///
/// The value contains its expiry. If it is not written for a day while the session is in use,
/// [`touch`](SessionStorage::touch) adds a part of 52 characters with the time of the last use; it contains no
/// token.
///
/// # What is kept in memory
///
/// A browser sends the same cookies until they change. A session that was opened is kept for a minute, tokens in
/// clear, and found again by the sealed cookies as a whole, which are compared byte for byte. When it ends it is
/// dropped, and its tokens are overwritten. See [`keep_opened`](Self::keep_opened).
///
/// # What does not fit
///
/// The required content of a session (its id, the refresh token, the claims) is one value, which is always
/// written. Each access token is a part of the handle with a cookie of its own, sealed for this session alone;
/// the last used come first. Those that do not fit into the response or into later requests are left out and
/// fetched again when they are needed. Without a refresh token they cannot be fetched again, so they stay
/// within the value.
///
/// If the value alone is too long for one response, the user's organizations are left out of it, with the roles
/// and the data there: with the default response limit of 3.5 KiB from some 110 organizations on. The claims of
/// the session then contain none, and
/// [`WritableSession::organizations`](logto_client::WritableSession::organizations) and `user_info` fetch them;
/// to avoid that, raise the limits or keep sessions on the server. A session that still does not fit into the
/// cookies of a request is refused with [`StorageError::TooLarge`], and nothing is stored.
#[derive(Clone)]
pub struct CookieStorage {
    keys: KeyRing,
    cookies: CookieCodec,
    issuer: String,
    app_id: String,
    lifetimes: Lifetimes,
    entropy: Arc<dyn Entropy>,
    on_overflow: Option<Arc<Report>>,
    seen: Arc<Seen<Handle, Found>>,
}

type Report = dyn Fn(&Overflow) + Send + Sync;

/// A part of a session was left out because it does not fit into the cookies. No session is lost, but the part
/// is fetched again when it is needed: a reason to keep sessions on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overflow {
    /// The targets of the access tokens that were left out, the longest unused first.
    pub dropped: Vec<TokenTarget>,
    /// Whether the organizations of the user were left out of the claims.
    pub without_organizations: bool,
    /// The size of the whole session, in bytes.
    pub size: usize,
    /// The limit, in bytes.
    pub limit: usize,
}

/// The content of a handle.
#[derive(Clone)]
struct Found {
    stored: Stored,
    expiry: Expiry,
}

/// The opened parts of a handle.
struct Opened<'h> {
    /// The plaintexts, one after the other.
    bytes: Plaintext,
    /// The record of the value.
    record: Range<usize>,
    /// The mark of the last use, opened and sealed.
    mark: Option<(LastUse, &'h str)>,
    /// The access tokens that were sealed for this session, opened and sealed.
    tokens: SmallVec<[(PackedToken, &'h str); 8]>,
}

/// An access token in a part of a handle.
struct Part<'h> {
    target: TokenTarget,
    token: AccessToken,
    sealed: &'h str,
}

/// The content of a new handle.
struct Fitted {
    /// The session as the value holds it.
    session: Session,
    parts: Vec<String>,
    dropped: Vec<TokenTarget>,
    without_organizations: bool,
    size: usize,
}

impl CookieStorage {
    /// Creates a storage in the cookies of `cookies`, sealed with `keys` for the issuer and the application of
    /// `config`.
    pub fn new(keys: KeyRing, config: &LogtoConfig, cookies: &CookieCodec) -> Self {
        Self {
            keys,
            cookies: cookies.clone(),
            issuer: config.issuer().to_owned(),
            app_id: config.app_id().to_owned(),
            lifetimes: Lifetimes::default(),
            entropy: Arc::new(OsEntropy),
            on_overflow: None,
            seen: Arc::new(Seen::new(seen::DEFAULT_LIMIT)),
        }
    }

    /// Keeps opened sessions in this many bytes of memory, for a minute each; zero switches that off. Default:
    /// 16 MiB, some 1,000 sessions. Others are opened again with each request.
    #[must_use]
    pub fn keep_opened(mut self, bytes: usize) -> Self {
        self.seen = Arc::new(Seen::new(bytes));
        self
    }

    /// Sets the lifetimes of sessions.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Sets the source of nonces. Default: the operating system.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets a function that is called when a part of a session has to be left out.
    #[must_use]
    pub fn on_overflow(mut self, report: impl Fn(&Overflow) + Send + Sync + 'static) -> Self {
        self.on_overflow = Some(Arc::new(report));
        self
    }

    /// The content of a handle, from memory or opened now, unless the session has ended.
    fn find(&self, handle: &Handle, now: UnixTime) -> Option<Found> {
        let sealed = handle.expose().as_bytes();
        if let Some(found) = self.seen.get(sealed, now) {
            let is_over = found.expiry.is_over(now);
            if is_over {
                self.seen.remove(sealed);
            }
            return (!is_over).then_some(found);
        }
        let (found, memory) = self.find_even_if_over(handle, now)?;
        if found.expiry.is_over(now) {
            return None;
        }
        self.seen.insert(handle.clone(), found.clone(), memory, now);
        Some(found)
    }

    /// The content of a handle, and its size in memory, in bytes.
    fn find_even_if_over(&self, handle: &Handle, now: UnixTime) -> Option<(Found, usize)> {
        let opened = self.open(handle, now)?;
        let tokens = opened.tokens.into_iter().map(|(token, _)| token);
        let decoded = Record::decode_with(opened.bytes, opened.record, tokens);
        let (record, memory) = decoded.map_err(tell_unreadable).ok()?;
        let mut expiry = record.expiry;
        if let Some((last_use, _)) = opened.mark {
            expiry.idle = expiry.idle.max(last_use.idle_end(self.lifetimes.idle));
        }
        let stored = Stored {
            session: record.session,
            version: Version(record.version),
        };
        Some((Found { stored, expiry }, memory))
    }

    fn open<'h>(&self, handle: &'h Handle, now: UnixTime) -> Option<Opened<'h>> {
        let value = handle.value();
        if value.len() > self.cookies.capacity() {
            return None;
        }
        let mut unsealing = Unsealing::of(self, handle);
        let record = unsealing.open(Purpose::Session, self.cookies.name(), value)?;
        let (mut mark, mut tokens) = (None, SmallVec::new());
        let mut parts = handle.each_part().peekable();
        if parts.peek().is_some() {
            let id = record::session_id(unsealing.bytes.get(record.clone())?);
            // Parts of another session, which the browser had before, do not open under this name.
            let name = self.part_name(&id.map_err(tell_unreadable).ok()?);
            for sealed in parts {
                if let Some(last_use) = unsealing.open_mark(&name, sealed, now) {
                    mark = mark.max(Some((last_use, sealed)));
                } else if let Some(token) = unsealing.open_token(&name, sealed) {
                    tokens.push((token, sealed));
                }
            }
        }
        Some(Opened {
            bytes: unsealing.bytes,
            record,
            mark,
            tokens,
        })
    }

    fn seal(
        &self,
        fitted: Fitted,
        version: Version,
        now: UnixTime,
    ) -> Result<Handle, StorageError> {
        let record = Record {
            version: version.0,
            expiry: Expiry::of(&fitted.session, self.lifetimes, now),
            session: Arc::new(fitted.session),
        };
        let bytes = record.encode().map_err(unavailable)?;
        let value = self.sealed(Purpose::Session, self.cookies.name(), &bytes)?;
        if !fitted.dropped.is_empty() || fitted.without_organizations {
            self.report(&Overflow {
                dropped: fitted.dropped,
                without_organizations: fitted.without_organizations,
                size: fitted.size,
                limit: match fitted.without_organizations {
                    true => self.cookies.response_capacity(),
                    false => self.cookies.capacity(),
                },
            });
        }
        Ok(Handle::new(value).with_parts(fitted.parts))
    }

    /// The session as written with this version, without what does not fit. A token that is among the `known`
    /// parts is not sealed again, so that the browser needs no new cookie for it.
    fn fit(
        &self,
        session: &Session,
        version: Version,
        known: &[Part<'_>],
        now: UnixTime,
    ) -> Result<Fitted, StorageError> {
        let mut value = session.clone();
        let mut tokens = Vec::new();
        if session.refresh_token().is_some() {
            tokens = by_use(session, now);
            for (target, _) in &tokens {
                value.forget(target);
            }
        }
        let mut len = len_of(&value)?;
        let mut size = len;
        // A mark always fits: without it, a session in use would end.
        let capacity = self.cookies.capacity_beside(last_use::SEALED_LEN);
        let without_organizations =
            len > self.cookies.response_capacity().min(capacity) && value.forget_organizations();
        if without_organizations {
            len = len_of(&value)?;
        }
        if len > capacity {
            return Err(StorageError::TooLarge {
                size: len,
                limit: capacity,
            });
        }
        let name = self.part_name(session.id());
        let (mut parts, mut dropped) = (Vec::new(), Vec::new());
        let mut lens = vec![last_use::SEALED_LEN];
        let mut is_full = false;
        for (target, token) in tokens {
            let is_same =
                |part: &&Part<'_>| part.target == *target && part.token.token == token.token;
            let part = match known.iter().find(is_same) {
                Some(part) => part.sealed.to_owned(),
                None => {
                    let bytes = encode_access_token(version.0, target, token);
                    let bytes = bytes.map_err(unavailable)?;
                    self.sealed(Purpose::Session, &name, &bytes)?
                }
            };
            size = size.saturating_add(part.len());
            lens.push(part.len());
            let fits = |lens: &[usize]| {
                self.cookies.fitting_parts(len, lens.iter().copied()) == lens.len()
            };
            if !is_full && fits(&lens) {
                parts.push(part);
            } else {
                lens.pop();
                dropped.push(target.clone());
                // A token that is too long for any cookie takes no space from the others.
                is_full |= fits(&[part.len()]);
            }
        }
        dropped.reverse();
        Ok(Fitted {
            session: value,
            parts,
            dropped,
            without_organizations,
            size,
        })
    }

    /// What the parts of a session are bound to. A cookie has no name with a dot in it.
    fn part_name(&self, session: &SessionId) -> String {
        let mut name = String::with_capacity(self.cookies.name().len().saturating_add(32));
        name.push_str(self.cookies.name());
        name.push('.');
        URL_SAFE_NO_PAD.encode_append(session.as_bytes(), &mut name);
        name
    }

    fn sealed(&self, purpose: Purpose, name: &str, bytes: &[u8]) -> Result<String, StorageError> {
        let context = self.context(purpose, name);
        let sealed = self.keys.seal(&context, bytes, &*self.entropy);
        Ok(URL_SAFE_NO_PAD.encode_to_string(sealed.map_err(unavailable)?))
    }

    fn context<'a>(&'a self, purpose: Purpose, name: &'a str) -> SealContext<'a> {
        SealContext {
            purpose,
            name,
            issuer: &self.issuer,
            app_id: &self.app_id,
        }
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

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionReader for CookieStorage {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        Ok(self.find(handle, now).map(|found| found.stored))
    }

    fn load_at_once(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Option<Result<Option<Stored>, StorageError>> {
        Some(Ok(self.find(handle, now).map(|found| found.stored)))
    }

    fn opened_handle(
        &self,
        value: &[u8],
        parts: &mut dyn Iterator<Item = &[u8]>,
    ) -> Option<Handle> {
        self.seen.handle(value, parts)
    }

    fn forget_opened(&self, handle: &Handle) {
        let Some(found) = self.seen.remove(handle.expose().as_bytes()) else {
            return;
        };
        let id = found.stored.session.id();
        self.seen
            .remove_all(|other| other.stored.session.id() == id);
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionStorage for CookieStorage {
    fn longest_lifetime(&self) -> Duration {
        self.lifetimes.absolute
    }

    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        let version = Version(1);
        let fitted = self.fit(session, version, &[], now)?;
        Ok((self.seal(fitted, version, now)?, version))
    }

    /// Returns a new handle. A saved copy of the old one stays valid until it expires.
    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let (Some(found), Some(opened)) = (self.find(handle, now), self.open(handle, now)) else {
            return Ok(Replaced::Gone);
        };
        if found.stored.version != expected {
            return Ok(Replaced::Conflict(found.stored));
        }
        let version = Version(expected.0.saturating_add(1));
        let known = opened.parts();
        let fitted = self.fit(session, version, &known, now)?;
        if opened.has_value(&fitted.session) {
            // The client restores from its ledger the tokens that did not fit before. The value is not written
            // again because of them: it would displace them once more.
            let is_known = |part: &String| known.iter().any(|known| known.sealed == *part);
            if !fitted.parts.iter().all(is_known) {
                let mark = opened.mark.map(|(_, sealed)| sealed.to_owned());
                let parts = mark.into_iter().chain(fitted.parts);
                let handle = handle.without_parts().with_parts(parts);
                return Ok(Replaced::Stored { handle, version });
            }
            // A part that was left out before is not reported again.
            if !fitted.dropped.is_empty() {
                return Ok(Replaced::Stored {
                    handle: handle.clone(),
                    version: expected,
                });
            }
        }
        let handle = self.seal(fitted, version, now)?;
        Ok(Replaced::Stored { handle, version })
    }

    /// The same value with a new mark, once a day. The parts stay.
    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        let found = self.find(handle, now)?;
        if !last_use::is_due(found.expiry.idle, self.lifetimes.idle, now) {
            return None;
        }
        let opened = self.open(handle, now)?;
        let name = self.part_name(found.stored.session.id());
        let mark = LastUse::at(now).to_bytes();
        // If the mark is missing, the next use creates one.
        let mark = self.sealed(Purpose::LastUse, &name, &mark).ok()?;
        let parts = opened.tokens.iter().map(|(_, sealed)| *sealed);
        let parts = std::iter::once(mark.as_str()).chain(parts);
        Some(handle.without_parts().with_parts(parts))
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        let found = self.find_even_if_over(handle, now);
        let old = found.filter(|(found, _)| found.expiry.has_reached_lifetime(now));
        Ok(old.map(|(found, _)| found.stored.session.id().clone()))
    }

    /// Drops what is kept in memory: the caller deletes the cookies.
    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        self.forget_opened(handle);
        Ok(())
    }

    /// Drops what is kept in memory of these sessions.
    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        self.seen
            .remove_all(|found| logout.ends(&found.stored.session));
        Ok(None)
    }

    fn is_authoritative(&self) -> bool {
        false
    }
}

impl<'h> Opened<'h> {
    fn parts(&self) -> Vec<Part<'h>> {
        let part = |(token, sealed): &(PackedToken, &'h str)| {
            let (target, token) = token.decode(&self.bytes)?;
            Some(Part {
                target,
                token,
                sealed,
            })
        };
        self.tokens.iter().filter_map(part).collect()
    }

    /// Whether the value equals this session, except for the time of the change.
    fn has_value(&self, session: &Session) -> bool {
        let record = self.bytes.get(self.record.clone()).unwrap_or_default();
        let Ok(record) = Record::decode(record.to_vec().into()) else {
            return false;
        };
        let mut held = Session::clone(&record.session);
        let mut delta = SessionDelta::default();
        delta.at = Some(session.changed_at());
        held.apply(&delta);
        held == *session
    }
}

/// Opens one part of a handle after the other.
struct Unsealing<'a> {
    storage: &'a CookieStorage,
    sealed: Vec<u8>,
    bytes: Plaintext,
}

impl<'a> Unsealing<'a> {
    /// Allocated at full size: a vector that grows leaves copies of tokens behind.
    fn of(storage: &'a CookieStorage, handle: &Handle) -> Self {
        let len = URL_SAFE_NO_PAD.estimated_decoded_length(handle.expose().len());
        Self {
            storage,
            sealed: Vec::with_capacity(len),
            bytes: Plaintext::with_capacity(len),
        }
    }

    /// The range of the plaintext, if it opens.
    fn open(&mut self, purpose: Purpose, name: &str, text: &str) -> Option<Range<usize>> {
        self.sealed.clear();
        URL_SAFE_NO_PAD.decode_append(text, &mut self.sealed).ok()?;
        let context = self.storage.context(purpose, name);
        let keys = &self.storage.keys;
        keys.open_onto(&context, &self.sealed, &mut self.bytes)
    }

    fn open_token(&mut self, name: &str, sealed: &str) -> Option<PackedToken> {
        let token = self.open(Purpose::Session, name, sealed)?;
        PackedToken::find(&self.bytes, token)
    }

    fn open_mark(&mut self, name: &str, sealed: &str, now: UnixTime) -> Option<LastUse> {
        if sealed.len() > last_use::MAX_SEALED_LEN {
            return None;
        }
        let mark = self.open(Purpose::LastUse, name, sealed)?;
        LastUse::from_bytes(self.bytes.get(mark)?, now, self.storage.lifetimes.idle)
    }
}

impl fmt::Debug for CookieStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieStorage")
            .field("cookies", &self.cookies)
            .field("issuer", &self.issuer)
            .field("app_id", &self.app_id)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

/// The access tokens, those to keep first in front: the expired last, then the longest unused.
fn by_use(session: &Session, now: UnixTime) -> Vec<(&TokenTarget, &AccessToken)> {
    let mut tokens: Vec<_> = session.access_tokens().iter().collect();
    tokens.sort_by_key(|(_, token)| Reverse((now < token.expires_at, token.last_used)));
    tokens
}

/// The length of the value for this session, in characters.
fn len_of(session: &Session) -> Result<usize, StorageError> {
    // Neither version nor expiry take more.
    let record = Record {
        version: u64::MAX,
        expiry: Expiry {
            idle: UnixTime::from_secs(i64::MAX),
            absolute: UnixTime::from_secs(i64::MAX),
        },
        session: Arc::new(session.clone()),
    };
    let bytes = record.encode().map_err(unavailable)?.len();
    Ok(bytes.saturating_add(OVERHEAD).saturating_mul(4).div_ceil(3))
}

/// It does not sign a user in.
fn tell_unreadable(_reason: Unreadable) {
    #[cfg(feature = "tracing")]
    tracing::warn!(reason = ?_reason, "unreadable session cookie");
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError::Unavailable(Box::new(error))
}

//! The contract between the client and a session storage.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use logto_core::{Session, UnixTime, session::SessionId};
use memchr::memchr;
use smallvec::SmallVec;

use crate::runtime::{MaybeSend, MaybeSync};

const SEPARATOR: u8 = b'.';

/// As long as Logto keeps replacing refresh tokens.
pub(crate) const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(180 * 24 * 3600);

/// What the browser stores to find its session again: a random id for storages on the server, the sealed
/// session itself for cookie storage.
///
/// A handle is a value and, if the storage creates them, parts: what the session can do without.
/// `CookieStorage` puts each access token into a part, so that each has a cookie of its own. As text they are
/// separated by dots:
///
/// - An application that carries handles by itself keeps what [`expose`](Self::expose) says and reads it
///   with [`new`](Self::new). That is the whole handle; there are no parts to think of.
/// - A storage finds the session by the [`value`](Self::value) alone. The parts come from a browser, may
///   belong to another session or have been left by another storage, and one that makes none takes no
///   notice of them. [`logto_storage::conformance`] checks this.
///
/// A handle gives access to its session, so `Debug` shows no part of it. Clones share the text.
///
/// [`logto_storage::conformance`]: https://docs.rs/logto-storage
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Handle(Arc<str>);

impl Handle {
    /// Takes a handle as [`expose`](Self::expose) gave it, or the value that a storage made. Both consist of
    /// characters that may stand in a cookie value; storages use base64url.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// Adds parts of base64url, the most wanted first. Empty ones are no parts.
    #[must_use]
    pub fn with_parts<P: AsRef<str>>(self, parts: impl IntoIterator<Item = P>) -> Self {
        let mut text = String::new();
        for part in parts {
            if !part.as_ref().is_empty() {
                if text.is_empty() {
                    text.push_str(&self.0);
                }
                text.push(char::from(SEPARATOR));
                text.push_str(part.as_ref());
            }
        }
        match text.is_empty() {
            true => self,
            false => Self(text.into()),
        }
    }

    /// The handle of a value and its parts, in one allocation: most handles are short enough to be put together
    /// on the stack.
    /// All of them are base64url; of anything else it finds no session.
    pub(crate) fn of_parts<'a>(value: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut text = SmallVec::<[u8; 8_192]>::new();
        text.extend_from_slice(value);
        for part in parts {
            text.push(SEPARATOR);
            text.extend_from_slice(part);
        }
        // To find out that it is text takes longer than to copy it, and is done once for the whole.
        Self(std::str::from_utf8(&text).unwrap_or_default().into())
    }

    /// The whole handle in clear, for the browser.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What finds the session, in clear and without the parts.
    pub fn value(&self) -> &str {
        let end = memchr(SEPARATOR, self.0.as_bytes());
        end.and_then(|end| self.0.get(..end)).unwrap_or(&self.0)
    }

    /// The parts in clear. If they come from a browser, nothing guarantees that they belong together.
    pub fn parts(&self) -> Vec<&str> {
        self.each_part().collect()
    }

    /// The same, one after the other.
    pub fn each_part(&self) -> impl Iterator<Item = &str> {
        // Parts are long, and `split` looks at one character after the other.
        let mut begin = self.value().len().saturating_add(1);
        let parts = std::iter::from_fn(move || {
            let rest = self.0.get(begin..)?;
            let len = memchr(SEPARATOR, rest.as_bytes()).unwrap_or(rest.len());
            begin = begin.saturating_add(len).saturating_add(1);
            rest.get(..len)
        });
        parts.filter(|part| !part.is_empty())
    }

    /// The same handle without its parts.
    #[must_use]
    pub fn without_parts(&self) -> Self {
        Self::new(self.value())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle([redacted])")
    }
}

/// Which write of a session this is. A storage hands it out with a session and takes it back with the next
/// write, which succeeds only if no other write came in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// A session as it was found, with the version to replace it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The session, shared with whoever else reads it: what changes is a new one.
    pub session: Arc<Session>,
    /// Its version.
    pub version: Version,
}

/// The result of [`SessionStorage::replace`].
#[derive(Clone, Debug, PartialEq)]
pub enum Replaced {
    /// The session was written. The handle is the old one, except in cookie storage, where the browser needs
    /// the new one.
    Stored {
        /// Where the session is found from now on.
        handle: Handle,
        /// The version that was written.
        version: Version,
    },
    /// Another writer was faster. This is the stored session.
    Conflict(Stored),
    /// The session is gone: it was removed or has expired. It must not come back.
    Gone,
}

/// The owner of sessions: what a storage must find sessions by, besides their handles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SessionOwner {
    /// All sessions of this user (`sub`).
    Subject(String),
    /// The sessions that belong to this session at the provider (`sid`).
    ProviderSession(String),
}

/// A logout at the provider, and which sessions it ends: what [`SessionStorage::remove_all`] removes.
///
/// Where both sides name the session at the provider, that decides: this one ends, and another one of the
/// same user continues. Otherwise all sessions of the user end that began until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The session at the provider that ended; `None` for all of the user.
    pub sid: Option<String>,
    /// The user.
    pub sub: Option<String>,
    /// When, by the provider's clock.
    pub at: UnixTime,
}

impl Logout {
    /// Whether `session` ends.
    pub fn ends(&self, session: &Session) -> bool {
        let claims = session.claims();
        match (&self.sid, &claims.sid) {
            (Some(ended), Some(sid)) => ended == sid,
            _ => self.sub.as_ref() == Some(&claims.sub) && session.began_at() <= self.at,
        }
    }

    /// The owners among whose sessions are all that end.
    pub fn owners(&self) -> impl Iterator<Item = SessionOwner> {
        let provider_session = self.sid.clone().map(SessionOwner::ProviderSession);
        let subject = self.sub.clone().map(SessionOwner::Subject);
        provider_session.into_iter().chain(subject)
    }
}

/// The reading half of a storage. What can only read can never spend a refresh token.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait SessionReader: fmt::Debug + MaybeSend + MaybeSync {
    /// The session of a handle; `None` when there is none, it has expired, or the handle was not made
    /// by this storage. A handle comes from a browser: no handle is an error.
    ///
    /// # Errors
    /// The storage failed. The client never treats that as "nobody is signed in".
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError>;

    /// The same as [`load`](Self::load) from a storage that waits for nothing, which spares each request a
    /// future on the heap. `None`, the default, says that this one has to be awaited.
    fn load_at_once(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Option<Result<Option<Stored>, StorageError>> {
        let _ = (handle, now);
        None
    }

    /// Drops what is kept in memory of the session of `handle`, which is over, in a storage that keeps sessions
    /// so that it need not open them again. The default keeps none.
    fn forget_opened(&self, handle: &Handle) {
        let _ = handle;
    }
}

/// A place for sessions.
///
/// All methods take the time from the caller and are safe to call from many tasks and processes at
/// once. A storage decides how long a session may stay idle and how long it may live at all.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait SessionStorage: SessionReader {
    /// Stores a new session. Returns a new, unpredictable handle, and the version for the next write.
    ///
    /// # Errors
    /// When it cannot be stored: [`StorageError::TooLarge`] or [`StorageError::Unavailable`].
    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError>;

    /// Writes `session` if the stored version is still `expected`.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError>;

    /// Removes a session and its lease, even if another process holds the lease. Removing a session that does
    /// not exist is not an error.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    async fn remove(&self, handle: &Handle) -> Result<(), StorageError>;

    /// Removes all sessions that a logout [ends](Logout::ends), and returns how many there were; `None` if
    /// the storage cannot know, as with cookies.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError>;

    /// Remembers `name` for `ttl`, visible to all processes, and returns whether it is new. A storage that no
    /// other process shares may always return `true`: the client remembers names for its own process.
    ///
    /// The ids of logout tokens (`jti`) are remembered, so that each is accepted once.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        let _ = (name, ttl);
        Ok(true)
    }

    /// How long a handle can find its session at most, counted from the sign-in. Ends are remembered as long.
    /// The default is 180 days.
    fn longest_lifetime(&self) -> Duration {
        DEFAULT_MAX_LIFETIME
    }

    /// Notes that the session of `handle` is in use, in a storage that does not see it when the session is
    /// read. Returns the handle that the browser needs for that, if it is time for another one. It finds the
    /// same state of the session: to give it to the browser never puts an older refresh token over a newer one.
    ///
    /// A storage that notices each [`load`](SessionReader::load) has nothing to do here, which is the default.
    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        let _ = (handle, now);
        None
    }

    /// The session that `handle` does not find any more because it has reached its
    /// [longest lifetime](Self::longest_lifetime), so that its user can be told. `None` if there is
    /// none, or if the storage has forgotten it, which it should not do for two weeks. By default it never knows.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        let _ = (handle, now);
        Ok(None)
    }

    /// Whether a handle always finds the newest state of its session, even if another process wrote it.
    /// Cookies do not: an old one opens as it was sealed. The client then asks the provider before it spends
    /// a refresh token that another process may have spent.
    fn is_authoritative(&self) -> bool {
        true
    }

    /// Takes the right to refresh the session of `handle`, against other processes that share this
    /// storage. `None` means that another process holds it. Storages of a single process, and cookies,
    /// always grant it: the client has its own lock for that.
    ///
    /// The lease ends after `ttl` unless it is [renewed](Self::renew) or released. A short `ttl` that is
    /// renewed lets others continue soon after a crash. Taking a lease whose holder let its time run out
    /// is a [takeover](Lease::was_taken_over).
    ///
    /// # Errors
    /// When the storage cannot be asked.
    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let _ = (handle, ttl);
        Ok(Some(Lease::unshared()))
    }

    /// Prolongs a lease: it ends `ttl` from now. `false` means that it is lost: another process has taken
    /// it over, or the storage no longer knows it. Its former holder must not spend the refresh token.
    ///
    /// # Errors
    /// When the storage cannot be asked; the lease then ends when it would have ended.
    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let _ = (handle, lease, ttl);
        Ok(true)
    }

    /// Gives back what [`lease`](Self::lease) granted, so that the next holder takes nothing over. A lease
    /// that another process holds by now is not touched.
    ///
    /// # Errors
    /// When the storage cannot be asked; the lease then ends with its time.
    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        let _ = (handle, lease);
        Ok(())
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<T: SessionReader + ?Sized> SessionReader for Arc<T> {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        (**self).load(handle, now).await
    }

    fn load_at_once(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Option<Result<Option<Stored>, StorageError>> {
        (**self).load_at_once(handle, now)
    }

    fn forget_opened(&self, handle: &Handle) {
        (**self).forget_opened(handle);
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<T: SessionStorage + ?Sized> SessionStorage for Arc<T> {
    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        (**self).create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        (**self).replace(handle, expected, session, now).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        (**self).remove(handle).await
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        (**self).remove_all(logout).await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        (**self).is_first_use(name, ttl).await
    }

    fn longest_lifetime(&self) -> Duration {
        (**self).longest_lifetime()
    }

    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        (**self).touch(handle, now)
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        (**self).lifetime_reached(handle, now).await
    }

    fn is_authoritative(&self) -> bool {
        (**self).is_authoritative()
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        (**self).lease(handle, ttl).await
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        (**self).renew(handle, lease, ttl).await
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        (**self).release(handle, lease).await
    }
}

/// The right to refresh a session, taken from a storage that several processes share.
#[derive(Debug)]
pub struct Lease {
    token: Option<String>,
    was_taken_over: bool,
}

impl Lease {
    /// A lease of a storage that no other process shares.
    pub const fn unshared() -> Self {
        Self {
            token: None,
            was_taken_over: false,
        }
    }

    /// A lease that is known by a token of its own, so that only its holder renews it and gives it back.
    pub fn held_by(token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            was_taken_over: false,
        }
    }

    /// The same lease, taken over from a holder that did not give it back.
    #[must_use]
    pub fn taken_over(mut self) -> Self {
        self.was_taken_over = true;
        self
    }

    /// The same lease, to renew it while its holder may give it back.
    pub(crate) fn copy(&self) -> Self {
        Self {
            token: self.token.clone(),
            was_taken_over: self.was_taken_over,
        }
    }

    /// The token of a shared lease.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether the previous holder never gave the lease back and its time ran out: it crashed, or it
    /// stalls. It may have spent the refresh token, or be about to, so the provider is asked whether the
    /// token is still active before it is spent.
    pub fn was_taken_over(&self) -> bool {
        self.was_taken_over
    }
}

/// Why a storage could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage cannot be reached or does not respond. The session is unchanged.
    #[error("session storage is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The session does not fit, even without the access tokens that can be fetched again.
    #[error(
        "the session takes {size} bytes and this storage holds {limit}; keep sessions in a store on the server, or ask for fewer claims in the ID token"
    )]
    TooLarge {
        /// Bytes that the session takes.
        size: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// The storage is set up wrongly. Waiting does not help; the text says what to change. It names no
    /// password, but may name users, hosts and paths.
    #[error("session storage is misconfigured: {0}")]
    Misconfigured(String),
}

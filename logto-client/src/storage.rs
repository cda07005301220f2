//! The contract between the client and a session storage.

mod logout;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use logto_core::{Session, UnixTime, session::SessionId};
use memchr::memchr;
use smallvec::SmallVec;

pub(crate) use self::logout::Ended;
pub use self::logout::{Logout, SessionOwner};
use crate::runtime::{MaybeSend, MaybeSync};

const SEPARATOR: u8 = b'.';

/// As long as Logto keeps replacing refresh tokens.
pub(crate) const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(180 * 24 * 3600);

/// The value with which a browser presents its session: a random id for storages on the server, the sealed
/// session itself for cookie storage.
///
/// A handle consists of a value and, if the storage creates them, optional parts. `CookieStorage` puts each
/// access token into a part, so that each has a cookie of its own. As text they are separated by dots:
///
/// - An application that transports handles itself stores the result of [`expose`](Self::expose) and reads it
///   with [`new`](Self::new). That is the whole handle, including its parts.
/// - A storage finds the session by the [`value`](Self::value) alone. The parts come from a browser, and may
///   belong to another session or another storage. A storage without parts ignores them.
///   [`logto_storage::conformance`] checks this.
///
/// A handle gives access to its session, so `Debug` shows no part of it. Clones share the text.
///
/// [`logto_storage::conformance`]: https://docs.rs/logto-storage
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Handle(Arc<str>);

impl Handle {
    /// Creates a handle from the result of [`expose`](Self::expose), or from the value of a storage. Both
    /// consist of characters that are allowed in a cookie value; storages use base64url.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// Adds parts in base64url, the most important first. Empty ones are ignored.
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

    /// Assembles a handle from a value and its parts, in one allocation: most handles are short enough to be
    /// assembled on the stack. All of them are base64url; a handle of anything else finds no session.
    pub(crate) fn of_parts<'a>(value: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut text = SmallVec::<[u8; 8_192]>::new();
        text.extend_from_slice(value);
        for part in parts {
            text.push(SEPARATOR);
            text.extend_from_slice(part);
        }
        // Checking for valid UTF-8 takes longer than copying, so it is done once for the whole.
        Self(std::str::from_utf8(&text).unwrap_or_default().into())
    }

    /// The whole handle in clear, for the browser.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value that identifies the session, in clear and without the parts.
    pub fn value(&self) -> &str {
        let end = memchr(SEPARATOR, self.0.as_bytes());
        end.and_then(|end| self.0.get(..end)).unwrap_or(&self.0)
    }

    /// The parts in clear. If they come from a browser, nothing guarantees that they belong together.
    pub fn parts(&self) -> Vec<&str> {
        self.each_part().collect()
    }

    /// As [`parts`](Self::parts), as an iterator.
    pub fn each_part(&self) -> impl Iterator<Item = &str> {
        // Parts are long, and `split` compares one character at a time.
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

/// The version of a stored session. A storage returns it with a session and expects it with the next write,
/// which succeeds only if no other write came in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// A stored session, with the version that the next write has to pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The session, shared with other readers: a change creates a new value.
    pub session: Arc<Session>,
    /// Its version.
    pub version: Version,
}

/// The result of [`SessionStorage::replace`].
#[derive(Clone, Debug, PartialEq)]
pub enum Replaced {
    /// The session was written. The handle is unchanged, except in cookie storage, where the browser needs the
    /// new one.
    Stored {
        /// The handle of the session from now on.
        handle: Handle,
        /// The version that was written.
        version: Version,
    },
    /// Another writer was faster. Contains the stored session.
    Conflict(Stored),
    /// The session was removed or has expired. It must not be stored again.
    Gone,
}

/// The reading half of a storage. Code that can only read never spends a refresh token.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait SessionReader: fmt::Debug + MaybeSend + MaybeSync {
    /// The session of a handle. `None` if there is none, if it has expired, or if the handle is not from this
    /// storage. Handles come from browsers, so no handle may cause an error.
    ///
    /// # Errors
    /// If the storage fails. The client never treats that as "not signed in".
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError>;

    /// As [`load`](Self::load), for a storage that never waits, which saves each request a future on the heap.
    /// `None`, the default, means that `load` has to be awaited.
    fn load_at_once(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Option<Result<Option<Stored>, StorageError>> {
        let _ = (handle, now);
        None
    }

    /// The handle that consists of `value` and `parts`, if this storage caches a session that was opened from
    /// exactly this handle: comparing them takes less time than assembling a new one. The default is `None`.
    fn opened_handle(
        &self,
        value: &[u8],
        parts: &mut dyn Iterator<Item = &[u8]>,
    ) -> Option<Handle> {
        let _ = (value, parts);
        None
    }

    /// Drops the session of `handle`, which has ended, from memory, in a storage that caches opened sessions.
    /// The default does nothing.
    fn forget_opened(&self, handle: &Handle) {
        let _ = handle;
    }
}

/// A storage of sessions.
///
/// All methods receive the time from the caller and can be called from many tasks and processes at once. A
/// storage decides how long a session may stay idle and how long it may live.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait SessionStorage: SessionReader {
    /// Stores a new session. Returns a new, unpredictable handle, and the version for the next write.
    ///
    /// # Errors
    /// If it cannot be stored: [`StorageError::TooLarge`] or [`StorageError::Unavailable`].
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
    /// If the storage cannot be read.
    async fn remove(&self, handle: &Handle) -> Result<(), StorageError>;

    /// Removes all sessions that a logout [ends](Logout::ends), and returns their number. `None` if the storage
    /// cannot know it, as with cookies.
    ///
    /// # Errors
    /// If the storage cannot be read.
    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError>;

    /// Records `name` for `ttl`, visible to all processes, and returns whether it is new. A storage that no
    /// other process shares may always return `true`: the client remembers names within its process.
    ///
    /// The client uses it for the ids of logout tokens (`jti`), so that each is accepted once.
    ///
    /// # Errors
    /// If the storage cannot be read.
    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        let _ = (name, ttl);
        Ok(true)
    }

    /// The longest time for which a handle finds its session, counted from the sign-in. The client remembers
    /// the ends of sessions for as long. Default: 180 days.
    fn longest_lifetime(&self) -> Duration {
        DEFAULT_MAX_LIFETIME
    }

    /// Records that the session of `handle` is in use, in a storage that does not notice reads. Returns a new
    /// handle for the browser when one is due. It refers to the same state of the session, so sending it to the
    /// browser never replaces a newer refresh token with an older one.
    ///
    /// A storage that records each [`load`](SessionReader::load) needs no such handle. The default returns
    /// `None`.
    fn touch(&self, handle: &Handle, now: UnixTime) -> Option<Handle> {
        let _ = (handle, now);
        None
    }

    /// The session of `handle` if it has reached its [longest lifetime](Self::longest_lifetime), so that its
    /// user can be informed. `None` if there is none, or if the storage has forgotten it; it should remember it
    /// for two weeks. The default returns `None`.
    ///
    /// # Errors
    /// If the storage cannot be read.
    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        let _ = (handle, now);
        Ok(None)
    }

    /// Whether a handle always finds the newest state of its session, even if another process wrote it. Cookies
    /// do not: an old cookie contains the state in which it was sealed. The client then asks the provider
    /// before it spends a refresh token that another process may have spent.
    fn is_authoritative(&self) -> bool {
        true
    }

    /// Takes the exclusive right to refresh the session of `handle` among the processes that share this
    /// storage. `None` means that another process holds it. Storages of a single process, and cookies, always
    /// grant it: the client has its own lock for that.
    ///
    /// The lease ends after `ttl` unless it is [renewed](Self::renew) or released. A short `ttl` that is
    /// renewed lets others continue soon after a crash. Taking a lease whose holder let its time run out
    /// is a [takeover](Lease::was_taken_over).
    ///
    /// # Errors
    /// If the storage cannot be read.
    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let _ = (handle, ttl);
        Ok(Some(Lease::unshared()))
    }

    /// Renews a lease: it ends `ttl` from now. `false` means that it is lost: another process has taken it
    /// over, or the storage no longer knows it. Its former holder must not spend the refresh token.
    ///
    /// # Errors
    /// If the storage cannot be read. The lease then keeps its end.
    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let _ = (handle, lease, ttl);
        Ok(true)
    }

    /// Gives back a [`lease`](Self::lease), so that the next holder is no takeover. A lease that another
    /// process holds by now is not changed.
    ///
    /// # Errors
    /// If the storage cannot be read. The lease then ends with its time.
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

    fn opened_handle(
        &self,
        value: &[u8],
        parts: &mut dyn Iterator<Item = &[u8]>,
    ) -> Option<Handle> {
        (**self).opened_handle(value, parts)
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

    /// A lease with a token of its own, so that only its holder can renew it and give it back.
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

    /// A copy of the lease, to renew it while its holder may give it back.
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

/// Why a storage failed.
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
    /// The storage is misconfigured, and retrying does not help. The text describes what to change. It contains
    /// no password, but may contain users, hosts and paths.
    #[error("session storage is misconfigured: {0}")]
    Misconfigured(String),
}

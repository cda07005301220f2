//! The content of a stored session, read on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use super::{SessionData, SessionId};
use crate::{
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// The content of a session that a storage has written and read again. It reads each part on demand, which most
/// requests never need.
///
/// A session is only written if all of it can be read, and the seal of the storage ensures that nothing has
/// changed since. So there is nothing to check, and no method fails: a part that cannot be read is empty.
pub trait StoredContent: fmt::Debug + Send + Sync {
    /// [`Session::kept_id_token`](super::Session::kept_id_token)
    fn id_token(&self) -> Secret;

    /// [`Session::refresh_token`](super::Session::refresh_token)
    fn refresh_token(&self) -> Option<Secret>;

    /// The access token for one target. Repeated calls return the same one.
    fn access_token(&self, target: &TokenTarget) -> Option<&AccessToken>;

    /// [`Session::access_tokens`](super::Session::access_tokens)
    fn access_tokens(&self) -> BTreeMap<TokenTarget, AccessToken>;

    /// [`Session::requested_scopes`](super::Session::requested_scopes)
    fn requested_scopes(&self) -> BTreeSet<String>;

    /// [`Session::requested_resources`](super::Session::requested_resources)
    fn requested_resources(&self) -> BTreeSet<String>;

    /// [`Session::granted_scopes`](super::Session::granted_scopes)
    fn granted_scopes(&self) -> BTreeSet<String>;

    /// [`Session::data`](super::Session::data)
    fn data(&self) -> Option<SessionData>;
}

/// The parts of a stored session that are read at once.
#[derive(Clone, Debug)]
pub struct StoredHead {
    /// [`Session::id`](super::Session::id)
    pub id: SessionId,
    /// [`Session::refresh_token_issued_at`](super::Session::refresh_token_issued_at)
    pub refresh_token_issued_at: Option<UnixTime>,
    /// [`Session::began_at`](super::Session::began_at)
    pub began_at: UnixTime,
    /// [`Session::created_at`](super::Session::created_at)
    pub created_at: UnixTime,
    /// [`Session::changed_at`](super::Session::changed_at)
    pub changed_at: UnixTime,
}

/// A part of a session: known, or read on demand.
#[derive(Clone)]
pub(super) enum Part<T> {
    Known(T),
    Stored {
        content: Arc<dyn StoredContent>,
        read: fn(&dyn StoredContent) -> T,
        found: OnceLock<T>,
    },
}

impl<T> Part<T> {
    pub(super) fn stored(
        content: &Arc<dyn StoredContent>,
        read: fn(&dyn StoredContent) -> T,
    ) -> Self {
        Self::Stored {
            content: Arc::clone(content),
            read,
            found: OnceLock::new(),
        }
    }

    /// The stored session, until this part was read from it as a whole.
    pub(super) fn unread(&self) -> Option<&dyn StoredContent> {
        match self {
            Self::Stored { content, found, .. } if found.get().is_none() => Some(&**content),
            Self::Stored { .. } | Self::Known(_) => None,
        }
    }

    /// Changes the part, which is known from then on.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        match self {
            Self::Known(part) => change(part),
            Self::Stored { .. } => {
                let mut part = T::clone(self);
                let result = change(&mut part);
                *self = Self::Known(part);
                result
            }
        }
    }

    pub(super) fn into_inner(self) -> T {
        match self {
            Self::Known(part) => part,
            Self::Stored {
                content,
                read,
                found,
            } => found.into_inner().unwrap_or_else(|| read(&*content)),
        }
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Known(part) => part,
            Self::Stored {
                content,
                read,
                found,
            } => found.get_or_init(|| read(&**content)),
        }
    }
}

impl<T> From<T> for Part<T> {
    fn from(part: T) -> Self {
        Self::Known(part)
    }
}

impl<T: PartialEq> PartialEq for Part<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Hash> Hash for Part<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

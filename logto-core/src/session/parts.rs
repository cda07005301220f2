//! The stored form of a session.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{Session, SessionData, SessionId, stored::Part};
use crate::{
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// The parts of a session: the form that is serialized, and from which a storage with its own format builds a
/// session. The user's claims are read from the ID token. Later versions may add members, but never change
/// the meaning of one.
#[derive(Serialize, Deserialize)]
pub struct SessionParts {
    /// [`Session::id`]
    pub id: SessionId,
    /// [`Session::kept_id_token`]
    pub id_token: Secret,
    /// [`Session::refresh_token`]
    pub refresh_token: Option<Secret>,
    /// [`Session::refresh_token_issued_at`]
    #[serde(default)]
    pub refresh_token_issued_at: Option<UnixTime>,
    /// [`Session::access_tokens`]
    pub access_tokens: Vec<(TokenTarget, AccessToken)>,
    /// [`Session::requested_scopes`]
    pub requested_scopes: BTreeSet<String>,
    /// [`Session::requested_resources`]
    pub requested_resources: BTreeSet<String>,
    /// [`Session::granted_scopes`]
    pub granted_scopes: BTreeSet<String>,
    /// [`Session::data`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<SessionData>,
    /// [`Session::began_at`]
    pub began_at: UnixTime,
    /// [`Session::created_at`]
    pub created_at: UnixTime,
    /// [`Session::changed_at`]
    pub changed_at: UnixTime,
}

impl fmt::Debug for SessionParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionParts")
            .field("access_tokens", &self.access_tokens)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

impl From<Session> for SessionParts {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            id_token: session.id_token.into_inner().into(),
            refresh_token: session.refresh_token.into_inner(),
            refresh_token_issued_at: session.refresh_token_issued_at,
            access_tokens: session.access_tokens.into_inner().into_iter().collect(),
            requested_scopes: session.requested_scopes.into_inner(),
            requested_resources: session.requested_resources.into_inner(),
            granted_scopes: session.granted_scopes.into_inner(),
            data: session.data.into_inner(),
            began_at: session.began_at,
            created_at: session.created_at,
            changed_at: session.changed_at,
        }
    }
}

impl TryFrom<SessionParts> for Session {
    type Error = UnreadableSession;

    fn try_from(parts: SessionParts) -> Result<Self, UnreadableSession> {
        Ok(Self {
            id: parts.id,
            id_token: Part::Known(parts.id_token.try_into()?),
            refresh_token: parts.refresh_token.into(),
            refresh_token_issued_at: parts.refresh_token_issued_at,
            access_tokens: BTreeMap::from_iter(parts.access_tokens).into(),
            requested_scopes: parts.requested_scopes.into(),
            requested_resources: parts.requested_resources.into(),
            granted_scopes: parts.granted_scopes.into(),
            data: parts.data.into(),
            began_at: parts.began_at,
            created_at: parts.created_at,
            changed_at: parts.changed_at,
        })
    }
}

/// A stored session that cannot be read. Treat it as no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored session is unreadable")]
pub struct UnreadableSession;

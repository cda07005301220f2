//! Changes of a session.

use serde::{Deserialize, Serialize};

use super::{SessionData, VerifiedIdToken};
use crate::{
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// One change of a session, applied as a whole or not at all.
///
/// It can be applied to a newer state of the session than the one it was created for. That is how concurrent
/// writers in a store are merged.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionDelta {
    /// The refresh token that replaces the spent one.
    pub refresh_token: Option<Secret>,
    /// A new, verified ID token.
    pub id_token: Option<VerifiedIdToken>,
    /// A newly fetched access token.
    pub access_token: Option<(TokenTarget, AccessToken)>,
    /// Access tokens to remove.
    pub forgotten: Vec<TokenTarget>,
    /// New data of the application, in place of what there was.
    pub data: Option<SessionData>,
    /// When the change happened.
    pub at: Option<UnixTime>,
}

impl SessionDelta {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.refresh_token.is_none()
            && self.id_token.is_none()
            && self.access_token.is_none()
            && self.forgotten.is_empty()
            && self.data.is_none()
    }
}

//! The ID token of a session.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::UnreadableSession;
use crate::{claims::IdTokenClaims, jwt, secret::Secret};

/// An ID token that has passed all checks, with what it says.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct VerifiedIdToken {
    token: Secret,
    claims: Arc<IdTokenClaims>,
}

impl VerifiedIdToken {
    /// The only way from a token to a verified one: `claims` are the answer of its verification.
    pub(crate) fn new(token: Secret, claims: IdTokenClaims) -> Self {
        Self {
            token,
            claims: Arc::new(claims),
        }
    }

    /// What the token says.
    pub fn claims(&self) -> &IdTokenClaims {
        &self.claims
    }

    /// What the token says, shared.
    pub(super) fn shared_claims(&self) -> Arc<IdTokenClaims> {
        Arc::clone(&self.claims)
    }

    /// The token as it is kept.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Whether the token is the one that was issued.
    pub(super) fn is_whole(&self) -> bool {
        jwt::is_signed(self.token.expose())
    }

    /// The same without the user's organizations, and therefore without a signature; `None` when it names
    /// none.
    pub(super) fn without_organizations(&self) -> Option<Self> {
        let mut claims = self.claims.to_map();
        let before = claims.len();
        claims.retain(|name, _| !ORGANIZATION_CLAIMS.contains(&name.as_str()));
        if claims.len() == before {
            return None;
        }
        let token = jwt::without_signature(self.token.expose(), &claims);
        // What was read before is read again without them.
        Self::try_from(Secret::from(token)).ok()
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIdToken")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

impl From<VerifiedIdToken> for Secret {
    fn from(id_token: VerifiedIdToken) -> Self {
        id_token.token
    }
}

impl TryFrom<Secret> for VerifiedIdToken {
    type Error = UnreadableSession;

    /// Reads a token that was verified before it was stored.
    fn try_from(token: Secret) -> Result<Self, UnreadableSession> {
        let payload = jwt::unverified_payload(token.expose()).map_err(|_| UnreadableSession)?;
        let claims = payload.members().map_err(|_| UnreadableSession)?;
        let claims = IdTokenClaims::from_members(claims).map_err(|_| UnreadableSession)?;
        Ok(Self::new(token, claims))
    }
}

/// What grows with the organizations of a user.
const ORGANIZATION_CLAIMS: [&str; 3] = ["organizations", "organization_roles", "organization_data"];

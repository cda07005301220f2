//! The ID token of a session.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::UnreadableSession;
use crate::{claims::IdTokenClaims, jwt, secret::Secret};

/// The claims that grow with the number of a user's organizations.
const ORGANIZATION_CLAIMS: [&str; 3] = ["organizations", "organization_roles", "organization_data"];

/// An ID token that has passed all checks, with its claims.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct VerifiedIdToken {
    token: Secret,
    /// Shared, because sessions are copied often and a user may belong to a thousand organizations.
    claims: Arc<IdTokenClaims>,
}

impl VerifiedIdToken {
    /// The only way to create one: `claims` are the result of the token's verification.
    pub(crate) fn new(token: Secret, claims: IdTokenClaims) -> Self {
        Self {
            token,
            claims: Arc::new(claims),
        }
    }

    /// The claims of the token.
    pub fn claims(&self) -> &IdTokenClaims {
        &self.claims
    }

    /// The claims of the token, shared.
    pub(super) fn shared_claims(&self) -> Arc<IdTokenClaims> {
        Arc::clone(&self.claims)
    }

    /// The token as stored.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Whether the token is complete, as issued.
    pub(super) fn is_whole(&self) -> bool {
        jwt::is_signed(self.token.expose())
    }

    /// The same token without the user's organizations, and therefore without a signature; `None` if it names
    /// none.
    pub(super) fn without_organizations(&self) -> Option<Self> {
        let mut claims = self.claims.to_map();
        let before = claims.len();
        claims.retain(|name, _| !ORGANIZATION_CLAIMS.contains(&name.as_str()));
        if claims.len() == before {
            return None;
        }
        let token = jwt::without_signature(self.token.expose(), &claims);
        // The claims without them can be read, because those with them were.
        Self::try_from(Secret::from(token)).ok()
    }
}

/// The claims are those of the token.
impl Hash for VerifiedIdToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token.hash(state);
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

//! The ID token of a session.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::UnreadableSession;
use crate::{claims::IdTokenClaims, jwt, secret::Secret};

/// The claims that grow with the number of a user's organizations.
const ORGANIZATION_CLAIMS: [&str; 3] = ["organizations", "organization_roles", "organization_data"];

/// An ID token that has passed all checks, with its claims.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct VerifiedIdToken {
    token: Secret,
    /// Read from the token on demand. Shared, because a user may belong to a thousand organizations.
    claims: OnceLock<Arc<IdTokenClaims>>,
}

impl VerifiedIdToken {
    /// The only way to create one: `claims` are the result of the token's verification.
    pub(crate) fn new(token: Secret, claims: IdTokenClaims) -> Self {
        Self {
            token,
            claims: Arc::new(claims).into(),
        }
    }

    /// A token that was verified, and could be read, before it was stored.
    pub(super) fn stored(token: Secret) -> Self {
        Self {
            token,
            claims: OnceLock::new(),
        }
    }

    /// The claims of the token.
    pub fn claims(&self) -> &IdTokenClaims {
        self.claims_to_share()
    }

    /// The claims of the token, shared.
    pub(super) fn shared_claims(&self) -> Arc<IdTokenClaims> {
        Arc::clone(self.claims_to_share())
    }

    fn claims_to_share(&self) -> &Arc<IdTokenClaims> {
        self.claims.get_or_init(|| {
            let claims = read(&self.token);
            // No storage writes a session whose claims cannot be read.
            let claims = claims.unwrap_or_else(|_| IdTokenClaims::unreadable(&self.token));
            Arc::new(claims)
        })
    }

    /// Whether the claims can be read.
    pub(super) fn is_readable(&self) -> bool {
        read(&self.token).is_ok()
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
        let mut claims = self.claims().to_map();
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

fn read(token: &Secret) -> Result<IdTokenClaims, UnreadableSession> {
    let payload = jwt::unverified_payload(token.expose()).map_err(|_| UnreadableSession)?;
    let claims = payload.members().map_err(|_| UnreadableSession)?;
    IdTokenClaims::from_members(claims).map_err(|_| UnreadableSession)
}

/// The claims are those of the token.
impl PartialEq for VerifiedIdToken {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
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
            .field("claims", self.claims())
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
        let claims = read(&token)?;
        Ok(Self::new(token, claims))
    }
}

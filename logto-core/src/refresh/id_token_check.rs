//! Checking the ID token that comes with a refresh.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::{
    claims::IdTokenClaims, config::LogtoConfig, error::TokenError, id_token::IdTokenVerification,
    jwt::KeySet, secret::Secret, session::VerifiedIdToken, time::UnixTime,
};

/// An ID token from a refresh, and the claims that it must continue ([OpenID Connect Core
/// 12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)): the same user of the
/// same provider.
#[derive(Clone)]
pub struct IdTokenCheck {
    pub(super) config: LogtoConfig,
    pub(super) issuer: String,
    pub(super) previous: Arc<IdTokenClaims>,
    pub(super) id_token: Secret,
    pub(super) access_token: Option<Secret>,
}

impl IdTokenCheck {
    /// Checks the token with `keys` at `now`.
    ///
    /// # Errors
    /// The first check that fails. If the key is unknown, fetch a newer key set and try again.
    pub fn verify(&self, keys: &KeySet, now: UnixTime) -> Result<VerifiedIdToken, TokenError> {
        let access_token = self.access_token.as_ref().map(Secret::expose);
        let claims = IdTokenVerification::new(&self.issuer, self.config.app_id())
            .clock_skew(self.config.clock_skew())
            .trusted_audiences(self.config.trusted_audiences())
            .previous(&*self.previous)
            .access_token(access_token)
            .verify(self.id_token.expose(), keys, now)?;
        Ok(VerifiedIdToken::new(self.id_token.clone(), claims))
    }
}

/// Leaves out what all checks of one session have in common.
impl Hash for IdTokenCheck {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.id_token, &self.access_token).hash(state);
    }
}

impl fmt::Debug for IdTokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenCheck")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

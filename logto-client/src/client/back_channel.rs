//! Hearing from the provider that a user has signed out elsewhere.

use logto_core::{
    error::TokenError,
    logout_token::{self, LogoutToken, LogoutTokenVerification},
};

use super::LogtoClient;
use crate::{error::Error, storage::SessionOwner};

impl LogtoClient {
    /// Ends the sessions that a back-channel logout token names
    /// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)):
    /// in the storage, and by name in this process, which reaches sessions in cookies too. `form` is the
    /// body of the request.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a token that is refused, or was used before; trouble with the provider's
    /// keys or with the storage is transient, and the provider should hear 503.
    pub async fn back_channel_logout(&self, form: &[u8]) -> Result<LogoutToken, Error> {
        let provider = &self.inner.provider;
        let token = logout_token::from_form(form)?;
        let config = &provider.config;
        let verification = LogoutTokenVerification::new(config.issuer(), config.app_id())
            .clock_skew(config.clock_skew());
        let verified = provider
            .verify(
                |keys, now| verification.verify(token.expose(), keys, now),
                TokenError::is_key_not_found,
            )
            .await??;
        let now = provider.now();
        if !self.inner.common.logout_tokens.insert(
            verified.jti.clone(),
            (),
            verified.remember_until,
            now,
        ) {
            return Err(TokenError::AlreadyUsed.into());
        }
        let whose = match (&verified.sid, &verified.sub) {
            (Some(sid), _) => SessionOwner::ProviderSession(sid.clone()),
            (None, sub) => SessionOwner::Subject(sub.clone().unwrap_or_default()),
        };
        if let Err(error) = self.inner.refresher.log_out(whose, verified.iat).await {
            // The provider may send it again.
            self.inner.common.logout_tokens.remove(&verified.jti);
            return Err(error);
        }
        Ok(verified)
    }
}

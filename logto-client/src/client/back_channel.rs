//! Hearing from the provider that a user has signed out elsewhere, or may not go on.

use logto_core::{
    error::TokenError,
    logout_token::{self, LogoutToken, LogoutTokenVerification},
    webhook::AccountChange,
};

use super::LogtoClient;
use crate::{error::Error, event::Event, storage::Logout};

impl LogtoClient {
    /// Ends all sessions of a user who was suspended or deleted or whose password changed, as a webhook
    /// says: those that began until then. Logto sends no back-channel logout for these. Returns how many
    /// the storage knew. It reaches what [`back_channel_logout`](Self::back_channel_logout) reaches.
    ///
    /// # Errors
    /// A failure of the storage, which is transient: repeating the call does no harm.
    pub async fn end_sessions_of(&self, change: &AccountChange) -> Result<Option<u64>, Error> {
        let logout = Logout {
            sid: None,
            sub: Some(change.sub().to_owned()),
            at: change.at(),
        };
        self.log_out(&logout).await
    }

    async fn log_out(&self, logout: &Logout) -> Result<Option<u64>, Error> {
        let refresher = &self.inner.refresher;
        let removed = refresher.log_out(logout).await?;
        if !refresher.remembers_ends() {
            self.observer().on_event(&Event::LogoutNotShared);
        }
        Ok(removed)
    }

    /// Ends the sessions that a back-channel logout token names
    /// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)):
    /// in the storage, and by name in this process, which reaches sessions in cookies too. `form` is the
    /// body of the request.
    ///
    /// Where sessions are in cookies and no ledger is shared, other processes do not hear of it, and a restart
    /// forgets it: the copies of the cookies open again. [`Event::LogoutNotShared`] says so each time.
    ///
    /// Only times of the provider are compared: a session ends if it [began](logto_core::Session::began_at)
    /// until the token was issued. Where token and session both name the session at the provider, that
    /// decides instead. A token is accepted once in all processes that share a storage or a ledger.
    ///
    /// A code that was issued before a logout by `sub` alone, and is redeemed after it, begins a session that
    /// remains valid: its ID token is newer than the logout.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a token that is refused, or was used before. A failure to fetch the
    /// provider's keys, or of the storage, is transient: respond with 503, so that the provider tries again.
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
        let (now, until) = (provider.now(), verified.remember_until);
        let used = &self.inner.common.logout_tokens;
        if used.get(&verified.jti, now).is_some() {
            return Err(TokenError::AlreadyUsed.into());
        }
        let logout = Logout {
            sid: verified.sid.clone(),
            sub: verified.sub.clone(),
            at: verified.iat,
        };
        // The token counts as used only when its sessions have ended: after a failure the provider may send
        // it again, and ending them twice does no harm.
        self.log_out(&logout).await?;
        let ttl = until.since(now);
        let refresher = &self.inner.refresher;
        let is_first = refresher.is_first_use(&verified.jti, ttl).await?;
        if used.insert(verified.jti.clone(), (), until, now) && is_first {
            Ok(verified)
        } else {
            Err(TokenError::AlreadyUsed.into())
        }
    }
}

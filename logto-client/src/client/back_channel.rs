//! Notifications from Logto: a user has signed out elsewhere, or was suspended or deleted.

use logto_core::{
    error::TokenError,
    logout_token::{self, LogoutToken, LogoutTokenVerification},
    webhook::AccountChange,
};

use super::LogtoClient;
use crate::{error::Error, event::Event, storage::Logout};

impl LogtoClient {
    /// Ends the sessions of a user who was suspended or deleted or whose password changed, as reported by a
    /// webhook, if they began before that. Logto sends no back-channel logout for these events. Returns how
    /// many the storage knew. It reaches the same sessions as
    /// [`back_channel_logout`](Self::back_channel_logout).
    ///
    /// # Errors
    /// If the storage fails, which is transient: the call can be repeated.
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

    /// Ends the sessions that a back-channel logout token names ([OpenID Connect Back-Channel Logout
    /// 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)): in the storage, and by user and
    /// session id in this process, which includes sessions in cookies. `form` is the body of the request.
    ///
    /// Where sessions are in cookies and no ledger is shared, other processes do not receive it, and a restart
    /// forgets it: copies of the cookies open again. [`Event::LogoutNotShared`] reports each such logout.
    ///
    /// Only times of the provider are compared: a session ends if it [began](logto_core::Session::began_at)
    /// until the token was issued. Where token and session both name the session at the provider, that
    /// decides instead. A token is accepted once in all processes that share a storage or a ledger.
    ///
    /// A code that was issued before a logout by `sub` alone, and is redeemed after it, begins a session that
    /// remains valid: its ID token is newer than the logout.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a token that is refused or was used before. A failure of the storage, or to
    /// fetch the provider's keys, is transient: respond with 503, so that the provider tries again.
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
        let used = &self.inner.shared.logout_tokens;
        if used.get(&verified.jti, now).is_some() {
            return Err(TokenError::AlreadyUsed.into());
        }
        let logout = Logout {
            sid: verified.sid.clone(),
            sub: verified.sub.clone(),
            at: verified.iat,
        };
        // The token counts as used only when its sessions have ended: after a failure, the provider may send it
        // again. Ending a session twice does no harm.
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

//! Pending sign-ins in sealed cookies, one for each.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use logto_core::{
    LogtoConfig, UnixTime,
    sign_in::{Callback, PendingSignIn},
};

use super::cookies::{CookieCodec, CookieError, PendingId, RequestCookies};
use crate::{
    entropy::Entropy,
    seal::{KeyRing, Purpose, SealContext, SealError},
};

/// Seals pending sign-ins into cookies and finds them again.
#[derive(Debug)]
pub(super) struct PendingCookies<'a> {
    pub(super) codec: &'a CookieCodec,
    pub(super) keys: &'a KeyRing,
    pub(super) config: &'a LogtoConfig,
}

/// A pending sign-in that cannot be given to the browser.
#[derive(Debug, thiserror::Error)]
pub(super) enum PendingError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Cookie(#[from] CookieError),
    #[error("the pending sign-in cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl PendingCookies<'_> {
    /// The `Set-Cookie` values that keep `pending` in this browser, beside its other ones.
    pub(super) fn keep(
        &self,
        request_cookies: &RequestCookies<'_>,
        pending: &PendingSignIn,
        entropy: &dyn Entropy,
    ) -> Result<Vec<HeaderValue>, PendingError> {
        let plaintext = serde_json::to_vec(pending)?;
        let sealed = self.keys.seal(&self.context(), &plaintext, entropy)?;
        let id = PendingId::of_state(pending.state().expose());
        let began = |value: &str| self.open(value).map(|pending| pending.created_at());
        let value = URL_SAFE_NO_PAD.encode(sealed);
        Ok(self
            .codec
            .write_pending(request_cookies, &id, &value, began)?)
    }

    /// The pending sign-in that the callback belongs to, with the `Set-Cookie` values that delete it.
    /// Others are left alone.
    pub(super) fn take(
        &self,
        request_cookies: &RequestCookies<'_>,
        callback: &Callback,
        now: UnixTime,
    ) -> (Option<PendingSignIn>, Vec<HeaderValue>) {
        let Some(state) = callback.state() else {
            return (None, Vec::new());
        };
        let id = PendingId::of_state(state);
        let pending = request_cookies
            .pending(&id)
            .into_iter()
            .filter_map(|value| self.open(value))
            .find(|pending| pending.matches(callback) && now < pending.expires_at());
        (pending, self.codec.clear_pending(request_cookies, &id))
    }

    fn open(&self, value: &str) -> Option<PendingSignIn> {
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let plaintext = self.keys.open(&self.context(), &sealed)?;
        serde_json::from_slice(&plaintext).ok()
    }

    fn context(&self) -> SealContext<'_> {
        SealContext {
            purpose: Purpose::PendingSignIn,
            name: self.codec.name(),
            issuer: self.config.issuer(),
            app_id: self.config.app_id(),
        }
    }
}

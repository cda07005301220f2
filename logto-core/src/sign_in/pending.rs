//! A sign-in between its start and its callback.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Callback, ResumedSignIn, ReturnTo, SignIn,
    complete::{Expected, State},
};
use crate::{
    config::LogtoConfig, error::CallbackError, grants::RedeemCode, metadata::ProviderMetadata,
    secret::Secret, session::SessionId, time::UnixTime,
};

/// The state of a sign-in between its start and its callback.
///
/// It contains the secrets that bind the callback to this browser: keep it sealed, and bind it to the browser
/// that started the sign-in. A browser can have several, one for each tab; [`matches`](Self::matches) finds the
/// right one. It expires after an hour, as long as Logto waits for the user.
///
/// [`resume`](Self::resume) consumes it. Keep a copy until the result of the sign-in is known: an
/// [`IncompleteSignIn`](super::IncompleteSignIn) contains whether the same callback can be tried again. It also
/// contains the [`SignIn`] without what is valid for one use, to start the same sign-in again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingSignIn {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: Url,
    pub(super) state: Secret,
    pub(super) nonce: Secret,
    pub(super) code_verifier: Secret,
    pub(super) session_id: SessionId,
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) return_to: ReturnTo,
    /// What the application requested, to check the tokens and to start again.
    pub(super) sign_in: SignIn,
    pub(super) created_at: UnixTime,
}

impl PendingSignIn {
    /// How long a sign-in can take.
    pub const LIFETIME: Duration = Duration::from_secs(3600);

    /// The `state`, to find this pending sign-in at the callback.
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// When the sign-in was started.
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// After this time the callback is refused.
    pub fn expires_at(&self) -> UnixTime {
        self.created_at.plus(Self::LIFETIME)
    }

    /// Where the user wanted to go.
    pub fn return_to(&self) -> &ReturnTo {
        &self.return_to
    }

    /// The sign-in to start instead of this one if its code may be spent; `None` if this one was started
    /// again already. See [`SignIn::again`].
    pub fn again(&self) -> Option<SignIn> {
        let again = self.sign_in.again()?;
        Some(again.return_to(self.return_to.as_str()))
    }

    /// Whether the callback has the `state` of this sign-in, compared in constant time.
    pub fn matches(&self, callback: &Callback) -> bool {
        callback
            .state
            .as_deref()
            .is_some_and(|state| self.state == Secret::from(state))
    }

    /// Verifies the callback and consumes the pending sign-in.
    ///
    /// Once `state` has matched, delete the pending sign-in if this fails: a refused callback stays refused. The checks are, in this order: `state`; age; the redirect URI, if the callback knows its own;
    /// `iss` ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)), also for errors; and then the provider's
    /// error. The order matters: an attacker who does not know `state` learns nothing and ends nothing.
    ///
    /// A callback cannot be accepted twice:
    ///
    /// ```compile_fail,E0382
    /// # use logto_core::{config::LogtoConfig, metadata::ProviderMetadata, sign_in::*, UnixTime};
    /// # fn twice(pending: PendingSignIn, config: &LogtoConfig, metadata: &ProviderMetadata, now: UnixTime) {
    /// let query = "code=abc&state=xyz";
    /// let first = pending.resume(Callback::from_query(query).unwrap(), config, metadata, now);
    /// let second = pending.resume(Callback::from_query(query).unwrap(), config, metadata, now);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallbackError`]. Nothing was sent to the provider.
    pub fn resume(
        mut self,
        callback: Callback,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        now: UnixTime,
    ) -> Result<ResumedSignIn, CallbackError> {
        if callback.state.is_none() {
            return Err(CallbackError::MissingState);
        }
        if !self.matches(&callback) {
            return Err(CallbackError::StateMismatch);
        }
        if now >= self.expires_at() || now < self.created_at.minus(config.clock_skew()) {
            return Err(CallbackError::Expired);
        }
        if callback
            .uri
            .as_ref()
            .is_some_and(|uri| !same_address(uri, &self.redirect_uri))
        {
            return Err(CallbackError::RedirectUriMismatch);
        }
        self.check_issuer(&callback, config, metadata)?;
        if let Some(error) = callback.error {
            return Err(CallbackError::Server(error));
        }
        // Checked again: the application's URL may have changed since the sign-in started.
        self.return_to = match config.base_url() {
            Some(base_url) => ReturnTo::within(base_url, self.return_to.as_str()),
            None => self.return_to,
        };
        let redeem = RedeemCode::new(
            config,
            metadata,
            callback.code.ok_or(CallbackError::MissingCode)?,
            self.code_verifier,
            self.redirect_uri,
            self.scopes.iter().cloned().collect(),
            now,
        );
        Ok(ResumedSignIn {
            state: State::Redeem(redeem),
            expected: Expected {
                issuer: self.issuer,
                client_id: self.client_id,
                nonce: Some(self.nonce),
                max_age: self.sign_in.max_age,
                acr_values: self.sign_in.acr_values,
                session_id: self.session_id,
                scopes: self.scopes,
                resources: self.resources,
            },
            return_to: self.return_to,
            app_state: self.sign_in.app_state,
        })
    }

    /// The code is sent only to the provider that the sign-in was started with. Otherwise an attacker's
    /// provider could collect codes of another one (mix-up).
    fn check_issuer(
        &self,
        callback: &Callback,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
    ) -> Result<(), CallbackError> {
        let same_provider = self.issuer == metadata.issuer()
            && self.issuer == config.issuer()
            && self.client_id == config.app_id();
        match callback.iss.as_deref() {
            Some(iss) if iss != self.issuer => Err(CallbackError::IssuerMismatch),
            None if metadata.sends_issuer_in_callback() => Err(CallbackError::MissingIssuer),
            _ if !same_provider => Err(CallbackError::IssuerMismatch),
            _ => Ok(()),
        }
    }
}

/// Equal except for the query, which contains the response.
fn same_address(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
        && one.path() == other.path()
        && one.username().is_empty()
        && one.password().is_none()
}

impl fmt::Debug for PendingSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSignIn")
            .field("issuer", &self.issuer)
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("return_to", &self.return_to)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

//! How an application authenticates.

use std::time::SystemTime;

use serde_json::Value;

use super::app::{App, AppAuthentication, AppSecret};
use crate::clock::Moment;

impl App {
    /// Adds a secret: while an application rolls over to a new one, both are accepted.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(AppSecret::new(secret.into()));
        self
    }

    /// Adds a secret that expires: from then on it is refused with `invalid_request`.
    #[must_use]
    pub fn secret_until(mut self, secret: impl Into<String>, end: SystemTime) -> Self {
        self.secrets.push(AppSecret {
            value: secret.into(),
            ends_at: Some(Moment::from(end)),
        });
        self
    }

    /// Registers `client_secret_jwt`
    /// ([OpenID Connect Core 1.0 section 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication)):
    /// the application signs assertions with its secret and HS256, and no longer sends the secret itself.
    #[must_use]
    pub fn client_secret_jwt(mut self) -> Self {
        self.authentication = AppAuthentication::SecretJwt;
        self
    }

    /// Registers `private_key_jwt` ([OpenID Connect Core 1.0 section
    /// 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication)) and a public key, a
    /// JWK on P-256 or Ed25519 or of RSA: the application signs assertions with the private half and ES256,
    /// EdDSA, RS256 or PS256, and its secret is not accepted. Several keys may be registered.
    #[must_use]
    pub fn private_key_jwt(mut self, public_key: impl Into<Value>) -> Self {
        self.authentication = AppAuthentication::PrivateKeyJwt;
        self.public_keys.push(public_key.into());
        self
    }

    pub(crate) fn is_public(&self) -> bool {
        self.authentication == AppAuthentication::None
    }

    pub(crate) fn live_secrets(&self, now: Moment) -> impl Iterator<Item = &str> {
        self.secrets
            .iter()
            .filter(move |secret| secret.ends_at.is_none_or(|end| now < end))
            .map(|secret| secret.value.as_str())
    }
}

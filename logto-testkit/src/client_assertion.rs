//! Client assertions (RFC 7523 section 3): what `client_secret_jwt` and `private_key_jwt` prove with.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{clock::Moment, public_key::PublicKey};

/// The only `client_assertion_type` there is (RFC 7523 section 2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// By so much the clocks of a client and of Logto may differ.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(15);

/// A JWT that was taken apart and not believed yet.
pub(crate) struct Assertion {
    header: Value,
    claims: Value,
    /// Header and payload as they were signed.
    message: String,
    signature: Vec<u8>,
}

impl Assertion {
    pub(crate) fn decode(jwt: &str) -> Option<Self> {
        let (message, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            message: message.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Who it says it is from.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.claims.get("sub")?.as_str()
    }

    /// Which of the client's assertions it is.
    pub(crate) fn id(&self) -> Option<&str> {
        self.claims.get("jti")?.as_str()
    }

    /// The moment from which on it is refused; `None` when it names none.
    pub(crate) fn ends_at(&self) -> Option<Moment> {
        let exp = self.claims.get("exp")?.as_u64()?;
        Some(Moment::at_unix_seconds(exp).plus(CLOCK_TOLERANCE))
    }

    /// Whether the claims are those of this client, for one of these audiences, now.
    pub(crate) fn is_for(&self, client_id: &str, audiences: &[String], now: Moment) -> bool {
        let is_ours = |aud: &Value| audiences.iter().any(|ours| aud == ours.as_str());
        let audience = match self.claims.get("aud") {
            Some(Value::Array(several)) => several.iter().any(is_ours),
            Some(single) => is_ours(single),
            None => false,
        };
        let issuer = self.claims.get("iss").and_then(Value::as_str);
        audience
            && issuer == Some(client_id)
            && self.ends_at().is_some_and(|end| now < end)
            && self.has_begun(now)
    }

    /// Whether the secret made it, with HS256.
    pub(crate) fn is_signed_with_secret(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        self.algorithm() == Some("HS256")
            && hmac::verify(&key, self.message.as_bytes(), &self.signature).is_ok()
    }

    /// Whether the private half of the key made it.
    pub(crate) fn is_signed_with(&self, key: &PublicKey) -> bool {
        let kid = self.header.get("kid").and_then(Value::as_str);
        self.algorithm()
            .is_some_and(|alg| key.verifies(alg, kid, self.message.as_bytes(), &self.signature))
    }

    fn algorithm(&self) -> Option<&str> {
        self.header.get("alg")?.as_str()
    }

    fn has_begun(&self, now: Moment) -> bool {
        self.claims.get("nbf").is_none_or(|nbf| {
            nbf.as_u64()
                .is_some_and(|nbf| Moment::at_unix_seconds(nbf) <= now.plus(CLOCK_TOLERANCE))
        })
    }
}

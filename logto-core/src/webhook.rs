//! Webhooks: whether a request really comes from Logto
//! ([Logto's guide](https://docs.logto.io/developers/webhooks/secure-webhooks)).

use hmac::{Hmac, Mac};
use http::HeaderMap;
use sha2::Sha256;

use crate::secret::Secret;

/// The header with the signature: the HMAC-SHA256 of the body, in hexadecimal digits.
const SIGNATURE_HEADER: &str = "logto-signature-sha-256";

/// Why a webhook request is refused. Answer 401 and do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// No signature, or several.
    #[error("the request does not have exactly one `{SIGNATURE_HEADER}` header")]
    Header,
    /// Not a signature of this body with this key.
    #[error("the signature is wrong")]
    Signature,
}

/// Checks that the signature in `headers` is that of `body` with the webhook's signing key.
///
/// `body` are the bytes as they arrived: JSON that was read and written again is other bytes. A
/// signature does not say when it was made, so a request can be repeated by whoever saw it: handle
/// the same event twice as you would once.
///
/// # Errors
/// [`WebhookError`]
pub fn verify(signing_key: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(WebhookError::Header);
    };
    // Anybody can sign with a key that was forgotten in the configuration.
    if signing_key.expose().is_empty() {
        return Err(WebhookError::Signature);
    }
    let signature = from_hex(value.as_bytes()).ok_or(WebhookError::Signature)?;
    let mut hmac = Hmac::<Sha256>::new_from_slice(signing_key.expose().as_bytes())
        .map_err(|_| WebhookError::Signature)?;
    hmac.update(body);
    // Compares in constant time.
    hmac.verify_slice(&signature)
        .map_err(|_| WebhookError::Signature)
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(value(high)? * 16 + value(low)?).ok(),
            _ => None,
        })
        .collect()
}

//! Webhooks: verifying that a request comes from Logto
//! ([Logto's guide](https://docs.logto.io/developers/webhooks/secure-webhooks)).

use hmac::{Hmac, Mac};
use http::HeaderMap;
use sha2::Sha256;

use crate::secret::Secret;

/// The header with the signature: the HMAC-SHA256 of the body, in hexadecimal digits.
const SIGNATURE_HEADER: &str = "logto-signature-sha-256";

/// Why a webhook request is refused. Respond with 401 and do nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is no signature, or there are several.
    #[error("the request does not have exactly one `{SIGNATURE_HEADER}` header")]
    Header,
    /// The signature does not match this body and key.
    #[error("the signature is wrong")]
    Signature,
}

/// Verifies that the signature in `headers` was made for `body` with the webhook's signing key.
///
/// `body` must be the bytes as received: JSON that was parsed and serialized again differs. A signature
/// contains no time, so anybody who saw a request can repeat it: make handling an event twice harmless.
///
/// # Errors
/// [`WebhookError`]
pub fn verify(signing_key: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(WebhookError::Header);
    };
    // Anybody can sign with an empty key, which a configuration may contain by mistake.
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

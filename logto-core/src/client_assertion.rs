//! Client assertions ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)): `client_secret_jwt` and
//! `private_key_jwt`.
//!
//! An assertion proves who the application is without sending a secret.
//! [`authenticate`](crate::client_authentication::authenticate) adds one to a request.

#[cfg(feature = "aws-lc")]
mod aws_lc;

use std::{fmt, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

#[cfg(feature = "aws-lc")]
pub use self::aws_lc::{AwsLcSigner, PrivateKeyError};
use crate::{error::SigningError, jwt::Algorithm, secret::Secret, time::UnixTime};

/// Lifetime of an assertion: covers the transfer and a small difference between the clocks.
const LIFETIME: Duration = Duration::from_secs(60);

/// Distinguishes assertions from every other kind of token
/// ([RFC 8725 section 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
const TYPE: &str = "client-authentication+jwt";

/// A private key that signs client assertions
/// ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)).
///
/// `AwsLcSigner` (feature `aws-lc`) is built in. For a key in a hardware security module, implement these
/// three methods.
pub trait ClientAssertionSigner: fmt::Debug + Send + Sync {
    /// The algorithm of the signatures. Logto accepts ES256, RS256, PS256 and EdDSA.
    fn algorithm(&self) -> Algorithm;

    /// The id by which the provider finds the public key (`kid`). Required if the provider knows several keys
    /// of this application.
    fn key_id(&self) -> Option<&str>;

    /// The signature of `message` in the form of
    /// [RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3). For ECDSA that is the two
    /// numbers concatenated, not ASN.1.
    ///
    /// # Errors
    /// The key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError>;
}

/// The audience is the issuer, by which every provider identifies itself
/// ([RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).
pub(crate) fn claims(client_id: &str, issuer: &str, now: UnixTime, random: &[u8; 16]) -> Value {
    json!({
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": URL_SAFE_NO_PAD.encode_to_string(random),
        "iat": now.as_secs(),
        "exp": now.plus(LIFETIME).as_secs(),
    })
}

/// HS256, the only symmetric algorithm in this crate. It signs assertions and verifies nothing.
pub(crate) fn with_secret(claims: &Value, secret: &Secret) -> Result<String, SigningError> {
    let message = message("HS256", None, claims);
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|error| SigningError(error.to_string()))?;
    hmac.update(message.as_bytes());
    Ok(signed(message, &hmac.finalize().into_bytes()))
}

pub(crate) fn with_private_key(
    claims: &Value,
    signer: &dyn ClientAssertionSigner,
) -> Result<String, SigningError> {
    let message = message(signer.algorithm().name(), signer.key_id(), claims);
    let signature = signer.sign(message.as_bytes())?;
    Ok(signed(message, &signature))
}

/// The signing input: header and payload
/// ([RFC 7515 section 5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)).
fn message(algorithm: &str, key_id: Option<&str>, claims: &Value) -> String {
    let mut header = Map::from_iter([
        ("alg".to_owned(), algorithm.into()),
        ("typ".to_owned(), TYPE.into()),
    ]);
    header.extend(key_id.map(|kid| ("kid".to_owned(), kid.into())));
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode_to_string(json.to_string());
    format!("{}.{}", encode(&Value::Object(header)), encode(claims))
}

fn signed(message: String, signature: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

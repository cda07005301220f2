//! Client assertions ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)): `client_secret_jwt` and
//! `private_key_jwt`.
//!
//! An assertion names the moment it was made and is good once, so it is no part of an
//! [`Exchange`](crate::Exchange), whose request is the same every time: [`authenticate`] adds it to
//! each request right before that is sent.

#[cfg(feature = "aws-lc")]
mod aws_lc;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::Sha256;

#[cfg(feature = "aws-lc")]
pub use self::aws_lc::{AwsLcSigner, PrivateKeyError};
use crate::{
    config::{ClientAssertionSigner, ClientAuthentication, LogtoConfig, SigningError},
    error::{OAuthErrorCode, UsageError},
    json, oauth,
    secret::Secret,
    time::UnixTime,
};

/// How long an assertion is good: long enough for the way and for clocks that disagree a little.
pub const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);

/// Sets apart from every other kind of token
/// ([RFC 8725 section 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
const TYPE: &str = "client-authentication+jwt";

/// Proves to the provider who sends `request`, as configured, at `now`.
///
/// Call it for every request right before it is sent, also when one is sent again, with fresh random
/// bytes for the assertion's `jti`. A request in which no client has to prove itself comes back as it
/// was, and so does one with `client_secret_basic`, `client_secret_post` or no secret, which is
/// complete without this. The proof that a request has is replaced, never joined by a second one, so
/// that it can be tried again with
/// [another secret](LogtoConfig::with_client_authentication).
///
/// # Errors
/// [`UsageError::ClientAssertion`] when the private key cannot be used.
pub fn authenticate(
    request: Request<Bytes>,
    config: &LogtoConfig,
    now: UnixTime,
    random: &[u8; 16],
) -> Result<Request<Bytes>, UsageError> {
    if !oauth::is_from_client(&request) {
        return Ok(request);
    }
    let authentication = config.client_authentication();
    let assertion = match authentication {
        ClientAuthentication::SecretJwt(secret) => {
            Some(with_secret(&claims(config, now, random), secret)?)
        }
        ClientAuthentication::PrivateKeyJwt(signer) => {
            Some(with_private_key(&claims(config, now, random), &**signer)?)
        }
        _ => None,
    };
    Ok(oauth::authenticated(
        request,
        config.app_id(),
        authentication,
        assertion.as_deref(),
    ))
}

/// Whether the provider refused the proof of who the client is (`invalid_client`). It did nothing else
/// with the request then, so the request may be sent again with
/// [another proof](LogtoConfig::with_client_authentication).
pub fn is_refused(response: &Response<Bytes>) -> bool {
    matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST
    ) && json::parse_object(response.body()).is_ok_and(|body| {
        let error = body.get("error").and_then(Value::as_str);
        error == Some(OAuthErrorCode::InvalidClient.as_str())
    })
}

/// The audience is the issuer, which every provider knows itself by
/// ([RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).
fn claims(config: &LogtoConfig, now: UnixTime, random: &[u8; 16]) -> Value {
    json!({
        "iss": config.app_id(),
        "sub": config.app_id(),
        "aud": config.issuer(),
        "jti": BASE64_URL_SAFE_NO_PAD.encode(random),
        "iat": now.as_secs(),
        "exp": now.plus(ASSERTION_LIFETIME).as_secs(),
    })
}

/// HS256, the only symmetric algorithm in this crate: it makes assertions and checks none.
fn with_secret(claims: &Value, secret: &Secret) -> Result<String, SigningError> {
    let message = message("HS256", None, claims);
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|error| SigningError(error.to_string()))?;
    hmac.update(message.as_bytes());
    Ok(signed(message, &hmac.finalize().into_bytes()))
}

fn with_private_key(
    claims: &Value,
    signer: &dyn ClientAssertionSigner,
) -> Result<String, SigningError> {
    let message = message(signer.algorithm().name(), signer.key_id(), claims);
    let signature = signer.sign(message.as_bytes())?;
    Ok(signed(message, &signature))
}

/// Header and payload as they are signed
/// ([RFC 7515 section 5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)).
fn message(algorithm: &str, key_id: Option<&str>, claims: &Value) -> String {
    let mut header = Map::from_iter([
        ("alg".to_owned(), algorithm.into()),
        ("typ".to_owned(), TYPE.into()),
    ]);
    header.extend(key_id.map(|kid| ("kid".to_owned(), kid.into())));
    let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", encode(&Value::Object(header)), encode(claims))
}

fn signed(message: String, signature: &[u8]) -> String {
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

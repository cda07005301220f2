//! Client authentication: `client_secret_basic`, `client_secret_post` and `none`.

use http::StatusCode;

use crate::{
    error::{OAuthError, Outcome},
    model::{App, Tenant},
    request::{Incoming, Params},
};

/// The application that sent the request.
pub(crate) fn authenticate(
    tenant: &Tenant,
    issuer: &str,
    request: &Incoming,
    form: &Params,
) -> Outcome<App> {
    let claimed = match request.basic() {
        Some(basic) => from_basic(basic, form)?,
        None => Credentials {
            id: form
                .get("client_id")
                .ok_or_else(|| {
                    OAuthError::invalid_request("no client authentication mechanism provided")
                })?
                .to_owned(),
            secret: form.get("client_secret").map(str::to_owned),
            challenge: None,
        },
    };
    let app = tenant
        .apps
        .get(&claimed.id)
        .ok_or_else(|| unknown(&claimed.id))?;
    if app.secret == claimed.secret {
        return Ok(app.clone());
    }
    Err(OAuthError {
        status: StatusCode::UNAUTHORIZED,
        challenge: claimed.challenge.map(|scheme| {
            format!(
                r#"{scheme} realm="{issuer}", error="invalid_client", error_description="client authentication failed""#
            )
        }),
        ..OAuthError::new("invalid_client", "client authentication failed")
    })
}

pub(crate) fn unknown(client_id: &str) -> OAuthError {
    OAuthError::new("invalid_client", format!("invalid client {client_id}"))
}

struct Credentials {
    id: String,
    secret: Option<String>,
    /// The scheme that a refusal challenges with: the one the client used.
    challenge: Option<&'static str>,
}

fn from_basic(basic: Result<(String, String), ()>, form: &Params) -> Outcome<Credentials> {
    let (id, secret) = basic
        .map_err(|()| OAuthError::invalid_request("invalid authorization header value format"))?;
    let decoded = form_decode(&id).zip(form_decode(&secret));
    let (id, secret) = decoded.ok_or_else(|| {
        OAuthError::invalid_request(
            "client_id and client_secret in the authorization header are not properly encoded",
        )
    })?;
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(OAuthError::invalid_request(
            "mismatch in body and authorization client ids",
        ));
    }
    if form.get("client_secret").is_some() {
        return Err(OAuthError::invalid_request(
            "client authentication must only be provided using one mechanism",
        ));
    }
    Ok(Credentials {
        id,
        secret: Some(secret),
        challenge: Some("Basic"),
    })
}

/// Undoes the form encoding that RFC 6749 section 2.3.1 asks for, and refuses what is not encoded.
fn form_decode(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::form_decode;

    #[test]
    fn form_decoding_is_strict() {
        assert_eq!(
            form_decode("s3cr3t%2B%2F+%3A%25").as_deref(),
            Some("s3cr3t+/ :%")
        );
        for raw in ["100%", "%zz", "%4", "%ff"] {
            assert_eq!(form_decode(raw), None, "{raw}");
        }
    }
}

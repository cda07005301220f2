//! Client authentication: `client_secret_basic`, `client_secret_post`, `client_secret_jwt`,
//! `private_key_jwt` and `none`.

use http::StatusCode;

use crate::{
    client_assertion::{self, Assertion},
    clock::Moment,
    context::Context,
    error::{OAuthError, Outcome},
    model::{App, AppAuthentication},
    public_key::PublicKey,
    request::{Incoming, Params},
};

/// The application that sent the request.
pub(crate) fn authenticate(
    cx: &mut Context<'_>,
    request: &Incoming,
    form: &Params,
) -> Outcome<App> {
    let credentials = Credentials::read(request, form)?;
    let app = cx.state.tenant.apps.get(&credentials.id);
    let app = app.ok_or_else(|| unknown(&credentials.id))?.clone();
    let proven = match (&app.authentication, &credentials.proof) {
        (AppAuthentication::None, Proof::None) => true,
        (AppAuthentication::Secret, Proof::Secret(secret)) => is_secret(&app, secret, cx.now)?,
        (AppAuthentication::SecretJwt, Proof::Assertion(assertion)) => {
            let mut secrets = app.live_secrets(cx.now);
            secrets.any(|secret| assertion.is_signed_with_secret(secret))
                && is_fresh(cx, &app, request, assertion)
        }
        (AppAuthentication::PrivateKeyJwt, Proof::Assertion(assertion)) => {
            let mut keys = app.public_keys.iter().filter_map(PublicKey::from_jwk);
            keys.any(|key| assertion.is_signed_with(&key)) && is_fresh(cx, &app, request, assertion)
        }
        _ => false,
    };
    if proven {
        return Ok(app);
    }
    Err(refusal(cx.issuer(), credentials.challenge))
}

pub(crate) fn unknown(client_id: &str) -> OAuthError {
    OAuthError::new("invalid_client", format!("invalid client {client_id}"))
}

fn refusal(issuer: &str, challenge: Option<&'static str>) -> OAuthError {
    OAuthError {
        status: StatusCode::UNAUTHORIZED,
        challenge: challenge.map(|scheme| {
            format!(
                r#"{scheme} realm="{issuer}", error="invalid_client", error_description="client authentication failed""#
            )
        }),
        ..OAuthError::new("invalid_client", "client authentication failed")
    }
}

/// Any of several secrets is as good as the other; one past its end is named as such.
fn is_secret(app: &App, secret: &str, now: Moment) -> Outcome<bool> {
    if app.live_secrets(now).any(|live| live == secret) {
        return Ok(true);
    }
    if app.secrets.iter().any(|known| known.value == secret) {
        return Err(OAuthError::invalid_request("client secret has expired"));
    }
    Ok(false)
}

/// The claims are right, and nobody has shown this assertion before.
fn is_fresh(cx: &mut Context<'_>, app: &App, request: &Incoming, assertion: &Assertion) -> bool {
    let endpoint = format!("{}{}", cx.addresses.base, request.path);
    let audiences = [
        cx.issuer().to_owned(),
        cx.addresses.oidc("/token"),
        endpoint,
    ];
    if !assertion.is_for(&app.id, &audiences, cx.now) {
        return false;
    }
    let (id, end) = (assertion.id(), assertion.ends_at());
    id.zip(end)
        .is_some_and(|(id, end)| cx.state.store.use_assertion(&app.id, id, end, cx.now))
}

struct Credentials {
    id: String,
    proof: Proof,
    /// The scheme that a refusal challenges with: the one the client used.
    challenge: Option<&'static str>,
}

enum Proof {
    None,
    Secret(String),
    Assertion(Assertion),
}

impl Credentials {
    fn read(request: &Incoming, form: &Params) -> Outcome<Self> {
        let basic = request.basic();
        let secret = form.get("client_secret");
        let assertion = form.get("client_assertion");
        let mechanisms = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if mechanisms.iter().filter(|used| **used).count() > 1 {
            return Err(OAuthError::invalid_request(
                "client authentication must only be provided using one mechanism",
            ));
        }
        if let Some(basic) = basic {
            return from_basic(basic, form);
        }
        if let Some(assertion) = assertion {
            return from_assertion(assertion, form);
        }
        let id = form.get("client_id").ok_or_else(|| {
            OAuthError::invalid_request("no client authentication mechanism provided")
        })?;
        Ok(Self {
            id: id.to_owned(),
            proof: secret.map_or(Proof::None, |secret| Proof::Secret(secret.to_owned())),
            challenge: None,
        })
    }
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
    Ok(Credentials {
        id,
        proof: Proof::Secret(secret),
        challenge: Some("Basic"),
    })
}

fn from_assertion(assertion: &str, form: &Params) -> Outcome<Credentials> {
    let decoded = Assertion::decode(assertion);
    let assertion =
        decoded.ok_or_else(|| OAuthError::invalid_request("invalid client_assertion format"))?;
    // An assertion without a client fails like that of an unknown client, so the issuer needs no name here.
    let id = assertion.subject().ok_or_else(|| refusal("", None))?;
    match form.get("client_assertion_type") {
        None => Err(OAuthError::invalid_request(
            "client_assertion_type must be provided",
        )),
        Some(client_assertion::TYPE) => Ok(()),
        Some(_) => Err(OAuthError::invalid_request(format!(
            "client_assertion_type must have value {}",
            client_assertion::TYPE
        ))),
    }?;
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(OAuthError::invalid_request("client_id mismatch"));
    }
    Ok(Credentials {
        id: id.to_owned(),
        proof: Proof::Assertion(assertion),
        challenge: None,
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

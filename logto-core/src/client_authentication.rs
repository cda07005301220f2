//! Client authentication: proving to the provider which application sends a request
//! ([RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)).
//!
//! Requests with a secret are complete when an [`Exchange`](crate::Exchange) builds them. A signed assertion
//! contains the time and is valid once, while an exchange builds the same request every time.
//! [`authenticate`] therefore adds the assertion right before the request is sent.

use base64_simd::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::{
    client_assertion,
    config::{ClientAuthentication, LogtoConfig},
    error::{OAuthErrorCode, UsageError},
    exchange, json,
    time::UnixTime,
};

/// Adds the configured client authentication to `request`, at `now`.
///
/// Call it right before every request is sent, including repetitions, with fresh random bytes for the
/// assertion's `jti`. Requests that need no client authentication come back unchanged, and so do those with
/// `client_secret_basic`, `client_secret_post` or no secret, which are complete already. An authentication
/// that the request has is replaced, so that the request can be sent again with [another
/// secret](LogtoConfig::with_client_authentication).
///
/// # Errors
/// [`UsageError::ClientAssertion`] if the private key cannot be used.
pub fn authenticate(
    request: Request<Bytes>,
    config: &LogtoConfig,
    now: UnixTime,
    random: &[u8; 16],
) -> Result<Request<Bytes>, UsageError> {
    if request.extensions().get::<FromClient>().is_none() {
        return Ok(request);
    }
    let authentication = config.client_authentication();
    let assertion = match authentication {
        ClientAuthentication::SecretJwt(secret) => Some(client_assertion::with_secret(
            &client_assertion::claims(config.app_id(), config.issuer(), now, random),
            secret,
        )?),
        ClientAuthentication::PrivateKeyJwt(signer) => Some(client_assertion::with_private_key(
            &client_assertion::claims(config.app_id(), config.issuer(), now, random),
            &**signer,
        )?),
        _ => None,
    };
    Ok(authenticated(
        request,
        config.app_id(),
        authentication,
        assertion.as_deref(),
    ))
}

/// Whether the provider refused the client authentication (`invalid_client`). It then did nothing else with
/// the request, which can be sent again with [another secret or
/// key](LogtoConfig::with_client_authentication).
pub fn is_refused(response: &Response<Bytes>) -> bool {
    matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST
    ) && json::parse_object(response.body()).is_ok_and(|body| {
        let error = body.get("error").and_then(Value::as_str);
        error == Some(OAuthErrorCode::InvalidClient.as_str())
    })
}

/// An endpoint that requires client authentication.
#[derive(Clone, Debug)]
pub(crate) struct ClientEndpoint {
    url: Url,
    client_id: String,
    authentication: ClientAuthentication,
}

impl ClientEndpoint {
    /// The endpoint at `url` for the application of `config`.
    pub(crate) fn new(url: &Url, config: &LogtoConfig) -> Self {
        Self {
            url: url.clone(),
            client_id: config.app_id().to_owned(),
            authentication: config.client_authentication().clone(),
        }
    }

    /// A form request. If an assertion is configured, [`authenticated`] adds it.
    pub(crate) fn post(&self, parameters: &[(&str, impl AsRef<str>)]) -> Request<Bytes> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        let mut request = exchange::post_form(&self.url, form.finish());
        request.extensions_mut().insert(FromClient);
        authenticated(request, &self.client_id, &self.authentication, None)
    }
}

/// Marks the requests that require client authentication.
#[derive(Clone, Copy)]
struct FromClient;

/// A form request with exactly one client authentication, whichever it had before.
fn authenticated(
    mut request: Request<Bytes>,
    client_id: &str,
    authentication: &ClientAuthentication,
    assertion: Option<&str>,
) -> Request<Bytes> {
    const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut names_client = false;
    for (name, value) in form_urlencoded::parse(request.body()) {
        if !PROOFS.contains(&&*name) {
            names_client |= name == "client_id";
            form.append_pair(&name, &value);
        }
    }
    request.headers_mut().remove(header::AUTHORIZATION);
    if let ClientAuthentication::Basic(secret) = authentication {
        let value = basic(client_id, secret.expose());
        request.headers_mut().insert(header::AUTHORIZATION, value);
    } else if !names_client {
        form.append_pair("client_id", client_id);
    }
    if let ClientAuthentication::Post(secret) = authentication {
        form.append_pair("client_secret", secret.expose());
    }
    if let Some(assertion) = assertion {
        form.append_pair(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        .append_pair("client_assertion", assertion);
    }
    *request.body_mut() = Bytes::from(form.finish());
    request
}

/// Basic credentials, each part form-encoded first
/// ([RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encode = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    exchange::sensitive(&format!("Basic {}", STANDARD.encode_to_string(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn endpoint(client_id: &str, authentication: ClientAuthentication) -> ClientEndpoint {
        ClientEndpoint {
            url: Url::parse("https://logto.test/oidc/token").unwrap(),
            client_id: client_id.to_owned(),
            authentication,
        }
    }

    #[test]
    fn c37_basic_credentials_are_form_encoded_before_base64() {
        let secret = ClientAuthentication::Basic(Secret::from("s3cr3t+/ :%"));
        let request = endpoint("my app", secret).post(&[("grant_type", "refresh_token")]);
        let value = request.headers()[header::AUTHORIZATION].to_str().unwrap();
        let decoded = STANDARD
            .decode_to_vec(value.strip_prefix("Basic ").unwrap())
            .unwrap();
        assert_eq!(decoded, b"my+app:s3cr3t%2B%2F+%3A%25");
        assert_eq!(request.body(), "grant_type=refresh_token");
        assert!(!format!("{request:?}").contains(value));
    }

    #[test]
    fn c38_one_authentication_method_per_request() {
        let of = |authentication| endpoint("app", authentication).post(&[("a", "b c")]);
        let none = of(ClientAuthentication::None);
        assert_eq!(none.body(), "a=b+c&client_id=app");
        assert!(!none.headers().contains_key(header::AUTHORIZATION));
        let post = of(ClientAuthentication::Post(Secret::from("s&s")));
        assert_eq!(post.body(), "a=b+c&client_id=app&client_secret=s%26s");
        assert!(!post.headers().contains_key(header::AUTHORIZATION));
        let basic = of(ClientAuthentication::Basic(Secret::from("s")));
        assert_eq!(basic.body(), "a=b+c");
        assert!(basic.headers().contains_key(header::AUTHORIZATION));
    }
}

//! Proving to the provider who the application is, in every request that asks for it
//! ([RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)).
//!
//! Requests with a secret are complete as an [`Exchange`](crate::Exchange) makes them. A signed assertion
//! names the moment it was made and is good once, while the request of an exchange is the same every
//! time; so [`authenticate`] adds it right before the request is sent.

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

/// An endpoint at which the client says who it is.
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

    /// A form request. An assertion, where one is configured, is added by [`authenticated`].
    pub(crate) fn post(&self, parameters: &[(&str, impl AsRef<str>)]) -> Request<Bytes> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        let mut request = exchange::post_form(&self.url, form.finish());
        request.extensions_mut().insert(FromClient);
        authenticated(request, &self.client_id, &self.authentication, None)
    }
}

/// Marks the requests in which the client has to say who it is.
#[derive(Clone, Copy)]
struct FromClient;

/// A form request with exactly one proof of who the client is, whatever proof it had before.
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

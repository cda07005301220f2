//! The plumbing of OAuth 2: authorization URLs, form requests, client authentication, error objects.
//!
//! This is the only file that knows the `oauth2` crate, which builds the authorization URL and the
//! PKCE challenge. Token requests are built here: Logto's endpoints take nine kinds of form request,
//! `oauth2` knows five, and one builder for all keeps client authentication in one place.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use oauth2::{
    AuthUrl, Client, ClientId, CsrfToken, EndpointNotSet, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardRevocableToken,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenResponse,
    },
};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::{
    config::{ClientAuthentication, LogtoConfig},
    error::{Endpoint, OAuthErrorCode, ServerError, sanitized},
};

type OAuthClient = Client<
    BasicErrorResponse,
    BasicTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
>;

/// What an authorization request always has ([RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).
pub(crate) struct AuthorizationRequest<'a> {
    pub(crate) endpoint: &'a Url,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a Url,
    pub(crate) state: &'a str,
    pub(crate) code_verifier: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) parameters: &'a [(String, String)],
}

impl AuthorizationRequest<'_> {
    /// The URL to send the browser to: `response_type=code` with an S256 challenge, and the query that
    /// the endpoint already has.
    pub(crate) fn url(&self) -> Url {
        let client = OAuthClient::new(ClientId::new(self.client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(self.endpoint.clone()))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new(self.state.to_owned()))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(s256(self.code_verifier));
        for (name, value) in self.parameters {
            request = request.add_extra_param(name, value);
        }
        request.url().0
    }
}

/// The S256 challenge of [RFC 7636 section 4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2).
/// The verifier comes from [`crate::sign_in`], which guarantees its length.
fn s256(code_verifier: &str) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(code_verifier.to_owned()))
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
        let mut request = request(Method::POST, &self.url, Bytes::from(form.finish()));
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request.extensions_mut().insert(FromClient);
        authenticated(request, &self.client_id, &self.authentication, None)
    }
}

/// Marks the requests in which the client has to say who it is.
#[derive(Clone, Copy)]
struct FromClient;

/// Whether the client has to say who it is in this request.
pub(crate) fn is_from_client(request: &Request<Bytes>) -> bool {
    request.extensions().get::<FromClient>().is_some()
}

/// A form request with exactly one proof of who the client is, whatever proof it had before.
pub(crate) fn authenticated(
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

/// A GET that expects JSON.
pub(crate) fn get_request(endpoint: &Url) -> Request<Bytes> {
    request(Method::GET, endpoint, Bytes::new())
}

/// A GET with a bearer token in its header ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
pub(crate) fn bearer_request(endpoint: &Url, access_token: &str) -> Request<Bytes> {
    let mut request = get_request(endpoint);
    request.headers_mut().insert(
        header::AUTHORIZATION,
        sensitive(&format!("Bearer {access_token}")),
    );
    request
}

fn request(method: Method, endpoint: &Url, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // A `Url` with http or https is always a valid `Uri`; should that ever fail, the HTTP client
    // refuses the empty path that stays.
    if let Ok(uri) = endpoint.as_str().parse() {
        *request.uri_mut() = uri;
    }
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// Basic credentials, each part form-encoded first
/// ([RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encode = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    sensitive(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

/// A header value that does not show in `Debug`. Text that cannot stand in a header gives an empty
/// value, which the server refuses.
fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// An OAuth error object, with Logto's additions; `None` when there is no `error` or an empty one.
pub(crate) fn server_error(
    endpoint: Endpoint,
    status: Option<u16>,
    object: &Map<String, Value>,
) -> Option<ServerError> {
    let text = |name: &str, limit| {
        object
            .get(name)
            .and_then(Value::as_str)
            .map(|text| sanitized(text, limit))
    };
    let error = object
        .get("error")
        .and_then(Value::as_str)
        .filter(|error| !error.is_empty())?;
    Some(ServerError {
        endpoint,
        status,
        error: OAuthErrorCode::from(error),
        description: text("error_description", 2048),
        uri: text("error_uri", 2048),
        logto_code: text("code", 128),
        message: text("message", 2048),
    })
}

/// The error of a `WWW-Authenticate: Bearer` challenge that came without a JSON body
/// ([RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
pub(crate) fn bearer_error(endpoint: Endpoint, response: &Response<Bytes>) -> Option<ServerError> {
    const CHALLENGE: HeaderName = header::WWW_AUTHENTICATE;
    let challenge = response.headers().get(CHALLENGE)?.to_str().ok()?;
    let parameter = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    Some(ServerError {
        endpoint,
        status: Some(response.status().as_u16()),
        error: OAuthErrorCode::from(parameter("error").filter(|error| !error.is_empty())?),
        description: parameter("error_description").map(|text| sanitized(text, 2048)),
        uri: None,
        logto_code: None,
        message: None,
    })
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
    fn c3_challenge_matches_rfc_7636_appendix_b() {
        let challenge = s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge.as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(challenge.method().as_str(), "S256");
    }

    #[test]
    fn c37_basic_credentials_are_form_encoded_before_base64() {
        let secret = ClientAuthentication::Basic(Secret::from("s3cr3t+/ :%"));
        let request = endpoint("my app", secret).post(&[("grant_type", "refresh_token")]);
        let value = request.headers()[header::AUTHORIZATION].to_str().unwrap();
        let decoded = BASE64_STANDARD
            .decode(value.strip_prefix("Basic ").unwrap())
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

    #[test]
    fn c43_logtos_extra_error_members_are_exposed_and_not_confused_with_a_code() {
        let object = json::parse(
            r#"{"code":"oidc.invalid_grant","message":"Grant request is invalid.","error":"invalid_grant",
                "error_description":"grant request is invalid","error_uri":"https://openid.sh/debug/invalid_grant","extra":1}"#,
        );
        let error = server_error(Endpoint::Token, Some(400), &object).unwrap();
        assert_eq!(error.error, OAuthErrorCode::InvalidGrant);
        assert_eq!(error.logto_code.as_deref(), Some("oidc.invalid_grant"));
        assert_eq!(
            error.to_string(),
            "token endpoint answered invalid_grant: grant request is invalid"
        );
    }

    mod json {
        pub(super) fn parse(text: &str) -> serde_json::Map<String, serde_json::Value> {
            serde_json::from_str(text).unwrap()
        }
    }
}

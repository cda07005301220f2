//! The provider's discovery document
//! ([OpenID Connect Discovery 1.0](https://openid.net/specs/openid-connect-discovery-1_0.html)).

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    config::LogtoConfig,
    error::{Endpoint, UsageError, sanitized},
};

/// The metadata of a provider. Its issuer has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderMetadata {
    fields: MetadataFields,
    document: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct MetadataFields {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    introspection_endpoint: Option<Url>,
    end_session_endpoint: Option<Url>,
    device_authorization_endpoint: Option<Url>,
    pushed_authorization_request_endpoint: Option<Url>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl ProviderMetadata {
    /// Reads a discovery document and checks that it is from the configured issuer. For metadata that is
    /// shipped with an application; [`Discover`](crate::discovery::Discover) fetches it.
    ///
    /// # Errors
    /// A text that names the rule that the document violates.
    pub fn from_document(
        config: &LogtoConfig,
        document: Map<String, Value>,
    ) -> Result<Self, String> {
        check_urls(&document)?;
        let fields: MetadataFields = serde_json::from_value(Value::Object(document.clone()))
            .map_err(|error| sanitized(&format!("not a discovery document: {error}"), 256))?;
        if fields.issuer != config.issuer() {
            return Err(format!(
                "it belongs to issuer `{}`, configured is `{}`; check the endpoint, its path and a \
                 custom domain",
                sanitized(&fields.issuer, 256),
                config.issuer()
            ));
        }
        let metadata = Self { fields, document };
        metadata.check_endpoints(config)?;
        Ok(metadata)
    }

    /// Credentials and tokens go to these URLs, so they must be as safe as the issuer's own: a forged
    /// document must not redirect them.
    fn check_endpoints(&self, config: &LogtoConfig) -> Result<(), String> {
        for (endpoint, url) in self.endpoints() {
            if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
                return Err(format!(
                    "the {endpoint} endpoint has user information or a fragment"
                ));
            }
            if !config.allows_transport(url) {
                return Err(format!("the {endpoint} endpoint is not https"));
            }
            if !config.trusts_origin_of(url) {
                return Err(format!(
                    "the {endpoint} endpoint is at {}, not at the issuer's own origin; if that is \
                     meant, name it with trusted_endpoint_origins",
                    sanitized(&url.origin().ascii_serialization(), 256)
                ));
            }
        }
        Ok(())
    }

    fn endpoints(&self) -> impl Iterator<Item = (Endpoint, &Url)> {
        [
            (
                Endpoint::Authorization,
                Some(&self.fields.authorization_endpoint),
            ),
            (Endpoint::Token, Some(&self.fields.token_endpoint)),
            (Endpoint::Keys, Some(&self.fields.jwks_uri)),
            (Endpoint::UserInfo, self.fields.userinfo_endpoint.as_ref()),
            (
                Endpoint::Revocation,
                self.fields.revocation_endpoint.as_ref(),
            ),
            (
                Endpoint::Introspection,
                self.fields.introspection_endpoint.as_ref(),
            ),
            (
                Endpoint::EndSession,
                self.fields.end_session_endpoint.as_ref(),
            ),
            (
                Endpoint::DeviceAuthorization,
                self.fields.device_authorization_endpoint.as_ref(),
            ),
            (
                Endpoint::PushedAuthorization,
                self.fields.pushed_authorization_request_endpoint.as_ref(),
            ),
        ]
        .into_iter()
        .filter_map(|(endpoint, url)| url.map(|url| (endpoint, url)))
    }

    /// The issuer, byte for byte as in tokens.
    pub fn issuer(&self) -> &str {
        &self.fields.issuer
    }

    /// The URL of an endpoint.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`] if the provider has none.
    pub fn endpoint(&self, endpoint: Endpoint) -> Result<&Url, UsageError> {
        self.endpoints()
            .find_map(|(of, url)| (of == endpoint).then_some(url))
            .ok_or(UsageError::EndpointNotAdvertised(endpoint))
    }

    /// The authorization endpoint, for browsers.
    pub fn authorization_endpoint(&self) -> &Url {
        &self.fields.authorization_endpoint
    }

    /// The token endpoint.
    pub fn token_endpoint(&self) -> &Url {
        &self.fields.token_endpoint
    }

    /// The URL of the signing keys.
    pub fn jwks_uri(&self) -> &Url {
        &self.fields.jwks_uri
    }

    /// Whether callbacks contain `iss` ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)). Logto's do.
    pub fn sends_issuer_in_callback(&self) -> bool {
        self.fields
            .authorization_response_iss_parameter_supported
            .unwrap_or_default()
    }

    /// The whole document, for members without an accessor.
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }
}

/// Names a member that is not an absolute URL. Without a scheme, its target would be a guess.
fn check_urls(document: &Map<String, Value>) -> Result<(), String> {
    let members = document.iter();
    let urls = members.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
    for (name, value) in urls {
        if let Some(text) = value.as_str().filter(|text| Url::parse(text).is_err()) {
            return Err(format!(
                "`{}` is `{}`, which is not an absolute URL",
                sanitized(name, 64),
                sanitized(text, 256)
            ));
        }
    }
    Ok(())
}

//! Fetching a provider's metadata and keys.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use url::Url;

use crate::{
    config::LogtoConfig,
    error::{DiscoveryError, Endpoint, Error, sanitized},
    exchange::{self, Exchange},
    jwt::{JwsVerifier, KeySet},
    metadata::ProviderMetadata,
    time::UnixTime,
};

/// Fetches the discovery document.
///
/// The algorithms that the document lists are ignored: [`crate::jwt`] decides which are acceptable, and
/// Logto's list changes whenever its keys do.
#[derive(Clone, Debug)]
pub struct Discover {
    config: LogtoConfig,
}

impl Discover {
    /// Fetches the document of the configured provider.
    pub fn new(config: &LogtoConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

impl Exchange for Discover {
    const ENDPOINT: Endpoint = Endpoint::Discovery;

    type Output = ProviderMetadata;

    fn request(&self) -> Request<Bytes> {
        exchange::get(self.config.discovery_url())
    }

    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<ProviderMetadata, Error> {
        let status = response.status().as_u16();
        let not_usable = |problem| Error::Discovery(DiscoveryError { status, problem });
        if let Some(found) = found_instead(&response) {
            let problem = format!("{found}; check the endpoint, its path and a custom domain");
            return Err(not_usable(problem));
        }
        let document = exchange::json_object(Self::ENDPOINT, &response, now)?;
        ProviderMetadata::from_document(&self.config, document).map_err(not_usable)
    }
}

/// What the URL returns instead of the document. `None` for server errors and refusals, which are temporary and
/// do not mean that the URL is wrong.
fn found_instead(response: &Response<Bytes>) -> Option<String> {
    let (status, headers) = (response.status(), response.headers());
    if status == StatusCode::NOT_FOUND {
        return Some("nothing found".to_owned());
    }
    if status.is_redirection() {
        return Some(exchange::redirect_problem(headers));
    }
    if status.is_success() && !exchange::has_json_content_type(headers) {
        let found = headers.get(header::CONTENT_TYPE).map_or_else(
            || "no content type".to_owned(),
            |value| {
                let value = String::from_utf8_lossy(value.as_bytes());
                format!("the content type `{}`", sanitized(&value, 128))
            },
        );
        return Some(format!("it has {found} where JSON belongs"));
    }
    None
}

/// Fetches the key set at the metadata's `jwks_uri`.
#[derive(Clone, Debug)]
pub struct FetchKeys {
    uri: Url,
    etag: Option<HeaderValue>,
    verifier: Arc<dyn JwsVerifier>,
}

/// The result of [`FetchKeys`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FetchedKeys {
    /// A new key set, which replaces the previous one, with its entity tag.
    New {
        /// The keys.
        keys: Arc<KeySet>,
        /// Pass it to the next [`FetchKeys::if_none_match`].
        etag: Option<HeaderValue>,
    },
    /// The key set has not changed since that entity tag.
    NotModified,
}

impl FetchKeys {
    /// Fetches the keys of this provider. `verifier` prepares them.
    pub fn new(metadata: &ProviderMetadata, verifier: Arc<dyn JwsVerifier>) -> Self {
        Self {
            uri: metadata.jwks_uri().clone(),
            etag: None,
            verifier,
        }
    }

    /// Sends `If-None-Match`, so that the server can answer that nothing has changed since `etag`.
    #[must_use]
    pub fn if_none_match(mut self, etag: Option<HeaderValue>) -> Self {
        self.etag = etag;
        self
    }
}

impl Exchange for FetchKeys {
    const ENDPOINT: Endpoint = Endpoint::Keys;

    type Output = FetchedKeys;

    fn request(&self) -> Request<Bytes> {
        let mut request = exchange::get(&self.uri);
        if let Some(etag) = &self.etag {
            request
                .headers_mut()
                .insert(header::IF_NONE_MATCH, etag.clone());
        }
        request
    }

    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<FetchedKeys, Error> {
        if response.status() == StatusCode::NOT_MODIFIED && self.etag.is_some() {
            return Ok(FetchedKeys::NotModified);
        }
        exchange::json_response(Self::ENDPOINT, &response, now)?;
        let keys = KeySet::parse(response.body(), &*self.verifier)
            .map_err(|error| exchange::unusable(Self::ENDPOINT, &response, error.to_string()))?;
        Ok(FetchedKeys::New {
            keys: Arc::new(keys),
            etag: response.headers().get(header::ETAG).cloned(),
        })
    }
}

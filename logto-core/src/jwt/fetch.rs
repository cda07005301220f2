//! Fetching a provider's key set.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use url::Url;

use super::{JwsVerifier, KeySet};
use crate::{
    error::{Endpoint, Error},
    exchange::{self, Exchange},
    metadata::ProviderMetadata,
    oauth,
    time::UnixTime,
};

/// Fetches the key set that the metadata points to.
#[derive(Clone, Debug)]
pub struct FetchKeys {
    uri: Url,
    etag: Option<HeaderValue>,
    verifier: Arc<dyn JwsVerifier>,
}

/// The answer to [`FetchKeys`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FetchedKeys {
    /// The set that replaces the one before it, with its entity tag.
    New {
        /// The keys.
        keys: Arc<KeySet>,
        /// To be given to the next [`FetchKeys::if_none_match`].
        etag: Option<HeaderValue>,
    },
    /// The set is still the one of the entity tag.
    NotModified,
}

impl FetchKeys {
    /// For this provider; the keys are prepared with `verifier`.
    pub fn new(metadata: &ProviderMetadata, verifier: Arc<dyn JwsVerifier>) -> Self {
        Self {
            uri: metadata.jwks_uri().clone(),
            etag: None,
            verifier,
        }
    }

    /// Lets the server answer that nothing has changed since `etag`.
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
        let mut request = oauth::get_request(&self.uri);
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

//! Verifying a token whose key may be newer than the key set.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    discovery::{FetchKeys, FetchedKeys},
    error::{Error, TokenError},
    exchange::{Exchange, Step},
    jwt::{JwsVerifier, KeySet},
    metadata::ProviderMetadata,
    time::UnixTime,
};

/// The provider's keys for a machine: the set it starts with, and the verifier for a newer one.
#[derive(Clone, Debug)]
pub struct ProviderKeys {
    keys: Option<Arc<KeySet>>,
    verifier: Arc<dyn JwsVerifier>,
}

impl ProviderKeys {
    /// Starts with the `keys` that were fetched last; with `None` they are fetched first.
    pub fn new(keys: Option<Arc<KeySet>>, verifier: Arc<dyn JwsVerifier>) -> Self {
        Self { keys, verifier }
    }
}

/// Verifies one token with at most one fetch of the key set, unless that is forgotten.
#[derive(Debug)]
pub(crate) struct KeySearch {
    keys: ProviderKeys,
    fetch: FetchKeys,
    fetched: Option<Arc<KeySet>>,
}

impl KeySearch {
    pub(crate) fn new(metadata: &ProviderMetadata, keys: ProviderKeys) -> Self {
        let fetch = FetchKeys::new(metadata, Arc::clone(&keys.verifier));
        Self {
            keys,
            fetch,
            fetched: None,
        }
    }

    /// The result of `verify`, or `None` if the key set must be fetched first.
    pub(crate) fn attempt<T>(
        &self,
        verify: impl FnOnce(&KeySet) -> Result<T, TokenError>,
    ) -> Option<Result<T, TokenError>> {
        let keys = self.fetched.as_ref().or(self.keys.keys.as_ref())?;
        match verify(keys) {
            Err(error) if error.is_key_not_found() && self.fetched.is_none() => None,
            answer => Some(answer),
        }
    }

    pub(crate) fn fetch<T>(&self) -> Step<T> {
        Step::send(&self.fetch)
    }

    pub(crate) fn accept(&mut self, response: Response<Bytes>, now: UnixTime) -> Result<(), Error> {
        if let FetchedKeys::New { keys, .. } = self.fetch.clone().accept(response, now)? {
            self.fetched = Some(keys);
        }
        Ok(())
    }

    /// The set lacks the key that it was fetched for. It is fetched once more.
    pub(crate) fn forget_fetched(&mut self) {
        self.fetched = None;
    }

    /// The fetched set, for the cache.
    pub(crate) fn take_fetched(&mut self) -> Option<Arc<KeySet>> {
        self.fetched.take()
    }
}

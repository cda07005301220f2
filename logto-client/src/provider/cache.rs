//! The provider's metadata and keys: fetched when they are needed, by one request for all callers, and kept
//! for a while.

use std::sync::{Arc, Mutex};

use http::HeaderValue;
use logto_core::{
    UnixTime,
    discovery::{Discover, FetchKeys, FetchedKeys},
    error::Endpoint,
    freshness::FreshnessPolicy,
    jwt::KeySet,
    metadata::ProviderMetadata,
    refresh::RetryBudget,
    sign_in::ProviderKeys,
};

use super::Provider;
use crate::{
    cache::{Cache, UnknownKey},
    error::Error,
    event::Event,
    http::TransportError,
    runtime::{BoxFuture, BoxedFuture},
};

/// What all clients of one provider share.
#[derive(Debug)]
pub(crate) struct ProviderCache {
    metadata: Cache<Arc<ProviderMetadata>>,
    keys: Cache<CachedKeys>,
    /// For requests that are sent again. The replay of a refresh is not among them.
    pub(crate) retries: Mutex<RetryBudget>,
}

#[derive(Clone, Debug)]
struct CachedKeys {
    keys: Arc<KeySet>,
    etag: Option<HeaderValue>,
}

impl Default for ProviderCache {
    fn default() -> Self {
        Self {
            metadata: Cache::new(FreshnessPolicy::METADATA),
            keys: Cache::new(FreshnessPolicy::KEYS),
            retries: Mutex::default(),
        }
    }
}

impl Provider {
    /// The provider's metadata.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<ProviderMetadata>, Error> {
        let provider = Arc::clone(self);
        let fetch = move || async move { provider.fetch_metadata().await }.boxed_future();
        let cache = &self.cache.metadata;
        cache
            .get(&self.context.clock, &*self.context.runtime, fetch)
            .await
    }

    async fn fetch_metadata(&self) -> Result<Arc<ProviderMetadata>, Error> {
        match self.exchange(Discover::new(&self.config)).await {
            Ok(metadata) => Ok(Arc::new(metadata)),
            Err(error) => Err(self.not_fetched(Endpoint::Discovery, error)),
        }
    }

    /// The provider's keys.
    pub(crate) async fn keys(self: &Arc<Self>) -> Result<Arc<KeySet>, Error> {
        let provider = Arc::clone(self);
        let fetch = move || provider.fetch_keys();
        let cache = &self.cache.keys;
        Ok(cache
            .get(&self.context.clock, &*self.context.runtime, fetch)
            .await?
            .keys)
    }

    /// The keys that were fetched last, whatever their age.
    pub(crate) fn cached_keys(&self) -> Option<Arc<KeySet>> {
        Some(self.cache.keys.value()?.keys)
    }

    /// Whether [`keys`](Self::keys) returns without waiting.
    pub(crate) fn has_keys(&self) -> bool {
        self.cache.keys.is_ready(self.now())
    }

    /// The keys for a machine that completes a sign-in. They are fetched before it redeems the code, so that
    /// a failure costs nothing.
    pub(crate) async fn machine_keys(self: &Arc<Self>) -> Result<ProviderKeys, Error> {
        Ok(ProviderKeys::new(
            Some(self.keys().await?),
            Arc::clone(&self.context.verifier),
        ))
    }

    /// Verifies with the cached keys, and, where the outcome `is_key_not_found`, with newer keys if there
    /// are any.
    ///
    /// # Errors
    /// If there are no keys, or a newer set is needed and cannot be fetched now.
    pub(crate) async fn verify<T, E>(
        self: &Arc<Self>,
        attempt: impl Fn(&Arc<KeySet>, UnixTime) -> Result<T, E>,
        is_key_not_found: impl Fn(&E) -> bool,
    ) -> Result<Result<T, E>, Error> {
        let mut keys = self.keys().await?;
        // Twice, because the provider may have answered a fetch in flight before it had the key.
        for _ in 0..2 {
            let outcome = attempt(&keys, self.now());
            if !outcome.as_ref().is_err_and(&is_key_not_found) {
                return Ok(outcome);
            }
            let (newer, was_started) = self.keys_newer_than(&keys).await?;
            keys = newer;
            if was_started {
                break;
            }
        }
        Ok(attempt(&keys, self.now()))
    }

    /// Keys that are newer than `known`, which lacks the key of a token, and whether their fetch was started
    /// only now.
    ///
    /// # Errors
    /// If they cannot be fetched, or the allowance for such fetches is used up. Neither means that the provider
    /// has no such key: it may have rotated its keys since.
    pub(crate) async fn keys_newer_than(
        self: &Arc<Self>,
        known: &Arc<KeySet>,
    ) -> Result<(Arc<KeySet>, bool), Error> {
        if let Some(keys) = self.cached_keys() {
            if !Arc::ptr_eq(&keys, known) {
                return Ok((keys, false));
            }
        }
        let provider = Arc::clone(self);
        let fetch = move || provider.fetch_keys();
        let cache = &self.cache.keys;
        let (fetch, was_started) =
            match cache.get_for_unknown_key(&self.context.clock, &*self.context.runtime, fetch) {
                UnknownKey::Joined(fetch) => (fetch, false),
                UnknownKey::Started(fetch) => (fetch, true),
                UnknownKey::Refused(error) => return Err(error),
            };
        Ok((fetch.await?.keys, was_started))
    }

    /// Keeps a key set that a machine fetched.
    pub(crate) fn put_keys(&self, keys: Option<Arc<KeySet>>) {
        if let Some(keys) = keys {
            self.report_withdrawn(&keys);
            let cached = CachedKeys { keys, etag: None };
            self.cache.keys.put(cached, self.now());
        }
    }

    fn fetch_keys(self: Arc<Self>) -> BoxFuture<'static, Result<CachedKeys, Error>> {
        async move {
            let metadata = self.metadata().await?;
            let cached = self.cache.keys.value();
            let etag = cached.as_ref().and_then(|cached| cached.etag.clone());
            let fetch =
                FetchKeys::new(&metadata, Arc::clone(&self.context.verifier)).if_none_match(etag);
            let fetched = self.exchange(fetch).await;
            match (
                fetched.map_err(|error| self.not_fetched(Endpoint::Keys, error))?,
                cached,
            ) {
                (FetchedKeys::New { keys, etag }, _) => {
                    self.report_withdrawn(&keys);
                    Ok(CachedKeys { keys, etag })
                }
                (_, Some(cached)) => Ok(cached),
                (_, None) => Err(Error::Transport {
                    endpoint: Endpoint::Keys,
                    source: TransportError::Unusable("304 Not Modified without a cache".to_owned()),
                }),
            }
        }
        .boxed_future()
    }

    fn not_fetched(&self, endpoint: Endpoint, error: Error) -> Error {
        self.context.observer.on_event(&Event::NotFetched {
            issuer: self.config.issuer().to_owned(),
            endpoint,
            reason: error.to_string(),
        });
        error
    }

    /// Reports the keys that `newer` lacks.
    fn report_withdrawn(&self, newer: &KeySet) {
        let Some(before) = self.cached_keys() else {
            return;
        };
        let is_gone = |kid: &&str| newer.kids().all(|left| left != *kid);
        let withdrawn = before.kids().filter(is_gone).count();
        if withdrawn > 0 {
            self.context.observer.on_event(&Event::KeysWithdrawn {
                issuer: self.config.issuer().to_owned(),
                withdrawn,
                left: newer.len(),
            });
        }
    }
}

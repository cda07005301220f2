//! The provider as the client knows it: metadata and keys, each fetched once for all callers and cached, and the
//! way to its endpoints.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use http::{HeaderValue, Request, Response};
use logto_core::{
    Exchange, LogtoConfig, Machine, Secret, Step, UnixTime, client_authentication,
    discovery::{Discover, FetchKeys, FetchedKeys},
    error::Endpoint,
    freshness::FreshnessPolicy,
    introspection::{Introspect, Introspection},
    jwt::{JwsVerifier, KeySet},
    metadata::ProviderMetadata,
    refresh::Moment,
    revocation::RevokeRefreshToken,
    sign_in::ProviderKeys,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    cache::{Cache, UnknownKey},
    clock::Clock,
    context::{BuildError, Context, Limits},
    credentials::Credentials,
    entropy::Entropy,
    error::Error,
    event::{Event, Observer},
    http::{HttpClient, TransportError},
    runtime::Runtime,
    single_flight::lock,
};

/// One provider and everything it takes to talk to it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) config: LogtoConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) limits: Limits,
    http: Arc<dyn HttpClient>,
    verifier: Arc<dyn JwsVerifier>,
    credentials: Credentials,
    permits: Semaphore,
    /// For responses that are late, and no longer count as running requests.
    listeners: Semaphore,
    cache: Arc<ProviderCache>,
}

/// What was fetched from a provider and is kept for a while.
#[derive(Debug)]
pub(crate) struct ProviderCache {
    metadata: Cache<Arc<ProviderMetadata>>,
    keys: Cache<CachedKeys>,
}

impl Default for ProviderCache {
    fn default() -> Self {
        Self {
            metadata: Cache::new(FreshnessPolicy::METADATA),
            keys: Cache::new(FreshnessPolicy::KEYS),
        }
    }
}

#[derive(Clone, Debug)]
struct CachedKeys {
    keys: Arc<KeySet>,
    etag: Option<HeaderValue>,
}

/// A permit to send one request at a time, until it is dropped or given back.
#[derive(Debug)]
pub(crate) struct Permit<'a>(Mutex<Option<SemaphorePermit<'a>>>);

/// How long to wait for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For the request timeout.
    Request,
    /// For the listen timeout: the response may hold the only copy of a refresh token.
    Listen,
}

impl Permit<'_> {
    fn give_back(&self) {
        lock(&self.0).take();
    }
}

impl Provider {
    pub(crate) fn new(
        config: LogtoConfig,
        context: Context,
        cache: Arc<ProviderCache>,
    ) -> Result<Self, BuildError> {
        let limits = context.limits.checked()?;
        Ok(Self {
            credentials: Credentials::new(&config, context.fallback_authentication)?,
            config,
            clock: context.clock,
            entropy: context.entropy,
            runtime: context.runtime.ok_or(BuildError::NoRuntime)?,
            observer: context.observer,
            limits,
            http: context.http,
            verifier: context.verifier.ok_or(BuildError::NoVerifier)?,
            permits: Semaphore::new(limits.max_concurrent_requests),
            listeners: Semaphore::new(limits.max_listeners),
            cache,
        })
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The time for the machines of the core.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
        }
    }

    /// Waits for a permit to send one request, no longer than the request timeout. Without one nothing
    /// has been sent.
    pub(crate) async fn permit(&self, endpoint: Endpoint) -> Result<Permit<'_>, Error> {
        let permit = self.permits.acquire().boxed();
        match select(permit, self.runtime.sleep(self.limits.request_timeout)).await {
            // The semaphore is never closed.
            Either::Left((permit, _)) => Ok(Permit(Mutex::new(permit.ok()))),
            Either::Right(_) => Err(Error::Transport {
                endpoint,
                source: TransportError::NotSent("too many requests are running".to_owned()),
            }),
        }
    }

    /// Sends one request.
    pub(crate) async fn send(
        &self,
        endpoint: Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let permit = self.permit(endpoint).await?;
        self.send_from(&permit, Patience::Request, endpoint, request)
            .await
    }

    /// Sends one request with a proof of who we are, where one is needed. A proof that is refused is
    /// replaced by the next one we know.
    pub(crate) async fn send_from(
        &self,
        permit: &Permit<'_>,
        patience: Patience,
        endpoint: Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let mut proof = self.credentials.current();
        for _ in 1..self.credentials.len() {
            let request = self.prove(proof, request.clone())?;
            let response = self
                .send_proven(permit, patience, endpoint, request)
                .await?;
            if !client_authentication::is_refused(&response) {
                return Ok(response);
            }
            proof = self.credentials.after(proof);
        }
        let request = self.prove(proof, request)?;
        self.send_proven(permit, patience, endpoint, request).await
    }

    fn prove(&self, proof: usize, request: Request<Bytes>) -> Result<Request<Bytes>, Error> {
        self.credentials
            .prove(proof, request, &*self.entropy, self.now())
    }

    async fn send_proven(
        &self,
        permit: &Permit<'_>,
        patience: Patience,
        endpoint: Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let limits = self.limits;
        let failed = |source| Error::Transport { endpoint, source };
        let late = |after: Duration| {
            let seconds = after.as_secs_f32();
            failed(TransportError::Lost(format!(
                "no answer within {seconds} seconds"
            )))
        };
        let response = self.http.send(request);
        let timeout = self.runtime.sleep(limits.request_timeout);
        let response = match select(response, timeout).await {
            Either::Left((answer, _)) => return answer.map_err(failed),
            Either::Right((_, response)) => response,
        };
        let Some(_listener) = self.listener(patience) else {
            return Err(late(limits.request_timeout));
        };
        // From here on it only waits. Others may send meanwhile.
        permit.give_back();
        let rest = limits.listen_timeout.saturating_sub(limits.request_timeout);
        match select(response, self.runtime.sleep(rest)).await {
            Either::Left((answer, _)) => answer.map_err(failed),
            Either::Right(_) => Err(late(limits.listen_timeout)),
        }
    }

    /// The right to wait for a late response; `None` if that is not worth it, or too many wait already.
    fn listener(&self, patience: Patience) -> Option<SemaphorePermit<'_>> {
        match patience {
            Patience::Request => None,
            Patience::Listen => self.listeners.try_acquire().ok(),
        }
    }

    /// Runs an exchange once.
    pub(crate) async fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output, Error> {
        let response = self.send(E::ENDPOINT, exchange.request()).await?;
        Ok(exchange.accept(response, self.now())?)
    }

    /// Asks what a token is worth, however often it was asked before.
    pub(crate) async fn introspect(
        self: &Arc<Self>,
        token: Secret,
    ) -> Result<Introspection, Error> {
        let metadata = self.metadata().await?;
        let introspect = Introspect::new(&self.config, &metadata, token)?;
        self.exchange(introspect).await
    }

    /// Revokes a refresh token, and with it the whole grant.
    pub(crate) async fn revoke(self: &Arc<Self>, refresh_token: Secret) -> Result<(), Error> {
        let metadata = self.metadata().await?;
        let revoke = RevokeRefreshToken::new(&self.config, &metadata, refresh_token)?;
        self.exchange(revoke).await
    }

    /// Runs a machine. A request that only reads is sent once more when it fails; nothing else is
    /// sent twice.
    pub(crate) async fn drive<M: Machine>(&self, mut machine: M) -> Result<M::Output, Error> {
        loop {
            match machine.poll(self.now()) {
                Step::Done(output) => return Ok(output),
                Step::Send { endpoint, request } => {
                    let response = match self.send(endpoint, request.clone()).await {
                        Err(Error::Transport { .. }) if endpoint.only_reads() => {
                            self.send(endpoint, request).await?
                        }
                        answer => answer?,
                    };
                    machine.handle(response, self.now());
                }
            }
        }
    }

    /// The provider's metadata, fetched when it is first needed and again when it is old.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<ProviderMetadata>, Error> {
        let provider = Arc::clone(self);
        self.cache
            .metadata
            .get(&self.clock, &*self.runtime, move || {
                async move {
                    let discover = Discover::new(&provider.config);
                    let metadata = provider.exchange(discover).await;
                    metadata
                        .map(Arc::new)
                        .inspect_err(|error| provider.not_fetched(Endpoint::Discovery, error))
                }
                .boxed()
            })
            .await
    }

    /// The provider's keys.
    pub(crate) async fn keys(self: &Arc<Self>) -> Result<Arc<KeySet>, Error> {
        let provider = Arc::clone(self);
        let cached = self
            .cache
            .keys
            .get(&self.clock, &*self.runtime, move || provider.fetch_keys())
            .await?;
        Ok(cached.keys)
    }

    /// The keys as they were fetched last, however old they are.
    pub(crate) fn cached_keys(&self) -> Option<Arc<KeySet>> {
        Some(self.cache.keys.value()?.keys)
    }

    /// Whether [`keys`](Self::keys) answers without waiting for the provider.
    pub(crate) fn has_keys(&self) -> bool {
        self.cache.keys.is_ready(self.now())
    }

    /// The keys that a machine starts with. They are fetched now rather than after a code was redeemed
    /// or a refresh token spent.
    pub(crate) async fn machine_keys(self: &Arc<Self>) -> Result<ProviderKeys, Error> {
        Ok(ProviderKeys::new(
            Some(self.keys().await?),
            Arc::clone(&self.verifier),
        ))
    }

    /// Verifies with the cached keys, and again with newer ones, if there are any, when
    /// `is_key_not_found`.
    ///
    /// # Errors
    /// When there are no keys, or a newer set was to be fetched and could not.
    pub(crate) async fn verify<T, E>(
        self: &Arc<Self>,
        attempt: impl Fn(&Arc<KeySet>, UnixTime) -> Result<T, E>,
        is_key_not_found: impl Fn(&E) -> bool,
    ) -> Result<Result<T, E>, Error> {
        let mut keys = self.keys().await?;
        // A second time, because a fetch that was under way already may have been answered before the
        // provider had the key.
        for _ in 0..2 {
            let outcome = attempt(&keys, self.now());
            if !outcome.as_ref().is_err_and(&is_key_not_found) {
                return Ok(outcome);
            }
            let Some((newer, was_asked_for)) = self.keys_newer_than(&keys).await? else {
                return Ok(outcome);
            };
            keys = newer;
            if was_asked_for {
                break;
            }
        }
        Ok(attempt(&keys, self.now()))
    }

    /// The keys after a token named one that `known` lacks: somebody's newer set, or one fetched now,
    /// and whether it was asked for only now. `None` when the allowance for such fetches is used up,
    /// and the key counts as unknown.
    pub(crate) async fn keys_newer_than(
        self: &Arc<Self>,
        known: &Arc<KeySet>,
    ) -> Result<Option<(Arc<KeySet>, bool)>, Error> {
        if let Some(cached) = self.cache.keys.value() {
            if !Arc::ptr_eq(&cached.keys, known) {
                return Ok(Some((cached.keys, false)));
            }
        }
        let provider = Arc::clone(self);
        let fetch = move || provider.fetch_keys();
        let (fetched, was_asked_for) =
            match self
                .cache
                .keys
                .get_for_unknown_key(&self.clock, &*self.runtime, fetch)
            {
                UnknownKey::Joined(fetched) => (fetched, false),
                UnknownKey::Started(fetched) => (fetched, true),
                UnknownKey::Refused(None) => return Ok(None),
                UnknownKey::Refused(Some(error)) => return Err(error),
            };
        Ok(Some((fetched.await?.keys, was_asked_for)))
    }

    /// Takes over a key set that a machine fetched.
    pub(crate) fn put_keys(&self, keys: Option<Arc<KeySet>>) {
        if let Some(keys) = keys {
            self.tell_withdrawn(&keys);
            self.cache
                .keys
                .put(CachedKeys { keys, etag: None }, self.now());
        }
    }

    fn fetch_keys(self: Arc<Self>) -> BoxFuture<'static, Result<CachedKeys, Error>> {
        async move {
            let metadata = self.metadata().await?;
            let cached = self.cache.keys.value();
            let fetch = FetchKeys::new(&metadata, Arc::clone(&self.verifier))
                .if_none_match(cached.as_ref().and_then(|cached| cached.etag.clone()));
            let fetched = self
                .exchange(fetch)
                .await
                .inspect_err(|error| self.not_fetched(Endpoint::Keys, error))?;
            match (fetched, cached) {
                (FetchedKeys::New { keys, etag }, _) => {
                    self.tell_withdrawn(&keys);
                    Ok(CachedKeys { keys, etag })
                }
                (_, Some(cached)) => Ok(cached),
                (_, None) => Err(Error::Transport {
                    endpoint: Endpoint::Keys,
                    source: TransportError::Unusable(
                        "not modified, and nothing to keep".to_owned(),
                    ),
                }),
            }
        }
        .boxed()
    }

    fn not_fetched(&self, endpoint: Endpoint, error: &Error) {
        self.observer.on_event(&Event::NotFetched {
            issuer: self.config.issuer().to_owned(),
            endpoint,
            reason: error.to_string(),
        });
    }

    /// Tells of keys that `newer` lacks.
    fn tell_withdrawn(&self, newer: &KeySet) {
        let Some(before) = self.cache.keys.value() else {
            return;
        };
        let is_gone = |kid: &&str| newer.kids().all(|left| left != *kid);
        let withdrawn = before.keys.kids().filter(is_gone).count();
        if withdrawn > 0 {
            self.observer.on_event(&Event::KeysWithdrawn {
                issuer: self.config.issuer().to_owned(),
                withdrawn,
                left: newer.len(),
            });
        }
    }
}

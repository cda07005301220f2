//! Machine-to-machine tokens, and other requests of an application in its own name.

use std::{fmt, sync::Arc, time::Duration};

use logto_core::{
    AccessToken, LogtoConfig, Secret, TokenTarget,
    grants::{ClientCredentials, ExchangeToken, TypedToken},
    introspection::Introspection,
    refresh::MAX_COOLDOWN,
};

use crate::{
    context::{BuildError, Context},
    cooldown::SharedCooldown,
    error::Error,
    provider::Provider,
    runtime::BoxedFuture,
    single_flight::{Inflight, SingleFlight},
    ttl_map::TtlMap,
};

/// How many targets have cached tokens. With more targets, some tokens are fetched more often.
const MAX_TARGETS: usize = 10_000;
/// How long no token is fetched for a target after a failure.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A client for a machine-to-machine application, or for any application that acts in its own name.
///
/// Create one and clone it: clones share the tokens. All callers for a target share one fetch. In the last
/// fifth of a token's lifetime, a new one is fetched in the background while the old one is still returned.
///
/// After a failure, the same token is not fetched again for one second; after a `Retry-After`, none is until
/// that time is over. Until then, callers for whom no valid token is left receive the same error.
///
/// ```
/// # #[cfg(feature = "reqwest-0-13")] {
/// use logto_client::{LogtoConfig, TokenTarget, http::ReqwestClient, m2m::M2mClient};
///
/// async fn call() -> Result<(), Box<dyn std::error::Error>> {
///     let config = LogtoConfig::builder("https://tenant.logto.app", "m2m-app-id")
///         .app_secret("m2m-app-secret")
///         .build()?;
///     let client = M2mClient::new(config, ReqwestClient::new()?)?;
///     let target = TokenTarget::resource("https://shop.example.com/api").with_scopes(["read:products"]);
///     let token = client.token(&target).await?;
///     println!("Authorization: Bearer with {} scopes", token.scopes.len());
///     Ok(())
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct M2mClient {
    inner: Arc<M2mState>,
}

struct M2mState {
    provider: Arc<Provider>,
    tokens: TtlMap<TokenTarget, AccessToken>,
    fetches: SingleFlight<TokenTarget, Result<AccessToken, Error>>,
    failures: TtlMap<TokenTarget, Error>,
    cooldown: SharedCooldown,
}

impl M2mClient {
    /// A client of this application. An [`HttpClient`](crate::http::HttpClient) converts into a
    /// [`Context`].
    ///
    /// # Errors
    /// When the context cannot be used: see [`BuildError`].
    pub fn new(config: LogtoConfig, context: impl Into<Context>) -> Result<Self, BuildError> {
        let provider = Arc::new(Provider::new(config, context.into(), Arc::default())?);
        Ok(Self {
            inner: Arc::new(M2mState {
                provider,
                tokens: TtlMap::new(MAX_TARGETS),
                fetches: SingleFlight::default(),
                failures: TtlMap::new(MAX_TARGETS),
                cooldown: SharedCooldown::default(),
            }),
        })
    }

    /// Returns a token for an API resource, an organization, or a resource within an organization, from
    /// memory or by the client credentials grant
    /// ([RFC 6749, section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)). Logto grants only
    /// scopes that the target names.
    ///
    /// # Errors
    /// A server error, or a failed request. A token that has not expired is returned nevertheless.
    pub async fn token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        let now = self.inner.provider.now();
        let held = self.inner.tokens.get(target, now);
        match held.filter(|token| token.is_usable(now, Duration::ZERO)) {
            Some(token) if token.is_usable(now, token.expires_at.since(token.issued_at) / 5) => {
                Ok(token)
            }
            Some(token) => {
                if self.inner.may_fetch(target).is_ok() {
                    drop(self.fetch(target));
                }
                Ok(token)
            }
            None => {
                self.inner.may_fetch(target)?;
                self.fetch(target).await
            }
        }
    }

    /// Forgets the token for `target`, for example because an API refuses it. The next call of
    /// [`token`](Self::token) fetches a new one.
    pub fn forget(&self, target: &TokenTarget) {
        self.inner.tokens.remove(target);
        self.inner.failures.remove(target);
    }

    fn fetch(&self, target: &TokenTarget) -> Inflight<Result<AccessToken, Error>> {
        let runtime = &*self.inner.provider.context.runtime;
        self.inner.fetches.join(runtime, target.clone(), || {
            let (inner, target) = (Arc::clone(&self.inner), target.clone());
            async move {
                let fetch = inner.provider.client_credentials(&target);
                let clock = &*inner.provider.context.clock;
                let outcome = inner.cooldown.admitted(clock, fetch).await?;
                let now = clock.now();
                match &outcome {
                    Ok(token) => {
                        let until = token.expires_at;
                        inner.tokens.insert(target, token.clone(), until, now);
                    }
                    Err(error) => inner.remember(target, error),
                }
                outcome
            }
            .boxed_future()
        })
    }

    /// Exchanges a token that stands for a user, such as an impersonation's subject token or a personal
    /// access token, for an access token of that user
    /// ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)). `actor` is the party that acts for the user.
    /// The access token is not cached: a subject token can be used only once.
    ///
    /// # Errors
    /// A server error, or a failed request.
    pub async fn exchange_token(
        &self,
        subject: TypedToken,
        actor: Option<TypedToken>,
        target: TokenTarget,
    ) -> Result<AccessToken, Error> {
        let provider = &self.inner.provider;
        let metadata = provider.metadata().await?;
        let mut exchange =
            ExchangeToken::new(&provider.config, &metadata, subject, target, provider.now());
        if let Some(actor) = actor {
            exchange = exchange.actor_token(actor);
        }
        provider.exchange(exchange).await
    }

    /// Introspects an opaque token ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)). APIs use
    /// [`ResourceServer`](crate::resource_server::ResourceServer), which caches the responses.
    ///
    /// # Errors
    /// A server error, or a failed request. Neither means that the token is invalid.
    pub async fn introspect(&self, token: Secret) -> Result<Introspection, Error> {
        self.inner.provider.introspect(token).await
    }

    /// Revokes a refresh token, and with it the whole grant
    /// ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)). A token that the provider does not know is
    /// not an error.
    ///
    /// # Errors
    /// A server error, or a failed request.
    pub async fn revoke(&self, refresh_token: Secret) -> Result<(), Error> {
        self.inner.provider.revoke(refresh_token).await
    }
}

impl M2mState {
    /// Returns the error of the last fetch while it is too early for another.
    fn may_fetch(&self, target: &TokenTarget) -> Result<(), Error> {
        let now = self.provider.now();
        self.failures.get(target, now).map_or(Ok(()), Err)
    }

    /// Remembers a failure.
    fn remember(&self, target: TokenTarget, error: &Error) {
        let now = self.provider.now();
        let pause = error.retry_after().unwrap_or_default();
        let pause = pause.clamp(BACK_OFF, MAX_COOLDOWN);
        self.failures
            .insert(target, error.clone(), now.plus(pause), now);
    }
}

impl Provider {
    async fn client_credentials(
        self: &Arc<Self>,
        target: &TokenTarget,
    ) -> Result<AccessToken, Error> {
        let metadata = self.metadata().await?;
        let grant = ClientCredentials::new(&self.config, &metadata, target.clone(), self.now())?;
        self.exchange(grant).await
    }
}

impl fmt::Debug for M2mClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("M2mClient")
            .field("config", &self.inner.provider.config)
            .finish_non_exhaustive()
    }
}

//! Acting for the application itself: machine-to-machine tokens, and what else needs no user.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::FutureExt;
use logto_core::{
    AccessToken, LogtoConfig, Secret, TokenTarget,
    grants::{ClientCredentials, ExchangeToken, TypedToken},
    introspection::Introspection,
};

use crate::{
    context::{BuildError, Context},
    cooldown::Cooldown,
    error::Error,
    provider::Provider,
    single_flight::{Inflight, SingleFlight},
    ttl_map::TtlMap,
};

/// How many targets a client keeps tokens for. Whoever has more fetches some more often.
const MAX_TARGETS: usize = 10_000;
/// How long a target that could not be had is left alone.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A client for a machine-to-machine application, or for what any application may do in its own name.
///
/// Make one and clone it: clones share the tokens. A token is fetched by one flight, whoever asks
/// meanwhile waits for it; in the last fifth of its life a new one is fetched in the background while
/// the old one is still handed out. No lock is held while waiting. After a failure nobody asks for the
/// same token for a second, and nobody for any while the provider wants to be left alone: callers
/// without a token get the same error.
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
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<Provider>,
    tokens: TtlMap<TokenTarget, AccessToken>,
    flights: SingleFlight<TokenTarget, Result<AccessToken, Error>>,
    failures: TtlMap<TokenTarget, Error>,
    cooldown: Cooldown,
}

impl M2mClient {
    /// A client of this application. An [`HttpClient`](crate::http::HttpClient) alone is a [`Context`].
    ///
    /// # Errors
    /// What the context lacks.
    pub fn new(config: LogtoConfig, context: impl Into<Context>) -> Result<Self, BuildError> {
        let provider = Arc::new(Provider::new(config, context.into(), Arc::default())?);
        Ok(Self {
            inner: Arc::new(Inner {
                provider,
                tokens: TtlMap::new(MAX_TARGETS),
                flights: SingleFlight::default(),
                failures: TtlMap::new(MAX_TARGETS),
                cooldown: Cooldown::default(),
            }),
        })
    }

    /// A token for an API resource, an organization, or a resource within an organization, by the
    /// client credentials grant. Logto gives no scopes that the target does not name.
    ///
    /// # Errors
    /// The provider's verdict, or trouble on the way. A token that has not expired is handed out
    /// through trouble.
    pub async fn token(&self, target: &TokenTarget) -> Result<AccessToken, Error> {
        let now = self.inner.provider.now();
        let held = self.inner.tokens.get(target, now);
        match held.filter(|token| token.is_usable(now, Duration::ZERO)) {
            Some(token) if token.is_usable(now, token.expires_at.since(token.issued_at) / 5) => {
                Ok(token)
            }
            Some(token) => {
                if self.inner.may_ask(target).is_ok() {
                    drop(self.fetch(target));
                }
                Ok(token)
            }
            None => {
                self.inner.may_ask(target)?;
                self.fetch(target).await
            }
        }
    }

    /// Forgets the token for `target`, for example because the API refuses it.
    pub fn forget(&self, target: &TokenTarget) {
        self.inner.tokens.remove(target);
        self.inner.failures.remove(target);
    }

    fn fetch(&self, target: &TokenTarget) -> Inflight<Result<AccessToken, Error>> {
        let runtime = &*self.inner.provider.runtime;
        self.inner.flights.join(runtime, target.clone(), || {
            let (inner, target) = (Arc::clone(&self.inner), target.clone());
            async move {
                let outcome = inner.provider.client_credentials(&target).await;
                match &outcome {
                    Ok(token) => {
                        let (until, now) = (token.expires_at, inner.provider.now());
                        inner.tokens.insert(target, token.clone(), until, now);
                    }
                    Err(error) => inner.note(target, error),
                }
                outcome
            }
            .boxed()
        })
    }

    /// Exchanges a token that stands for a user, such as a subject token for an impersonation or a
    /// personal access token, for an access token of that user; `actor` is who acts for the user.
    /// Nothing is kept: a subject token is good once.
    ///
    /// # Errors
    /// The provider's verdict, or trouble on the way.
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

    /// Asks the provider what an opaque token is worth. An API has
    /// [`ResourceServer`](crate::resource_server::ResourceServer), which remembers the answers.
    ///
    /// # Errors
    /// The provider's verdict on the question, or trouble on the way; neither says anything about the
    /// token.
    pub async fn introspect(&self, token: Secret) -> Result<Introspection, Error> {
        self.inner.provider.introspect(token).await
    }

    /// Revokes a refresh token, and with it the whole grant.
    ///
    /// # Errors
    /// The provider's verdict, or trouble on the way. A token that the provider does not know is no
    /// error.
    pub async fn revoke(&self, refresh_token: Secret) -> Result<(), Error> {
        self.inner.provider.revoke(refresh_token).await
    }
}

impl Inner {
    /// The error of the last attempt, while it is too early for another.
    fn may_ask(&self, target: &TokenTarget) -> Result<(), Error> {
        let now = self.provider.now();
        self.cooldown.check(now)?;
        self.failures.get(target, now).map_or(Ok(()), Err)
    }

    fn note(&self, target: TokenTarget, error: &Error) {
        let now = self.provider.now();
        self.cooldown.learn(error, now);
        self.failures
            .insert(target, error.clone(), now.plus(BACK_OFF), now);
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

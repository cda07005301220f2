//! The provider: requests to its endpoints, and its metadata and keys.

mod cache;
mod sending;
mod waiting;

use std::sync::Arc;

use logto_core::{
    Exchange, LogtoConfig, Machine, Secret, Step, UnixTime,
    error::NoResponse,
    introspection::{Introspect, Introspection},
    refresh::Moment,
    revocation::RevokeRefreshToken,
    sign_in::{CompleteSignIn, IncompleteSignIn, Remedy, SignedIn},
    sign_out::SignOut,
};
use tokio::sync::Semaphore;
use url::Url;

pub(crate) use self::{
    cache::ProviderCache,
    sending::{Outgoing, Patience, Permit},
    waiting::WaitingBudget,
};
use crate::{
    context::{BuildError, BuiltContext, Context},
    credentials::Credentials,
    error::Error,
};

/// A sign-in that was not completed, for all callers that wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupted {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

/// One provider, with everything that it takes to talk to it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) config: LogtoConfig,
    pub(crate) context: BuiltContext,
    credentials: Credentials,
    permits: Semaphore,
    listeners: Semaphore,
    pub(crate) cache: Arc<ProviderCache>,
}

impl Provider {
    pub(crate) fn new(
        config: LogtoConfig,
        context: Context,
        cache: Arc<ProviderCache>,
    ) -> Result<Self, BuildError> {
        let (context, fallbacks) = context.build()?;
        Ok(Self {
            credentials: Credentials::new(&config, fallbacks)?,
            config,
            permits: Semaphore::new(context.limits.max_concurrent_requests),
            listeners: Semaphore::new(context.limits.max_listeners),
            context,
            cache,
        })
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.context.clock.now()
    }

    /// The time for the machines of the core.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            wall: self.context.clock.now(),
            monotonic: self.context.clock.monotonic(),
        }
    }

    /// Performs an exchange.
    pub(crate) async fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output, Error> {
        self.exchange_with(Patience::Request, exchange).await
    }

    /// Performs an exchange.
    pub(crate) async fn exchange_with<E: Exchange>(
        &self,
        patience: Patience,
        exchange: E,
    ) -> Result<E::Output, Error> {
        let response = self.send(Outgoing::of(&exchange, patience)).await?;
        Ok(exchange.accept(response, self.now())?)
    }

    /// Completes a sign-in. The machine decides which requests are sent again. The client listens for a late
    /// response to a code, because it holds the only copy of the first refresh token.
    pub(crate) async fn complete(
        &self,
        mut machine: CompleteSignIn,
    ) -> Result<SignedIn, Interrupted> {
        let mut no_response = None;
        loop {
            match machine.poll(self.now()) {
                Step::Wait(pause) => self.context.runtime.sleep(pause).await,
                Step::Send {
                    endpoint,
                    request,
                    is_repeatable,
                } => {
                    let outgoing = Outgoing {
                        endpoint,
                        request,
                        is_repeatable,
                        patience: match is_repeatable {
                            true => Patience::Request,
                            false => Patience::Listen,
                        },
                    };
                    match self.send(outgoing).await {
                        Ok(response) => machine.handle(response, self.now()),
                        Err(Error::Transport { endpoint, source }) => {
                            machine.handle_failure(NoResponse::from(&source), self.now());
                            no_response = Some(Error::Transport { endpoint, source });
                        }
                        // Something is missing here, so nothing was sent.
                        Err(error) => {
                            let remedy = Remedy::SameCallback;
                            return Err(Interrupted { error, remedy });
                        }
                    }
                }
                Step::Done(Ok(signed_in)) => return Ok(signed_in),
                Step::Done(Err(IncompleteSignIn { error, remedy, .. })) => {
                    // The transport knows more about its failure than the machine does.
                    let error = match (error, no_response) {
                        (logto_core::Error::NoResponse { .. }, Some(error)) => error,
                        (error, _) => error.into(),
                    };
                    return Err(Interrupted { error, remedy });
                }
            }
        }
    }

    /// Introspects a token. The response is not cached.
    pub(crate) async fn introspect(
        self: &Arc<Self>,
        token: Secret,
    ) -> Result<Introspection, Error> {
        let metadata = self.metadata().await?;
        let introspect = Introspect::new(&self.config, &metadata, token)?;
        self.exchange(introspect).await
    }

    /// The URL that ends the user's session at Logto. `None` if the provider's metadata could never be fetched.
    pub(crate) async fn sign_out_url(
        self: &Arc<Self>,
        config: &LogtoConfig,
        sign_out: &SignOut,
    ) -> Result<Option<Url>, Error> {
        match self.metadata().await {
            Ok(metadata) => Ok(Some(sign_out.url(config, &metadata)?)),
            Err(_) => Ok(None),
        }
    }

    /// Revokes a refresh token, and with it the whole grant.
    pub(crate) async fn revoke(self: &Arc<Self>, refresh_token: Secret) -> Result<(), Error> {
        let metadata = self.metadata().await?;
        let revoke = RevokeRefreshToken::new(&self.config, &metadata, refresh_token)?;
        self.exchange(revoke).await
    }
}

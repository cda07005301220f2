//! Sending requests: how many at the same time, authenticated how, and how long each may take.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response};
use logto_core::{Exchange, client_authentication, error::Endpoint};
use tokio::sync::SemaphorePermit;

use super::Provider;
use crate::{
    error::Error,
    http::{FreshConnection, TransportError},
    single_flight::lock,
};

/// The permit of a job to send one request at a time. The job has none before its first request, and after a
/// request that it only listens for.
pub(crate) type Permit<'a> = Option<SemaphorePermit<'a>>;

/// How long to wait for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For the request timeout.
    Request,
    /// For the listen timeout: the response may hold the only copy of a refresh token.
    Listen,
}

/// A request to send.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(super) endpoint: Endpoint,
    pub(super) request: Request<Bytes>,
    pub(super) is_repeatable: bool,
    pub(super) patience: Patience,
}

impl Outgoing {
    pub(crate) fn of<E: Exchange>(exchange: &E, patience: Patience) -> Self {
        Self {
            endpoint: E::ENDPOINT,
            request: exchange.request(),
            is_repeatable: E::IS_REPEATABLE,
            patience,
        }
    }

    fn failed(&self, source: TransportError) -> Error {
        let endpoint = self.endpoint;
        Error::Transport { endpoint, source }
    }
}

impl Provider {
    /// Waits for `work`, at most this long; `None` if it takes longer.
    pub(crate) async fn within<T>(
        &self,
        duration: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match select(std::pin::pin!(work), self.context.runtime.sleep(duration)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }

    /// Sends a request: a repeatable one once more when the connection fails and the retry budget allows it,
    /// any other one over a connection that was not idle, because idle connections are how responses are
    /// usually lost.
    ///
    /// A provider that does not answer in time is not asked again, as that would double the wait.
    pub(super) async fn send(&self, mut outgoing: Outgoing) -> Result<Response<Bytes>, Error> {
        let retries = &self.cache.retries;
        lock(retries).deposit();
        if !outgoing.is_repeatable {
            outgoing.request.extensions_mut().insert(FreshConnection);
            return self.send_with(&mut None, outgoing).await;
        }
        let began = self.context.clock.monotonic();
        let first = self.send_with(&mut None, outgoing.clone()).await;
        let took = self.context.clock.monotonic().saturating_sub(began);
        match first {
            Err(Error::Transport {
                source: TransportError::NotSent(_) | TransportError::Lost(_),
                ..
            }) if took < self.context.limits.request_timeout && lock(retries).withdraw() => {
                self.send_with(&mut None, outgoing).await
            }
            response => response,
        }
    }

    /// Sends a request, with client authentication where it needs that. If the authentication is refused,
    /// the request is sent again with the next one: the provider has not processed it.
    pub(crate) async fn send_with<'a>(
        &'a self,
        permit: &mut Permit<'a>,
        outgoing: Outgoing,
    ) -> Result<Response<Bytes>, Error> {
        let mut which = self.credentials.current();
        for _ in 1..self.credentials.len() {
            let response = self.send_as(which, permit, outgoing.clone()).await?;
            if !client_authentication::is_refused(&response) {
                return Ok(response);
            }
            which = self.credentials.after(which);
        }
        self.send_as(which, permit, outgoing).await
    }

    async fn send_as<'a>(
        &'a self,
        which: usize,
        permit: &mut Permit<'a>,
        mut outgoing: Outgoing,
    ) -> Result<Response<Bytes>, Error> {
        self.obtain_permit(permit, &outgoing).await?;
        let request = std::mem::take(&mut outgoing.request);
        let request =
            self.credentials
                .authenticate(which, request, &*self.context.entropy, self.now())?;
        let mut response = self.context.http.send(request);
        let limits = self.context.limits;
        let mut waited = limits.request_timeout;
        let mut answer = self.within(waited, &mut response).await;
        if answer.is_none() {
            if let Some(_listener) = self.listener(outgoing.patience) {
                // From here on it only listens, so that another request may be sent meanwhile.
                *permit = None;
                let rest = limits.listen_timeout.saturating_sub(waited);
                answer = self.within(rest, response).await;
                waited = limits.listen_timeout;
            }
        }
        answer
            .unwrap_or_else(|| Err(TransportError::late(waited)))
            .map_err(|source| outgoing.failed(source))
    }

    /// Waits for a permit to send a request, at most for the request timeout, unless there is one. Without a
    /// permit, nothing has been sent.
    pub(crate) async fn obtain_permit<'a>(
        &'a self,
        permit: &mut Permit<'a>,
        outgoing: &Outgoing,
    ) -> Result<(), Error> {
        if permit.is_none() {
            let acquired = self.within(self.context.limits.request_timeout, self.permits.acquire());
            // The semaphore is never closed.
            *permit = acquired.await.and_then(Result::ok);
        }
        if permit.is_none() {
            let busy = TransportError::NotSent("too many requests are running".to_owned());
            return Err(outgoing.failed(busy));
        }
        Ok(())
    }

    /// A permit to listen for a late response; `None` if the response is not worth it, or if too many
    /// requests listen already.
    fn listener(&self, patience: Patience) -> Option<SemaphorePermit<'_>> {
        match patience {
            Patience::Request => None,
            Patience::Listen => self.listeners.try_acquire().ok(),
        }
    }
}

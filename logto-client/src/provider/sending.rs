//! Sending requests: how many at the same time, authenticated how, and how long each may take.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response};
use logto_core::{client_authentication, error::Endpoint};
use tokio::sync::SemaphorePermit;

use super::Provider;
use crate::{
    error::Error,
    http::{FreshConnection, TransportError},
    runtime::BoxedFuture,
    single_flight::lock,
};

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
    /// Waits for a permit to send a request, at most for the request timeout. Without a permit, nothing has
    /// been sent.
    pub(crate) async fn permit(&self, endpoint: Endpoint) -> Result<Permit<'_>, Error> {
        let permit = self.permits.acquire().boxed_future();
        match select(permit, self.runtime.sleep(self.limits.request_timeout)).await {
            // The semaphore is never closed.
            Either::Left((permit, _)) => Ok(Permit(Mutex::new(permit.ok()))),
            Either::Right(_) => Err(Error::Transport {
                endpoint,
                source: TransportError::NotSent("too many requests are running".to_owned()),
            }),
        }
    }

    /// Sends a request: a repeatable one once more when the connection fails, any other one over a
    /// connection that was not idle, because idle connections are how responses are usually lost.
    ///
    /// A provider that does not answer in time is not asked again, as that would double the wait.
    pub(super) async fn send(
        &self,
        patience: Patience,
        endpoint: Endpoint,
        mut request: Request<Bytes>,
        is_repeatable: bool,
    ) -> Result<Response<Bytes>, Error> {
        if !is_repeatable {
            request.extensions_mut().insert(FreshConnection);
            return self.send_once(patience, endpoint, request).await;
        }
        let began = self.clock.monotonic();
        let first = self.send_once(patience, endpoint, request.clone()).await;
        let took = self.clock.monotonic().saturating_sub(began);
        match first {
            Err(Error::Transport {
                source: TransportError::NotSent(_) | TransportError::Lost(_),
                ..
            }) if took < self.limits.request_timeout => {
                self.send_once(patience, endpoint, request).await
            }
            response => response,
        }
    }

    /// Sends a request with a permit of its own.
    async fn send_once(
        &self,
        patience: Patience,
        endpoint: Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let permit = self.permit(endpoint).await?;
        self.send_from(&permit, patience, endpoint, request).await
    }

    /// Sends a request, with client authentication where it needs that. If the authentication is refused,
    /// the request is sent again with the next one: the provider has not processed it.
    pub(crate) async fn send_from(
        &self,
        permit: &Permit<'_>,
        patience: Patience,
        endpoint: Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let mut which = self.credentials.current();
        for _ in 1..self.credentials.len() {
            let request = self.authenticate(which, request.clone())?;
            let response = self
                .send_authenticated(permit, patience, endpoint, request)
                .await?;
            if !client_authentication::is_refused(&response) {
                return Ok(response);
            }
            which = self.credentials.after(which);
        }
        let request = self.authenticate(which, request)?;
        self.send_authenticated(permit, patience, endpoint, request)
            .await
    }

    fn authenticate(&self, which: usize, request: Request<Bytes>) -> Result<Request<Bytes>, Error> {
        self.credentials
            .authenticate(which, request, &*self.entropy, self.now())
    }

    async fn send_authenticated(
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
            Either::Left((response, _)) => return response.map_err(failed),
            Either::Right((_, response)) => response,
        };
        let Some(_listener) = self.listener(patience) else {
            return Err(late(limits.request_timeout));
        };
        // From here on it only listens, so that another request may be sent meanwhile.
        permit.give_back();
        let rest = limits.listen_timeout.saturating_sub(limits.request_timeout);
        match select(response, self.runtime.sleep(rest)).await {
            Either::Left((response, _)) => response.map_err(failed),
            Either::Right(_) => Err(late(limits.listen_timeout)),
        }
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

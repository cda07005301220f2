//! The actions that talk to the provider.

use std::time::Duration;

use logto_core::{
    Exchange, Secret,
    grants::RefreshTokens,
    refresh::{Attempt, Event, IdTokenCheck},
};

use super::Driver;
use crate::{
    cooldown::Admitted,
    error::Error,
    http::TransportError,
    provider::{Outgoing, Patience},
    single_flight::lock,
};

impl Driver<'_> {
    pub(super) async fn prepare(&self) -> Event<Error> {
        self.give_permit_back().await;
        let provider = &self.refresher.provider;
        let prepared = async {
            let metadata = provider.metadata().await?;
            // Before the refresh token is spent, so that a failure costs nothing.
            provider.keys().await?;
            Ok(metadata)
        };
        prepared.await.map_or_else(Event::Failed, Event::Prepared)
    }

    pub(super) async fn ask(&self, token: Secret) -> Event<Error> {
        self.give_permit_back().await;
        match self.introspect(token).await {
            Ok(is_active) if is_active => Event::Active,
            Ok(_) => Event::Inactive,
            // Nobody was asked.
            Err(error @ Error::Protocol(logto_core::Error::Discovery(_))) => Event::Failed(error),
            Err(error) if error.advice().is_retry() => Event::Failed(error),
            Err(_) => Event::Unanswered,
        }
    }

    /// Whether a token is active. The endpoint has a cooldown of its own: what it asks for says nothing about
    /// the token endpoint.
    async fn introspect(&self, token: Secret) -> Result<bool, Error> {
        let provider = &self.refresher.provider;
        let cooldown = &self.refresher.memory.introspection_cooldown;
        let introspection = cooldown.admitted(&*provider.context.clock, provider.introspect(token));
        Ok(introspection.await??.active)
    }

    pub(super) async fn send(
        &self,
        exchange: RefreshTokens,
        attempt: Attempt,
        start_by: Option<Duration>,
    ) -> Event<Error> {
        let provider = &self.refresher.provider;
        let admitted = match self.admit(attempt) {
            Ok(admitted) => admitted,
            Err(error) => return Event::Withheld(error),
        };
        let sent = async {
            let mut permit = self.permit.lock().await;
            let outgoing = Outgoing::of(&exchange, Patience::Listen);
            let permitted = provider.obtain_permit(&mut permit, &outgoing);
            if let Err(error) = permitted.await {
                return Event::NotSent(error);
            }
            let sent_at = provider.context.clock.monotonic();
            if start_by.is_some_and(|start_by| sent_at >= start_by) {
                return Event::TooLate;
            }
            match provider.send_with(&mut permit, outgoing).await {
                Ok(response) => Event::Response {
                    answer: exchange.accept(response, provider.now()),
                    sent_at,
                },
                Err(
                    error @ Error::Transport {
                        source: TransportError::NotSent(_),
                        ..
                    },
                ) => Event::NotSent(error),
                Err(error @ Error::Transport { .. }) => Event::Lost {
                    failure: error,
                    sent_at,
                },
                // Something is missing here, so nothing was sent.
                Err(error) => Event::Withheld(Some(error)),
            }
        };
        let event = sent.await;
        if let Event::Response { answer, .. } = &event {
            let error = answer.as_ref().err().cloned().map(Error::from);
            admitted.answered(error.as_ref(), provider.now());
        }
        event
    }

    /// Gives the permit of the last attempt back before anything else is sent, which takes a permit of its own:
    /// if every permit belonged to a job that waits for another one, no job would go on.
    async fn give_permit_back(&self) {
        *self.permit.lock().await = None;
    }

    /// Whether this attempt may be made now.
    fn admit(&self, attempt: Attempt) -> Result<Admitted<'_>, Option<Error>> {
        let (provider, cooldown) = (&self.refresher.provider, &self.refresher.memory.cooldown);
        let mut retries = lock(&provider.cache.retries);
        match attempt {
            Attempt::First => {
                retries.deposit();
                cooldown.admit(provider.now()).map_err(Some)
            }
            Attempt::Reconnect if !retries.withdraw() => Err(None),
            // A replay may save a session. What the provider asked for after the first attempt is respected by
            // every later request.
            Attempt::Reconnect | Attempt::Replay => Ok(cooldown.bypass()),
        }
    }

    pub(super) fn judge(&self, check: &IdTokenCheck) -> Event<Error> {
        let provider = &self.refresher.provider;
        let keys = provider.cached_keys();
        // An empty set lacks every key, by its name.
        let judged = check.verify(&keys.clone().unwrap_or_default(), provider.now());
        *lock(&self.judged_with) = keys;
        Event::Judged(judged)
    }

    pub(super) async fn fetch_keys(&self) -> Event<Error> {
        self.give_permit_back().await;
        let provider = &self.refresher.provider;
        let known = lock(&self.judged_with).clone();
        let fetched = match known {
            Some(known) => provider.keys_newer_than(&known).await.map(drop),
            None => provider.keys().await.map(drop),
        };
        fetched.map_or_else(Event::Failed, |()| Event::KeysFetched)
    }
}

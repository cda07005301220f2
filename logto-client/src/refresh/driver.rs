//! Runs jobs on sessions: one loop, and one method for each action.

mod keeping;
mod provider;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use logto_core::{
    Session,
    error::UsageError,
    jwt::KeySet,
    refresh::{Action, Event, NEWEST_FOR, Notice, SessionJob, Step, TokenStatus, back_off},
};

use self::keeping::HeldLease;
use super::{LoadedSession, Refresher};
use crate::{
    error::Error,
    event::Event as Observed,
    ledger,
    provider::{Permit, Provider},
    runtime::{BoxFuture, BoxedFuture},
    single_flight::lock,
    storage::{Handle, Version},
};

/// How long a refresh token is known not to be the newest.
const REPLACED_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Runs jobs on one session.
pub(super) struct Driver<'a> {
    refresher: &'a Refresher,
    /// The session when the job began: who it is does not change.
    subject: Arc<Session>,
    position: Mutex<(Handle, Version)>,
    lease: Mutex<Option<HeldLease>>,
    /// When the lease was asked for, by the monotonic clock.
    asked_at: Mutex<Duration>,
    /// Kept from the first attempt to the replay that may follow it, which then does not have to wait for another.
    permit: tokio::sync::Mutex<Permit<'a>>,
    judged_with: Mutex<Option<Arc<KeySet>>>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(refresher: &'a Refresher, loaded: &LoadedSession) -> Self {
        Self {
            refresher,
            subject: Arc::clone(&loaded.session),
            position: Mutex::new((loaded.handle.clone(), loaded.version)),
            lease: Mutex::default(),
            asked_at: Mutex::default(),
            permit: tokio::sync::Mutex::default(),
            judged_with: Mutex::default(),
        }
    }

    /// The session as a job left it, with where it is stored now.
    pub(super) fn into_loaded(
        self,
        session: Arc<Session>,
        needs_write_back: bool,
    ) -> LoadedSession {
        let (handle, version) = self.position();
        LoadedSession {
            handle,
            session,
            version,
            needs_write_back,
        }
    }

    /// Where the session is stored now.
    fn position(&self) -> (Handle, Version) {
        lock(&self.position).clone()
    }

    /// Performs the actions of a job until it is done.
    ///
    /// # Errors
    /// As [`run`].
    pub(super) async fn drive<J: SessionJob<Error>>(&self, job: J) -> Result<J::Output, Error> {
        let output = run(&self.refresher.provider, job, |action| self.perform(action)).await?;
        self.keep_lease();
        Ok(output)
    }

    /// Begins an action; `None` if nothing answers it.
    fn perform<'b>(&'b self, action: Action<Error>) -> Option<BoxFuture<'b, Event<Error>>> {
        Some(match action {
            Action::Load => self.load().boxed_future(),
            Action::Recall {
                refresh_token,
                missing,
            } => self.recall(refresh_token, missing).boxed_future(),
            Action::Prepare => self.prepare().boxed_future(),
            Action::Lease { ttl } => self.take_lease(ttl).boxed_future(),
            Action::Renew { ttl } => self.renew(ttl).boxed_future(),
            Action::Release => self.release().boxed_future(),
            Action::Ask { token } => self.ask(token).boxed_future(),
            Action::Send {
                exchange,
                attempt,
                start_by,
            } => self.send(exchange, attempt, start_by).boxed_future(),
            Action::BackOff { attempt } => self.back_off(attempt).boxed_future(),
            Action::Judge(check) => std::future::ready(self.judge(&check)).boxed_future(),
            Action::FetchKeys => self.fetch_keys().boxed_future(),
            Action::Record { spent, delta } => self.record(spent, delta).boxed_future(),
            Action::Store { session } => self.store(session).boxed_future(),
            Action::Remove => self.remove().boxed_future(),
            Action::Revoke { refresh_token } => self
                .refresher
                .revocation(refresh_token)
                .map(|()| Event::Revoked)
                .boxed_future(),
            background => {
                self.perform_in_background(background);
                return None;
            }
        })
    }

    fn perform_in_background(&self, action: Action<Error>) {
        let refresher = self.refresher;
        let now = refresher.provider.now();
        let memory = &refresher.memory;
        match action {
            Action::RevokeLater { refresh_token } => {
                let task = refresher.revocation(refresh_token).boxed_future();
                refresher.provider.context.runtime.spawn(task);
            }
            Action::Note {
                refresh_token,
                status,
            } => {
                let lifetime = match status {
                    TokenStatus::Newest { .. } => NEWEST_FOR,
                    TokenStatus::Replaced { .. } => REPLACED_LIFETIME,
                };
                let key = ledger::fingerprint(&refresh_token);
                memory.statuses.insert(key, status, now.plus(lifetime), now);
            }
            Action::Remember {
                target,
                error,
                lifetime,
            } => {
                let key = (self.subject.id().clone(), target);
                memory.refusals.insert(key, error, now.plus(lifetime), now);
            }
            Action::MarkEnded(end) => refresher.mark_ended(&self.subject, end),
            Action::Tell(notice) => self.tell(notice),
            // Every other action has an answer, and is performed above.
            _ => {}
        }
    }

    async fn back_off(&self, attempt: u32) -> Event<Error> {
        let provider = &self.refresher.provider;
        let mut byte = [0; 1];
        // Without randomness the pause is the same each time, which is no harm.
        let _ = provider.context.entropy.fill(&mut byte);
        let pause = back_off(attempt, byte[0]);
        provider.context.runtime.sleep(pause).await;
        Event::BackedOff
    }

    fn tell(&self, notice: Notice<Error>) {
        let session = self.subject.id().clone();
        let observed = match notice {
            Notice::Refreshed { target, rotated } => Observed::Refreshed {
                session,
                target,
                rotated,
            },
            Notice::RefreshUncertain => Observed::RefreshUncertain { session },
            Notice::NotStored(failure) => Observed::NotStored {
                session,
                reason: failure.map_or_else(
                    || "every write met another writer".to_owned(),
                    |failure| failure.to_string(),
                ),
            },
            Notice::Superseded => Observed::Superseded { session },
            Notice::ClientRefused => Observed::ClientRefused,
            _ => return,
        };
        self.refresher.provider.context.observer.on_event(&observed);
    }
}

/// Runs a job until it is done.
///
/// # Errors
/// [`UsageError::AlreadyDone`] if the job waits although nothing is in progress, which no job does.
async fn run<'a, J: SessionJob<Error>>(
    provider: &Provider,
    mut job: J,
    perform: impl Fn(Action<Error>) -> Option<BoxFuture<'a, Event<Error>>>,
) -> Result<J::Output, Error> {
    let mut under_way = FuturesUnordered::new();
    loop {
        match job.poll(provider.moment()) {
            Step::Done(output) => return Ok(output),
            Step::Perform(action) => under_way.extend(perform(action)),
            Step::Wait { until } => {
                let pause =
                    until.map(|until| until.saturating_sub(provider.context.clock.monotonic()));
                let event = match pause {
                    None => under_way.next().await.ok_or(UsageError::AlreadyDone)?,
                    Some(pause) if under_way.is_empty() => {
                        provider.context.runtime.sleep(pause).await;
                        Event::Time
                    }
                    Some(pause) => {
                        let first = provider.within(pause, under_way.next()).await;
                        first.flatten().unwrap_or(Event::Time)
                    }
                };
                job.handle(event, provider.moment());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use logto_core::{LogtoConfig, refresh::Moment};

    use super::*;
    use crate::{Context, http::TransportError, http::http_fn};

    /// Waits, after one action or none, although nothing is in progress.
    struct Stuck(Option<Action<Error>>);

    impl SessionJob<Error> for Stuck {
        type Output = ();

        fn poll(&mut self, _: Moment) -> Step<Error, ()> {
            let action = self.0.take().map(Step::Perform);
            action.unwrap_or(Step::Wait { until: None })
        }

        fn state(&self) -> &'static str {
            "Stuck"
        }

        fn handle(&mut self, _: Event<Error>, _: Moment) {}
    }

    #[tokio::test]
    async fn a_job_that_waits_for_nothing_ends_with_an_error() {
        let config = LogtoConfig::builder("https://tenant.logto.app", "app").build();
        let http = http_fn(|_| async { Err(TransportError::NotSent("no network".to_owned())) });
        let provider = Provider::new(config.unwrap(), Context::new(http), Arc::default()).unwrap();
        for action in [None, Some(Action::Release)] {
            let perform = |_| Some(std::future::ready(Event::Released).boxed_future());
            let ended = run(&provider, Stuck(action), perform).await;
            let is_stuck =
                |error: &Error| error.code() == Error::from(UsageError::AlreadyDone).code();
            assert!(ended.is_err_and(|error| is_stuck(&error)));
        }
    }
}

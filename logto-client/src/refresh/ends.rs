//! Which sessions have ended: what this process knows, learns from others, and tells them.

use std::{sync::Arc, time::Duration};

use logto_core::{
    Session, UnixTime,
    refresh::{ConfirmSession, Confirmation, SessionEnd},
    session::SessionId,
};

use super::{LoadedSession, Refresher, driver::Driver};
use crate::{
    error::Error,
    event::Event,
    runtime::BoxedFuture,
    storage::{Ended, Handle, StorageError},
};

/// How long an ended handle is remembered: as long as the response may take to set its cookies.
const ENDED_HANDLE_LIFETIME: Duration = Duration::from_secs(60);
/// How long a request waits for the provider's response whether its session has ended. A later response counts
/// for the next request.
const CONFIRMATION_WAIT: Duration = Duration::from_secs(2);
/// How long a response of the provider is remembered, including that this application may not introspect
/// tokens.
const CONFIRMATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long a request that the provider did not answer is not repeated.
const CONFIRMATION_RETRY_PAUSE: Duration = Duration::from_secs(60);

impl Refresher {
    /// Whether a session has ended, as far as this process knows.
    pub(crate) fn session_has_ended(&self, session: &Session) -> bool {
        let now = self.provider.now();
        self.memory.ends.include_session(session, now)
    }

    /// Notes that a handle finds a session that is over, for whoever can take it from the browser.
    pub(crate) fn note_over(&self, handle: &Handle, end: SessionEnd) {
        self.storage.forget_opened(handle);
        let now = self.monotonic();
        let (handle, until) = (handle.without_parts(), now.plus(ENDED_HANDLE_LIFETIME));
        self.memory.over.insert(handle, end, until, now);
    }

    /// Notes which of these handles find no session any more because it has reached its longest lifetime. A
    /// storage that does not answer is not asked again: only the reason is missing then.
    pub(crate) async fn note_lifetime_reached(&self, handles: &[Handle]) {
        let now = self.provider.now();
        for handle in handles {
            if let Ok(Some(session)) = self.storage.lifetime_reached(handle, now).await {
                if self.memory.ends.mark_too_old(&session, now) {
                    self.tell_end(session, SessionEnd::LifetimeReached);
                }
                self.note_over(handle, SessionEnd::LifetimeReached);
            }
        }
    }

    /// Why the session of this handle is over, if that was found just now.
    pub(crate) fn end_of(&self, handle: &Handle) -> Option<SessionEnd> {
        let (over, now) = (&self.memory.over, self.monotonic());
        over.get(&handle.without_parts(), now)
    }

    pub(super) fn mark_ended(&self, session: &Session, reason: SessionEnd) {
        if self.memory.ends.mark(session, self.provider.now()) {
            self.tell_end(session.id().clone(), reason);
        }
    }

    fn tell_end(&self, session: SessionId, reason: SessionEnd) {
        let ended = Event::SessionEnded { session, reason };
        self.provider.context.observer.on_event(&ended);
    }

    /// Learns whether a session in cookies has ended although this process has no mark of it: from the
    /// processes that share the ledger, or, if this process may have forgotten the end and they do not
    /// tell, from the provider.
    ///
    /// A storage on the server tells by itself: what has ended is not stored any more.
    ///
    /// # Errors
    /// [`Error::Superseded`] if the provider does not know the refresh token any more, and it is not clear
    /// yet whether the browser has a newer one.
    pub(crate) async fn learn_of_end(
        self: &Arc<Self>,
        loaded: &LoadedSession,
    ) -> Result<Option<SessionEnd>, Error> {
        if self.storage.is_authoritative() {
            return Ok(None);
        }
        if self.has_ended_elsewhere(&loaded.session).await {
            return Ok(Some(SessionEnd::Removed));
        }
        let now = self.monotonic();
        match self.memory.ends.may_have_forgotten(&loaded.session, now) {
            true => self.ask_provider(loaded).await,
            false => Ok(None),
        }
    }

    /// What the shared ledger says, unless it was asked just now. One that does not answer is asked again later.
    async fn has_ended_elsewhere(&self, session: &Session) -> bool {
        let Some(shared) = &self.shared_ledger else {
            return false;
        };
        let (asked, now) = (&self.memory.asked, self.monotonic());
        let until = now.plus(self.options.ends_known_within);
        let id = session.id();
        if asked.get(id, now).is_some() || !asked.insert(id.clone(), (), until, now) {
            return false;
        }
        let last_mark = self.memory.ends.last_mark();
        match shared.has_ended(session).await {
            Ok(true) => {
                self.memory.ends.mark(session, self.provider.now());
                true
            }
            Ok(false) => {
                // It keeps ends as long as cookies live, also those that this process has forgotten.
                self.confirm(session, last_mark, CONFIRMATION_LIFETIME);
                false
            }
            Err(_) => false,
        }
    }

    async fn ask_provider(
        self: &Arc<Self>,
        loaded: &LoadedSession,
    ) -> Result<Option<SessionEnd>, Error> {
        let runtime = &*self.provider.context.runtime;
        let confirmation = self.memory.confirmations.join(runtime, loaded.key(), || {
            let (refresher, loaded) = (Arc::clone(self), loaded.clone());
            async move { refresher.confirm_with_provider(&loaded).await }.boxed_future()
        });
        let confirmation = self.provider.within(CONFIRMATION_WAIT, confirmation);
        match confirmation.await {
            Some(Confirmation::Ended(end)) => Ok(Some(end)),
            Some(Confirmation::Superseded) => Err(Error::Superseded),
            // Nobody is signed out without an answer.
            Some(Confirmation::Alive | Confirmation::Unknown(_)) | None => Ok(None),
        }
    }

    async fn confirm_with_provider(&self, loaded: &LoadedSession) -> Confirmation<Error> {
        let (session, last_mark) = (&loaded.session, self.memory.ends.last_mark());
        let is_exclusive = self.is_exclusive(session);
        let job = ConfirmSession::new(Arc::clone(session), is_exclusive, self.provider.moment());
        let confirmation = Driver::new(self, loaded).drive(job).await;
        let confirmation = confirmation.unwrap_or_else(|error| Confirmation::Unknown(Some(error)));
        match &confirmation {
            Confirmation::Alive => {
                self.confirm(session, last_mark, CONFIRMATION_LIFETIME);
            }
            Confirmation::Unknown(failure) => {
                let pause = match failure {
                    Some(_) => CONFIRMATION_RETRY_PAUSE,
                    None => CONFIRMATION_LIFETIME,
                };
                // Whatever is forgotten in this time.
                self.confirm(session, u64::MAX, pause);
                self.provider
                    .context
                    .observer
                    .on_event(&Event::SessionNotConfirmed {
                        session: session.id().clone(),
                        reason: failure.as_ref().map_or_else(
                            || "the provider does not answer this application".to_owned(),
                            ToString::to_string,
                        ),
                    });
            }
            // What the refresh token's status is, and that the session has ended, is remembered as such.
            Confirmation::Ended(_) | Confirmation::Superseded => {}
        }
        confirmation
    }

    fn confirm(&self, session: &Session, last_mark: u64, lifetime: Duration) {
        let now = self.monotonic();
        let ends = &self.memory.ends;
        ends.confirm(session.id(), last_mark, now.plus(lifetime), now);
    }

    /// Tells other processes of an end, where sessions are in cookies.
    pub(super) async fn tell_of_end(
        &self,
        ended: &Ended,
        at: UnixTime,
    ) -> Result<(), StorageError> {
        match &self.shared_ledger {
            Some(shared) if !self.storage.is_authoritative() => {
                let ttl = self.storage.longest_lifetime();
                shared.record_end(ended, at, ttl).await
            }
            _ => Ok(()),
        }
    }

    /// Whether an end that this process hears of is known after a restart, and to other processes.
    pub(crate) fn remembers_ends(&self) -> bool {
        self.storage.is_authoritative() || self.shared_ledger.is_some()
    }
}

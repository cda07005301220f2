//! The actions and events of a job on a session.

use std::{sync::Arc, time::Duration};

use super::{IdTokenCheck, Moment, TokenStatus};
use crate::{
    error::{Error, TokenError},
    grants::{RefreshTokens, Refreshed},
    metadata::ProviderMetadata,
    secret::Secret,
    session::{Session, SessionDelta, VerifiedIdToken},
    tokens::TokenTarget,
};

/// A job on one session: obtaining a token, ending the session, or changing what is stored.
///
/// Call [`poll`](Self::poll) until it returns [`Step::Wait`] or [`Step::Done`], perform the actions it
/// returns, and report the result of each to [`handle`](Self::handle). `F` is the caller's own error type;
/// the job passes its values on.
pub trait SessionJob<F> {
    /// The result of the job.
    type Output;

    /// The next step.
    fn poll(&mut self, now: Moment) -> Step<F, Self::Output>;

    /// The name of the state, as in the tables of the [module](super).
    fn state(&self) -> &'static str;

    /// Takes the result of an action, or the time that the job waited for. An event that the job does not
    /// wait for, such as a lease renewal after the end, changes nothing.
    fn handle(&mut self, event: Event<F>, now: Moment);
}

/// What a [`SessionJob`] needs next.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a step lives for one iteration of a loop"
)]
pub enum Step<F, T> {
    /// Begin this action, and poll again at once.
    Perform(Action<F>),
    /// Wait for the event of an action in progress, or until this monotonic time, then report
    /// [`Event::Time`].
    Wait {
        /// When to report the time if no other event comes first.
        until: Option<Duration>,
    },
    /// The job has ended.
    Done(T),
}

impl<F, T> Step<F, T> {
    /// The event to report if no other process uses these sessions and no ledger is kept: the lease is ours,
    /// and nothing is known besides the session. `None` if an action has to be performed, or there is none.
    pub fn event_if_alone(&self) -> Option<Event<F>> {
        let Self::Perform(action) = self else {
            return None;
        };
        match action {
            Action::Recall { .. } => Some(Event::Recalled(Knowledge::default())),
            Action::Lease { .. } => Some(Event::Leased(LeaseGrant::default())),
            Action::Renew { .. } => Some(Event::Renewed(Some(true))),
            Action::Record { .. } => Some(Event::Recorded {
                has_ended: false,
                is_shared: true,
            }),
            Action::Release => Some(Event::Released),
            _ => None,
        }
    }
}

/// An action that a [`SessionJob`] needs. Each names the events that report its result; some have none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action<F> {
    /// Read the session from its storage: [`Event::Loaded`], [`Event::Gone`] or [`Event::Failed`].
    Load,
    /// Look up what is known about this refresh token, in this process and in the shared ledger:
    /// [`Event::Recalled`].
    Recall {
        /// The refresh token that the session holds.
        refresh_token: Secret,
        /// The target for which a token is missing. Another process may have fetched it without replacing the
        /// refresh token.
        missing: Option<TokenTarget>,
    },
    /// Fetch the provider's metadata and keys, unless they are cached: [`Event::Prepared`] or
    /// [`Event::Failed`].
    Prepare,
    /// Take the lease of the session: [`Event::Leased`], [`Event::Busy`] or [`Event::Failed`].
    Lease {
        /// For how long.
        ttl: Duration,
    },
    /// Renew the lease: [`Event::Renewed`].
    Renew {
        /// For how long, from now on.
        ttl: Duration,
    },
    /// Release the lease: [`Event::Released`], even if that fails.
    Release,
    /// Ask the introspection endpoint about a token of this session: [`Event::Active`],
    /// [`Event::Inactive`], [`Event::Unanswered`] or [`Event::Failed`].
    Ask {
        /// The token.
        token: Secret,
    },
    /// Send the refresh request: [`Event::Response`], [`Event::NotSent`], [`Event::Lost`],
    /// [`Event::Withheld`] or [`Event::TooLate`].
    Send {
        /// The request, and the interpretation of its response.
        exchange: RefreshTokens,
        /// Why it is sent, which decides whether a cooldown or the retry budget can withhold it.
        attempt: Attempt,
        /// The request must be sent before this monotonic time, or not at all.
        start_by: Option<Duration>,
    },
    /// Pause for a short random time that grows with `attempt`: [`Event::BackedOff`].
    BackOff {
        /// The number of attempts so far.
        attempt: u32,
    },
    /// Check the ID token with the cached keys: [`Event::Judged`].
    Judge(IdTokenCheck),
    /// Fetch the key set, because it lacks a key: [`Event::KeysFetched`] or [`Event::Failed`].
    FetchKeys,
    /// Record the result of spending a refresh token in the ledgers: [`Event::Recorded`].
    Record {
        /// The refresh token that was spent.
        spent: Secret,
        /// The result.
        delta: SessionDelta,
    },
    /// Write the session, if its stored version is the one that was loaded: [`Event::Stored`],
    /// [`Event::Conflict`], [`Event::Gone`] or [`Event::StoreFailed`].
    Store {
        /// The session to write.
        session: Arc<Session>,
    },
    /// Remove the session from its storage, and with it the lease: [`Event::Removed`] or
    /// [`Event::Failed`].
    Remove,
    /// Revoke a refresh token and wait for it: [`Event::Revoked`], even if that fails.
    Revoke {
        /// The newest refresh token of the session.
        refresh_token: Secret,
    },
    /// Revoke a refresh token in the background. No event.
    RevokeLater {
        /// The newest refresh token of the session.
        refresh_token: Secret,
    },
    /// Remember the status of a refresh token. No event.
    Note {
        /// The refresh token.
        refresh_token: Secret,
        /// Its status.
        status: TokenStatus,
    },
    /// Remember a refusal of the provider for a while, so that the request is not repeated at once. No event.
    Remember {
        /// The refused target ([`Knowledge::refusal`]); all targets if `None` ([`Knowledge::pause`]).
        target: Option<TokenTarget>,
        /// The provider's error.
        error: Error,
        /// For how long.
        lifetime: Duration,
    },
    /// Refuse this session in this process from now on. No event.
    MarkEnded(SessionEnd),
    /// Report to the operator. No event.
    Tell(Notice<F>),
}

/// Why a refresh request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// For the first time. A cooldown withholds it.
    First,
    /// Again, because it was not sent. An empty retry budget withholds it.
    Reconnect,
    /// Again, because its response was lost or refused an access token, and Logto may have replaced the
    /// refresh token. Nothing withholds it.
    Replay,
}

/// The result of an [`Action`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<F> {
    /// The stored session.
    Loaded(Arc<Session>),
    /// The session is no longer stored.
    Gone,
    /// What is known about a refresh token.
    Recalled(Knowledge),
    /// The provider's metadata; its keys are cached.
    Prepared(Arc<ProviderMetadata>),
    /// The lease is ours.
    Leased(LeaseGrant),
    /// Another process has the lease.
    Busy,
    /// Whether the lease is still ours; `None` if that is unknown.
    Renewed(Option<bool>),
    /// The lease was released, or expires.
    Released,
    /// The token is active.
    Active,
    /// The token is not active: it was replaced, has expired or was revoked.
    Inactive,
    /// This application may not use introspection.
    Unanswered,
    /// The response.
    Response {
        /// What it says.
        answer: Result<Refreshed, Error>,
        /// When the request was sent, by the monotonic clock.
        sent_at: Duration,
    },
    /// The request was certainly not sent.
    NotSent(F),
    /// The request may have been processed, but there is no readable response.
    Lost {
        /// What happened.
        failure: F,
        /// When the request left, by the monotonic clock.
        sent_at: Duration,
    },
    /// A cooldown or the retry budget withheld the request.
    Withheld(Option<F>),
    /// The request could not be sent before its `start_by`, and was not sent.
    TooLate,
    /// The result of checking the ID token.
    Judged(Result<VerifiedIdToken, TokenError>),
    /// A newer key set is cached.
    KeysFetched,
    /// The result is recorded.
    Recorded {
        /// Whether the session was ended in this process in the meantime, by a sign-out or a back-channel
        /// logout. Not by a new sign-in: that one may have the same grant at Logto, and the refresh then
        /// revokes its result.
        has_ended: bool,
        /// Whether the shared ledger recorded it; `true` if there is none.
        is_shared: bool,
    },
    /// The session was written.
    Stored,
    /// Another writer was faster. This is the stored session.
    Conflict(Arc<Session>),
    /// The session could not be written.
    StoreFailed {
        /// Why.
        failure: F,
        /// Whether another attempt may succeed.
        is_transient: bool,
    },
    /// The session is not stored any more.
    Removed,
    /// The refresh token was revoked, or the revocation failed.
    Revoked,
    /// The action failed.
    Failed(F),
    /// The pause of [`Action::BackOff`] is over.
    BackedOff,
    /// The time that the job waited for has come.
    Time,
}

/// What the ledgers and the memory of this process know about a refresh token and its session.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// The results of spending the refresh token.
    pub deltas: Vec<SessionDelta>,
    /// Whether the session has ended, as far as this process knows.
    pub has_ended: bool,
    /// Whether the refresh token is the newest one.
    pub status: Option<TokenStatus>,
    /// The error that began a pause of this session at the provider's request, if the pause is not over.
    /// Requests for tokens wait for its end.
    pub pause: Option<Error>,
    /// A recent refusal of this token. A demand for a new token ignores it.
    pub refusal: Option<Error>,
    /// Whether the shared ledger failed to respond.
    pub is_partial: bool,
}

/// A lease as it was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeaseGrant {
    /// Other processes compete for the lease: it must be renewed, and the session may have changed since it
    /// was read.
    pub is_shared: bool,
    /// Every process that may refresh the session takes this lease first.
    pub is_exclusive: bool,
    /// Its last holder never released it, and may just have spent the refresh token.
    pub was_taken_over: bool,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The provider refuses the refresh token for good: it has expired or was revoked, or the user was
    /// suspended or deleted.
    #[error("the provider refuses its refresh token")]
    RefreshTokenRefused,
    /// It was removed from the storage while it was in use: by a sign-out or a back-channel logout.
    #[error("it was removed")]
    Removed,
    /// Another process replaced its refresh token, or the provider refused it, and the browser sent no newer
    /// cookie.
    #[error("its refresh token was replaced or revoked, and no newer cookie came")]
    Superseded,
    /// It has reached its longest lifetime, counted from the sign-in, however much it was used. The user
    /// signs in again.
    #[error("it has reached its longest lifetime")]
    LifetimeReached,
}

/// An event for operators.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice<F> {
    /// An access token was fetched.
    Refreshed {
        /// What it is for.
        target: TokenTarget,
        /// Whether the refresh token was replaced.
        rotated: bool,
    },
    /// The response to a refresh was lost. The refresh token may have been replaced.
    RefreshUncertain,
    /// The session could not be written, or every attempt met another writer (`None`). The ledger of this
    /// process has it.
    NotStored(Option<F>),
    /// The refresh token of this copy of the session is no longer valid. It was not used.
    Superseded,
    /// The provider refuses the credentials of the application.
    ClientRefused,
}

//! What a job on a session asks for, and what it is told.

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
/// Call [`poll`](Self::poll) until it says [`Step::Wait`] or [`Step::Done`], perform the actions it
/// gives, and report what came of each by [`handle`](Self::handle). `F` is how the caller describes its
/// own failures; the job passes them on.
pub trait SessionJob<F> {
    /// What the job ends with.
    type Output;

    /// What to do next.
    fn poll(&mut self, now: Moment) -> Step<F, Self::Output>;

    /// What came of an action, or the time that the job wanted to wait for. An event that the job does
    /// not wait for, such as the answer to a lease renewal after the end, changes nothing.
    fn handle(&mut self, event: Event<F>, now: Moment);
}

/// What a [`SessionJob`] needs next.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a step lives for one turn of a loop"
)]
pub enum Step<F, T> {
    /// Begin this action, and poll again at once.
    Perform(Action<F>),
    /// Wait for the event of an action under way, or until this monotonic time, then report
    /// [`Event::Time`].
    Wait {
        /// When to report the time, if nothing else happens before.
        until: Option<Duration>,
    },
    /// The job has ended.
    Done(T),
}

/// Something that a [`SessionJob`] wants done. Each names the events that answer it; an action without
/// an answer is performed and forgotten.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action<F> {
    /// Read the session from its storage: [`Event::Loaded`], [`Event::Gone`] or [`Event::Failed`].
    Load,
    /// Say what is known about this refresh token, here and in the shared ledger:
    /// [`Event::Recalled`].
    Recall {
        /// The refresh token that the session holds.
        refresh_token: Secret,
        /// What a token is missing for. Another process may have fetched it without replacing the refresh
        /// token.
        missing: Option<TokenTarget>,
    },
    /// Fetch the provider's metadata and keys, unless they are at hand: [`Event::Prepared`] or
    /// [`Event::Failed`].
    Prepare,
    /// Take the lease of the session: [`Event::Leased`], [`Event::Busy`] or [`Event::Failed`].
    Lease {
        /// For how long.
        ttl: Duration,
    },
    /// Prolong the lease: [`Event::Renewed`].
    Renew {
        /// For how long, from now on.
        ttl: Duration,
    },
    /// Give the lease back: [`Event::Released`], whether or not that worked.
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
        /// What to send, and how to read the answer.
        exchange: RefreshTokens,
        /// Why it is sent, which decides whether a cooldown or the retry budget can withhold it.
        attempt: Attempt,
        /// The request must leave before this monotonic time, or not at all.
        start_by: Option<Duration>,
    },
    /// Pause for a short random time that grows with `attempt`: [`Event::BackedOff`].
    BackOff {
        /// How often something was tried.
        attempt: u32,
    },
    /// Check the ID token with the keys at hand: [`Event::Judged`].
    Judge(IdTokenCheck),
    /// Fetch the key set, because it lacks a key: [`Event::KeysFetched`] or [`Event::Failed`].
    FetchKeys,
    /// Remember in the ledgers what spending a refresh token gave: [`Event::Recorded`].
    Record {
        /// The refresh token that was spent.
        spent: Secret,
        /// What it gave.
        delta: SessionDelta,
    },
    /// Write the session, if its stored version is the one that was loaded: [`Event::Stored`],
    /// [`Event::Conflict`], [`Event::Gone`] or [`Event::StoreFailed`].
    Store {
        /// The session as it is now.
        session: Arc<Session>,
    },
    /// Remove the session from its storage, and with it the lease: [`Event::Removed`] or
    /// [`Event::Failed`].
    Remove,
    /// Revoke a refresh token and wait for it: [`Event::Revoked`], whether or not that worked.
    Revoke {
        /// The newest refresh token of the session.
        refresh_token: Secret,
    },
    /// Revoke a refresh token in the background. No answer.
    RevokeLater {
        /// The newest refresh token of the session.
        refresh_token: Secret,
    },
    /// Remember what is known about a refresh token. No answer.
    Note {
        /// The refresh token.
        refresh_token: Secret,
        /// Its status.
        status: TokenStatus,
    },
    /// Remember for a while that the provider refused, so that it is not asked again at once. No answer.
    Remember {
        /// What was refused; everything if `None`.
        target: Option<TokenTarget>,
        /// What the provider said.
        error: Error,
        /// For how long.
        lifetime: Duration,
    },
    /// Refuse this session in this process from now on. No answer.
    MarkEnded(SessionEnd),
    /// Tell the operator. No answer.
    Tell(Notice<F>),
}

/// Why a refresh request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// For the first time. A cooldown withholds it.
    First,
    /// Again, because it did not leave. An empty retry budget withholds it.
    Reconnect,
    /// Again, because its answer was lost or refused an access token, and Logto may have replaced the
    /// refresh token. Nothing withholds it.
    Replay,
}

/// What came of an [`Action`], judged as far as that needs no decision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<F> {
    /// The session as it is stored.
    Loaded(Arc<Session>),
    /// The session is not stored any more.
    Gone,
    /// What is known about a refresh token.
    Recalled(Knowledge),
    /// The provider's metadata; its keys are at hand.
    Prepared(Arc<ProviderMetadata>),
    /// The lease is ours.
    Leased(LeaseGrant),
    /// Another process has the lease.
    Busy,
    /// Whether the lease is still ours; `None` when that could not be found out.
    Renewed(Option<bool>),
    /// The lease was given back, or ends by itself.
    Released,
    /// The token is active.
    Active,
    /// The token is not active: it was replaced, has expired or was revoked.
    Inactive,
    /// This application may not ask.
    Unanswered,
    /// An answer came.
    Response {
        /// What it says.
        answer: Result<Refreshed, Error>,
        /// When the request left, by the monotonic clock.
        sent_at: Duration,
    },
    /// The request certainly did not leave.
    NotSent(F),
    /// The request may have been processed, and no answer can be read.
    Lost {
        /// What happened.
        failure: F,
        /// When the request left, by the monotonic clock.
        sent_at: Duration,
    },
    /// A cooldown or the retry budget withheld the request.
    Withheld(Option<F>),
    /// The request could not leave before its `start_by`. It was not sent.
    TooLate,
    /// Whether the ID token has passed.
    Judged(Result<VerifiedIdToken, TokenError>),
    /// A newer key set is at hand.
    KeysFetched,
    /// The ledgers know.
    Recorded {
        /// Whether the session was ended in this process meanwhile, by a sign-out or a back-channel logout.
        /// Not by a new sign-in: Logto may have given that one the same grant, and what the refresh brought
        /// is revoked.
        has_ended: bool,
        /// Whether the shared ledger knows; `true` if there is none.
        is_shared: bool,
    },
    /// The session was written.
    Stored,
    /// Another writer was faster; this is what is stored now.
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
    /// The refresh token was revoked, or could not be.
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
    /// What spending the refresh token gave.
    pub deltas: Vec<SessionDelta>,
    /// Whether the session has ended, as far as this process knows.
    pub has_ended: bool,
    /// Whether the refresh token is the newest one.
    pub status: Option<TokenStatus>,
    /// What the provider said lately instead of giving a token.
    pub refusal: Option<Error>,
    /// Whether the shared ledger failed to say what it knows.
    pub is_partial: bool,
}

/// A lease as it was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeaseGrant {
    /// Another process could have had the lease: it has to be renewed, and the session may have changed
    /// since it was read.
    pub is_shared: bool,
    /// Every process that may refresh the session takes this lease first.
    pub is_exclusive: bool,
    /// Its last holder never gave it back. It may just have spent the refresh token.
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
    /// Another process replaced its refresh token, or the provider refused it, and the browser came
    /// again without a newer cookie.
    #[error("its refresh token was replaced or revoked, and no newer cookie came")]
    Superseded,
}

/// Something that an operator should know.
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
    /// The answer to a refresh was lost for good. The refresh token may have been replaced.
    RefreshUncertain,
    /// The session could not be written, or every attempt met another writer (`None`). The ledger of this
    /// process knows it.
    NotStored(Option<F>),
    /// The refresh token of this copy of the session is not valid any more. It was not used.
    Superseded,
    /// The provider refuses the credentials of the application.
    ClientRefused,
}

//! The states of a refresh, and the data of each.

use std::time::Duration;

use super::{Attempts, IdTokenCheck, RefreshError, SessionEnd};
use crate::{
    error::{Error, ResponseError},
    grants::Refreshed,
    secret::Secret,
    session::{SessionDelta, VerifiedIdToken},
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// What the machine waits for.
#[derive(Clone, Debug, Hash)]
pub(super) enum State<F> {
    Recalling(Purpose),
    Leasing { asked_at: Duration },
    Waiting { until: Duration },
    Loading(Purpose),
    Preparing,
    Asking { asked_at: Duration, why: Why },
    Witnessing { why: Why },
    Sending(Sending<F>),
    BackingOff(Sending<F>),
    Judging(Answer),
    FetchingKeys(Answer),
    Recording(Change<F>),
    Storing(Change<F>),
    PausingWrites(Change<F>),
    Removing(SessionEnd),
    Releasing,
    Done,
}

impl<F> State<F> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Recalling(_) => "Recalling",
            Self::Leasing { .. } => "Leasing",
            Self::Waiting { .. } => "Waiting",
            Self::Loading(_) => "Loading",
            Self::Preparing => "Preparing",
            Self::Asking { .. } => "Asking",
            Self::Witnessing { .. } => "Witnessing",
            Self::Sending(_) => "Sending",
            Self::BackingOff(_) => "BackingOff",
            Self::Judging(_) => "Judging",
            Self::FetchingKeys(_) => "FetchingKeys",
            Self::Recording(_) => "Recording",
            Self::Storing(_) => "Storing",
            Self::PausingWrites(_) => "PausingWrites",
            Self::Removing(_) => "Removing",
            Self::Releasing => "Releasing",
            Self::Done => "Done",
        }
    }

    /// When the state ends by itself.
    pub(super) fn until(&self) -> Option<Duration> {
        match self {
            Self::Waiting { until } => Some(*until),
            _ => None,
        }
    }
}

/// Why the session is read, which determines how the refresh continues.
#[derive(Clone, Debug, Hash)]
pub(super) enum Purpose {
    /// The session is the caller's.
    Start,
    /// Another process has the lease. It may have fetched the token in the meantime.
    Waited,
    /// The lease is ours.
    Leased,
    /// The provider refused this refresh token, which another process may have replaced.
    Refused { spent: Secret },
}

/// Why the provider is asked about the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// It is to be spent.
    BeforeUse,
    /// It was refused, and no newer one is known.
    Refused,
}

/// A refresh request and its history.
#[derive(Clone, Debug, Hash)]
pub(super) struct Sending<F> {
    /// What the access token is for.
    pub(super) target: TokenTarget,
    pub(super) attempts: Attempts,
    /// Until when the refresh token is known to be the newest one.
    pub(super) start_by: Option<Duration>,
    /// Why the last attempt failed.
    pub(super) failure: Option<RefreshError<F>>,
    /// The provider's refusal of the requested token, if this request is only sent to obtain the new refresh
    /// token.
    pub(super) denial: Option<Error>,
}

/// A response with a refresh token or an access token.
#[derive(Clone, Debug, Hash)]
pub(super) struct Answer {
    target: TokenTarget,
    pub(super) spent: Secret,
    /// The refresh token that replaces the spent one.
    rotated: Option<Secret>,
    /// Whether it is stored already.
    is_rotation_kept: bool,
    at: UnixTime,
    /// When the refresh token of the session was known to be the newest one.
    sent_at: Duration,
    pub(super) access_token: Result<AccessToken, ResponseError>,
    pub(super) check: Option<IdTokenCheck>,
    denial: Option<Error>,
    pub(super) has_fetched_keys: bool,
}

impl Answer {
    /// Returns the answer and its ID token, which is not checked yet.
    pub(super) fn new<F>(
        sending: Sending<F>,
        spent: Secret,
        refreshed: Refreshed,
        sent_at: Duration,
        at: UnixTime,
    ) -> (Self, Option<Secret>) {
        let answer = Self {
            target: sending.target,
            // A refresh token that stayed the same is no change. Recorded as a change, it would undo a
            // replacement that another request has stored in the meantime.
            rotated: refreshed.refresh_token.filter(|token| *token != spent),
            is_rotation_kept: false,
            spent,
            at,
            sent_at,
            access_token: refreshed.access_token,
            check: None,
            denial: sending.denial,
            has_fetched_keys: false,
        };
        (answer, refreshed.id_token)
    }

    /// The change that must not be lost even if the rest of the response is unusable, and the response to
    /// continue with; `None` if the refresh token stayed the same.
    pub(super) fn rotation<F>(&self) -> Option<Change<F>> {
        let refresh_token = self.rotated.clone()?;
        let rest = Self {
            is_rotation_kept: true,
            ..self.clone()
        };
        Some(Change {
            spent: self.spent.clone(),
            delta: SessionDelta {
                refresh_token: Some(refresh_token),
                at: Some(self.at),
                ..SessionDelta::default()
            },
            sent_at: self.sent_at,
            is_rotation_kept: false,
            then: Then::FetchKeys(Box::new(rest)),
        })
    }

    /// The whole change, and the result for the caller.
    pub(super) fn settle<F>(
        self,
        id_token: Result<Option<VerifiedIdToken>, RefreshError<F>>,
    ) -> Change<F> {
        let mut delta = SessionDelta {
            refresh_token: self.rotated,
            at: Some(self.at),
            ..SessionDelta::default()
        };
        let token = match id_token {
            // OpenID Connect Core 12.2: the same user of the same provider, or no token of this response is
            // used. The session continues with the new refresh token.
            Err(error) => Err(error),
            Ok(id_token) => {
                delta.id_token = id_token;
                self.access_token
                    .map_err(|error| RefreshError::Protocol(error.into()))
            }
        };
        if let Ok(token) = &token {
            delta.access_token = Some((self.target, token.clone()));
        }
        let denial = self
            .denial
            .map(|denial| Err(RefreshError::Protocol(denial)));
        Change {
            spent: self.spent,
            delta,
            sent_at: self.sent_at,
            is_rotation_kept: self.is_rotation_kept,
            then: Then::Finish(denial.unwrap_or(token)),
        }
    }
}

/// A change of the session that is being stored.
#[derive(Clone, Debug, Hash)]
pub(super) struct Change<F> {
    pub(super) spent: Secret,
    pub(super) delta: SessionDelta,
    /// When its request was sent.
    pub(super) sent_at: Duration,
    /// Whether its refresh token is stored already.
    pub(super) is_rotation_kept: bool,
    pub(super) then: Then<F>,
}

impl<F> Change<F> {
    /// No change: the storage has to learn what the ledger knew, before this token is handed out.
    pub(super) fn write_back(token: AccessToken, now: Duration) -> Self {
        Self {
            spent: Secret::from(""),
            delta: SessionDelta::default(),
            sent_at: now,
            is_rotation_kept: true,
            then: Then::HandOut(token),
        }
    }

    pub(super) fn is_write_back(&self) -> bool {
        matches!(self.then, Then::HandOut(_))
    }
}

/// How to continue when a change is stored.
#[derive(Clone, Debug, Hash)]
pub(super) enum Then<F> {
    /// The key set lacks the key of the ID token.
    FetchKeys(Box<Answer>),
    /// The refresh ends with this.
    Finish(Result<AccessToken, RefreshError<F>>),
    /// Nothing was sent: the storage had to learn what the ledger knew, and this token is in it.
    HandOut(AccessToken),
}

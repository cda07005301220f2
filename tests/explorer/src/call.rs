//! Calls that leave a process, and what comes back.

use std::{sync::Arc, time::Duration};

use logto_core::{Session, refresh::Attempt, session::SessionDelta};

use crate::{
    fixtures::{Flaw, Refusal, Target},
    provider::{Fate, Issued},
};

/// An action that leaves the process.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Call {
    Load,
    Recall { token: u8, missing: Option<String> },
    Prepare,
    Lease,
    Release,
    AskRefreshToken { token: u8 },
    AskOpaqueToken,
    Send(Send),
    BackOff,
    FetchKeys,
    Record { spent: u8, delta: Box<SessionDelta> },
    Store { session: Arc<Session> },
    Remove,
    Revoke { token: u8 },
    Redeem,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(crate) struct Send {
    pub(crate) token: u8,
    pub(crate) target: Target,
    pub(crate) attempt: Attempt,
    pub(crate) start_by: Option<Duration>,
}

/// How far a call has come.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Progress {
    /// It leaves, arrives, is answered, and the answer is read, all within no time.
    Ready,
    /// It left then, and takes long to arrive.
    Leaving { left_at: u64 },
    /// It left then and was processed, and the answer takes long.
    Answered { left_at: u64, reply: Reply },
}

/// A lease as a process has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) number: u32,
    pub(crate) was_taken_over: bool,
    /// Whether another process has it too, because it was forgotten.
    pub(crate) has_another: bool,
}

/// What comes back from a call.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Reply {
    Loaded(Arc<Session>, u32),
    Gone,
    /// What the shared ledger knows; `None` if it fails.
    Recalled(Option<Vec<SessionDelta>>),
    Prepared,
    Leased(Held),
    /// The ledger fails, and a lease of it is as good as none.
    NotLeased,
    Busy,
    Released,
    Active(bool),
    /// The application may not introspect.
    Unanswered,
    Refreshed {
        issued: Issued,
        flaw: Option<Flaw>,
    },
    Refused(Refusal),
    NotSent,
    Lost,
    Withheld,
    TooLate,
    BackedOff,
    KeysFetched,
    /// Whether the shared ledger has it.
    Recorded(bool),
    Stored(u32),
    Conflict(Arc<Session>, u32),
    Removed,
    Revoked,
    Redeemed(bool),
    Failed,
}

/// A message on its way that nobody waits for.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Adrift {
    /// With this refresh token, and what becomes of the answer.
    Refresh(u8, Fate),
    Write(Arc<Session>, Option<u32>),
    Revocation,
}

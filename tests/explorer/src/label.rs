//! Steps in words, for whoever reads a trace.

use std::fmt;

use logto_core::refresh::Attempt;

use crate::{
    browser::{Told, Want},
    call::Call,
    setup::Fault,
};

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Label {
    Sent(Want),
    /// The session that a request gets is older than the one that is stored.
    SentStale(Want),
    Arrived(usize, Want),
    /// A process made a call, and what came of that.
    Called(usize, &'static str, &'static str),
    Passed(u64),
    Received(Told),
    NotReceived(Told),
    Happened(Fault),
    HappenedTo(usize, Fault),
    Other(&'static str),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(want) => write!(f, "the browser sends: {want}"),
            Self::SentStale(want) => {
                write!(f, "the browser sends: {want}, read from an older copy")
            }
            Self::Arrived(process, want) => write!(f, "process {process}: {want} arrives"),
            Self::Called(process, call, how) => write!(f, "process {process}: {call}{how}"),
            Self::Passed(millis) => write!(f, "{}.{} s pass", millis / 1_000, millis % 1_000 / 100),
            Self::Received(told) => write!(f, "the browser is told: {told}"),
            Self::NotReceived(told) => write!(f, "the browser is not told: {told}"),
            Self::Happened(fault) => write!(f, "{fault:?}"),
            Self::HappenedTo(process, fault) => write!(f, "process {process}: {fault:?}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { target, is_stored } => {
                let how = if *is_stored {
                    ""
                } else {
                    ", without storing the session"
                };
                write!(f, "a request for token {target}{how}")
            }
            Self::Forget { target } => write!(f, "a request that forgets token {target}"),
            Self::Look => f.write_str("a request that only looks"),
            Self::Confirm => f.write_str("the question whether the session goes on"),
            Self::SignOut { is_local: false } => f.write_str("the sign-out"),
            Self::SignOut { is_local: true } => f.write_str("the sign-out from here only"),
            Self::WriteBack => f.write_str("what the ledger knows"),
            Self::Replace => f.write_str("the callback of a new sign-in"),
            Self::Callback { is_recorded: false } => f.write_str("the callback"),
            Self::Callback { is_recorded: true } => f.write_str("the callback, with its record"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::SessionEnded => "the session has ended",
            Self::TryAgain => "try again",
        })
    }
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Load => "load the session",
            Self::Recall { .. } => "ask the ledger",
            Self::Prepare => "fetch the metadata",
            Self::Lease => "take the lease",
            Self::Release => "give the lease back",
            Self::AskRefreshToken { .. } => "introspect the refresh token",
            Self::AskOpaqueToken => "introspect the opaque token",
            Self::Send(send) => match send.attempt {
                Attempt::First => "refresh",
                Attempt::Reconnect => "refresh after a pause",
                Attempt::Replay => "refresh once more",
            },
            Self::BackOff => "pause",
            Self::FetchKeys => "fetch the keys",
            Self::Record { .. } => "write the ledger",
            Self::Store { .. } => "store the session",
            Self::Remove => "remove the session",
            Self::Revoke { .. } => "revoke the refresh token",
            Self::Redeem => "redeem the code",
        }
    }

    /// Whether it changes anything where it arrives.
    pub(crate) fn has_effect(&self) -> bool {
        matches!(
            self,
            Self::Lease
                | Self::Send(_)
                | Self::Record { .. }
                | Self::Store { .. }
                | Self::Remove
                | Self::Revoke { .. }
                | Self::Redeem
        )
    }

    /// Whether it is a refresh request that was sent before.
    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Self::Send(send) if send.attempt == Attempt::Replay)
    }

    /// Whether it changes nothing outside of the process, and nothing there changes the answer.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Self::Prepare | Self::FetchKeys | Self::BackOff)
    }

    /// Whether it happens within the process, and cannot fail or take long.
    pub(crate) fn is_internal(&self) -> bool {
        matches!(self, Self::BackOff)
    }
}

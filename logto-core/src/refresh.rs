//! Refreshing a session, and ending it: every decision, and no I/O.
//!
//! A [`SessionJob`] is a value. [`poll`](SessionJob::poll) names the next [`Action`],
//! [`handle`](SessionJob::handle) takes the [`Event`] that answers it; time is an argument. The caller
//! performs the actions, with or without async, and decides nothing. There are three jobs:
//!
//! - [`Refresh`] obtains an access token, and spends the refresh token if that is necessary;
//! - [`EndSession`] removes a session and revokes its newest refresh token;
//! - [`Amend`] writes a small change that spends nothing.
//!
//! # What makes it hard
//!
//! Past 70 % of its life Logto replaces a refresh token when it is used; that of an application without a
//! secret at every use. The new one exists in one response. The old one works for three more seconds,
//! counted anew from each use, and after that its use ends the grant. So a refresh asks first what is
//! known about the refresh token, takes a lease against other processes, asks the provider where no lease
//! can tell, replays a lost answer once and in time, and keeps what came before anything else can fail.
//!
//! # The states of a refresh
//!
//! [`Refresh::state`] names the state. What follows it:
//!
//! | state | waits for | is followed by |
//! |---|---|---|
//! | `Recalling` | what the ledgers know | `Recalling`, `Leasing`, `Preparing`, `Asking`, `Sending`, `Storing`, `Removing`, `Releasing`, `Done` |
//! | `Leasing` | the lease | `Loading`, `Waiting`, `Done` |
//! | `Waiting` | the time to look again | `Loading` |
//! | `Loading` | the stored session | `Recalling`, `Releasing`, `Done` |
//! | `Preparing` | metadata and keys | `Asking`, `Sending`, `Leasing`, `Removing`, `Releasing` |
//! | `Asking` | whether the refresh token is active | `Asking`, `Sending`, `Leasing`, `Witnessing`, `Releasing`, `Done` |
//! | `Witnessing` | whether the opaque access token is active | `Removing`, `Releasing`, `Done` |
//! | `Sending` | the response | `Sending`, `BackingOff`, `Judging`, `Recording`, `Loading`, `Asking`, `Leasing`, `Releasing` |
//! | `BackingOff` | a short pause | `Sending` |
//! | `Judging` | whether the ID token has passed | `Recording`, `FetchingKeys`, `Releasing` |
//! | `FetchingKeys` | a newer key set | `Judging`, `Recording`, `Releasing` |
//! | `Recording` | the ledgers | `Storing`, `FetchingKeys`, `Releasing` |
//! | `Storing` | the storage | `Storing`, `PausingWrites`, `Recalling`, `FetchingKeys`, `Releasing`, `Done` |
//! | `PausingWrites` | a short pause | `Storing` |
//! | `Removing` | the storage | `Done` |
//! | `Releasing` | the lease to be given back | `Done` |
//!
//! The policies are small values of their own: [`Attempts`], [`Cooldown`], [`RetryBudget`],
//! [`TokenStatus`].

mod amend;
mod attempts;
mod catch_up;
mod cooldown;
mod ending;
mod id_token_check;
mod job;
mod lease;
mod machine;
mod moment;
mod outcome;
mod retry_budget;
mod state;
mod step;
mod token_status;

pub use self::{
    amend::Amend,
    attempts::{Attempts, NextAttempt, REPLAY_WINDOW},
    cooldown::{Admission, Cooldown, MAX_COOLDOWN},
    ending::{EndSession, Ending},
    id_token_check::IdTokenCheck,
    job::{Demand, Persist, RefreshJob},
    lease::LEASE_TTL,
    machine::Refresh,
    moment::Moment,
    outcome::{RefreshError, RefreshOutcome},
    retry_budget::RetryBudget,
    step::{Action, Attempt, Event, Knowledge, LeaseGrant, Notice, SessionEnd, SessionJob, Step},
    token_status::{NEWEST_FOR, SUPERSEDED_FOR, Spend, TokenStatus},
};

//! The refresh.

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

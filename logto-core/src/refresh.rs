//! Refreshing a session, and ending it: every decision, and no I/O.
//!
//! A [`SessionJob`] is a value. [`poll`](SessionJob::poll) names the next [`Action`],
//! [`handle`](SessionJob::handle) takes the [`Event`] that answers it; time is an argument. The caller performs
//! the actions, with or without async, and decides nothing about the session. There are four jobs:
//!
//! - [`Refresh`] obtains an access token, and spends the refresh token if that is necessary;
//! - [`EndSession`] removes a session and revokes its newest refresh token;
//! - [`Amend`] writes a small change that spends nothing;
//! - [`ConfirmSession`] asks whether a session has ended, and spends nothing either.
//!
//! # What makes it hard
//!
//! Past 70 % of its life Logto replaces a refresh token when it is used; that of an application without a
//! secret at every use. The new one exists in one response. The old one works for three more seconds, which
//! each use restarts; after that, its use ends the grant. So a refresh first looks up what is known about the
//! refresh token, takes a lease against other processes, asks the provider where no lease protects it,
//! replays a lost response once and in time, and stores a new refresh token before anything else can fail.
//!
//! # A refresh, driven by hand
//!
//! One process, and a storage that works. [`Step::event_if_alone`] answers what concerns other processes.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use logto_core::{Error, Exchange, LogtoConfig, Session, TokenTarget, UnixTime, metadata::ProviderMetadata, refresh::*};
//! # use serde_json::{Value, json};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let config = LogtoConfig::builder("https://tenant.logto.app", "app-id").app_secret("app-secret").build()?;
//! # let Value::Object(document) = json!({
//! #     "issuer": "https://tenant.logto.app/oidc",
//! #     "authorization_endpoint": "https://tenant.logto.app/oidc/auth",
//! #     "token_endpoint": "https://tenant.logto.app/oidc/token",
//! #     "jwks_uri": "https://tenant.logto.app/oidc/jwks",
//! # }) else { return Ok(()) };
//! # let metadata = Arc::new(ProviderMetadata::from_document(&config, document)?);
//! # let session: Session = serde_json::from_value(json!({
//! #     "id": [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
//! #     "id_token": "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6ImEiLCJleHAiOjEsImlhdCI6MH0.c2ln",
//! #     "refresh_token": "first-refresh-token", "access_tokens": [], "requested_scopes": [],
//! #     "requested_resources": [], "granted_scopes": [],
//! #     "began_at": 1795335764, "created_at": 1795335764, "changed_at": 1795335764,
//! # }))?;
//! # let send = |request: http::Request<bytes::Bytes>| {
//! #     assert_eq!(request.uri(), "https://tenant.logto.app/oidc/token");
//! #     let body = r#"{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600,"refresh_token":"second-refresh-token"}"#;
//! #     http::Response::builder().header("content-type", "application/json").body(bytes::Bytes::from(body))
//! # };
//! # let now = Moment { wall: UnixTime::from_secs(1_795_335_764), monotonic: Duration::ZERO };
//! let job = RefreshJob {
//!     config,
//!     wanted: Wanted { target: TokenTarget::user_info(), demand: Demand::Usable, persist: Persist::Storage },
//!     is_exclusive: true, // no other process spends the refresh token
//! };
//! # let keys = logto_core::jwt::KeySet::default();
//! let mut stored = Arc::new(session);
//! let mut refresh = Refresh::<Error>::new(job, Arc::clone(&stored), false, now);
//! let outcome = loop {
//!     let event = match refresh.poll(now) {
//!         Step::Perform(Action::Load) => Event::Loaded(Arc::clone(&stored)),
//!         Step::Perform(Action::Prepare) => Event::Prepared(Arc::clone(&metadata)),
//!         Step::Perform(Action::Send { exchange, .. }) => {
//!             let response = send(exchange.request())?;
//!             Event::Response { answer: exchange.accept(response, now.wall), sent_at: now.monotonic }
//!         }
//!         Step::Perform(Action::Judge(check)) => Event::Judged(check.verify(&keys, now.wall)),
//!         Step::Perform(Action::Store { session }) => { stored = session; Event::Stored }
//!         Step::Done(outcome) => break outcome,
//!         step => match step.event_if_alone() { Some(event) => event, None => continue },
//!     };
//!     refresh.handle(event, now);
//! };
//! assert_eq!(outcome.token?.token.expose(), "an-access-token");
//! assert_eq!(stored.refresh_token().map(|token| token.expose()), Some("second-refresh-token"));
//! # Ok(()) }
//! ```
//!
//! # The states of a refresh
//!
//! [`SessionJob::state`] names the state. A refresh begins with `Recalling`, and goes on in no other way than
//! this. `tests/explorer` holds this table, the pictures in `docs/architecture.md` and the code together. Its
//! exploration takes every way but the one from `Recalling` to `Removing`, which needs more faults than it explores,
//! and which a test takes by hand.
//!
//! | state | waits for | is followed by |
//! |---|---|---|
//! | `Recalling` | what the ledgers know | `Recalling`, `Leasing`, `Preparing`, `Asking`, `Sending`, `Storing`, `Removing`, `Releasing`, `Done` |
//! | `Leasing` | the lease | `Loading`, `Waiting`, `Done` |
//! | `Waiting` | the time to look again | `Loading` |
//! | `Loading` | the stored session | `Recalling`, `Releasing`, `Done` |
//! | `Preparing` | metadata and keys | `Asking`, `Sending`, `Leasing`, `Removing`, `Releasing`, `Done` |
//! | `Asking` | whether the refresh token is active | `Asking`, `Sending`, `Leasing`, `Witnessing`, `Removing`, `Releasing`, `Done` |
//! | `Witnessing` | whether the opaque access token is active | `Removing`, `Releasing`, `Done` |
//! | `Sending` | the response | `Sending`, `BackingOff`, `Judging`, `Recording`, `Loading`, `Asking`, `Leasing`, `Releasing`, `Done` |
//! | `BackingOff` | a short pause | `Sending` |
//! | `Judging` | whether the ID token has passed | `Recording`, `FetchingKeys`, `Releasing`, `Done` |
//! | `FetchingKeys` | a newer key set | `Judging`, `Recording`, `Releasing`, `Done` |
//! | `Recording` | the ledgers | `Storing`, `FetchingKeys`, `Releasing`, `Done` |
//! | `Storing` | the storage | `Storing`, `PausingWrites`, `Recalling`, `FetchingKeys`, `Releasing`, `Done` |
//! | `PausingWrites` | a short pause | `Storing` |
//! | `Removing` | the storage | `Done` |
//! | `Releasing` | the lease to be given back | `Done` |
//!
//! `Done` follows directly where there is no lease to give back, or where it is left to run out: the newest
//! refresh token is not where the next holder would find it, and a process that takes over a lease asks the
//! provider first.
//!
//! # The states of the other jobs
//!
//! A sign-out begins with `Recalling`, the end of a session that a new sign-in replaces with `Leasing`. An
//! [`Amend`] begins with `Loading`, `Recalling` or `Storing`.
//!
//! | job | state | waits for | is followed by |
//! |---|---|---|---|
//! | `EndSession` | `Recalling` | what the ledgers know | `Recalling`, `Loading` |
//! | `EndSession` | `Loading` | the stored session | `Removing` |
//! | `EndSession` | `Leasing` | the lease | `Waiting`, `Removing`, `Done` |
//! | `EndSession` | `Waiting` | the time to look again | `Leasing` |
//! | `EndSession` | `Removing` | the storage | `Revoking`, `Done` |
//! | `EndSession` | `Revoking` | the revocation | `Done` |
//! | `Amend` | `Loading` | the stored session | `Recalling`, `Done` |
//! | `Amend` | `Recalling` | what the ledgers know | `Recalling`, `Recording`, `Storing`, `Done` |
//! | `Amend` | `Recording` | the ledgers | `Storing`, `Done` |
//! | `Amend` | `Storing` | the storage | `Recalling`, `Pausing`, `Done` |
//! | `Amend` | `Pausing` | a short pause | `Storing` |
//! | `ConfirmSession` | `Recalling` | what the ledgers know | `Recalling`, `Asking`, `Done` |
//! | `ConfirmSession` | `Asking` | whether the refresh token is active | `Witnessing`, `Done` |
//! | `ConfirmSession` | `Witnessing` | whether the opaque access token is active | `Done` |
//!
//! A session without a refresh token has nothing to look up: its jobs leave `Recalling` out.
//!
//! The policies are small values of their own, each with a table of tests: how often a request is sent and a
//! session written, what a lease is worth, [`Cooldown`], [`RetryBudget`], [`TokenStatus`], [`LeaseRun`], [`Horizon`], [`back_off`], [`is_renewal_due`].

mod amend;
mod attempts;
mod back_off;
mod catch_up;
mod confirm;
mod cooldown;
mod ending;
mod horizon;
mod id_token_check;
mod job;
mod lease;
mod lease_run;
mod machine;
mod moment;
mod outcome;
mod renewal;
mod retry_budget;
mod state;
mod step;
mod token_status;
mod writes;

pub use self::{
    amend::Amend,
    back_off::back_off,
    catch_up::{CaughtUp, catch_up},
    confirm::{ConfirmSession, Confirmation},
    cooldown::{Admission, Cooldown, MAX_COOLDOWN},
    ending::{EndSession, Ending},
    horizon::Horizon,
    id_token_check::IdTokenCheck,
    job::{Demand, Persist, RefreshJob, Wanted},
    lease::LEASE_TTL,
    lease_run::LeaseRun,
    machine::Refresh,
    moment::Moment,
    outcome::{RefreshError, RefreshOutcome},
    renewal::{REFRESH_TOKEN_LIFETIME, is_renewal_due},
    retry_budget::RetryBudget,
    step::{Action, Attempt, Event, Knowledge, LeaseGrant, Notice, SessionEnd, SessionJob, Step},
    token_status::{NEWEST_FOR, SUPERSEDED_FOR, TokenStatus},
};
use self::{
    attempts::{Attempts, NextAttempt},
    token_status::Spend,
    writes::{NextWrite, Writes},
};

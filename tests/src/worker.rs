//! Sessions in several processes: what a test says to a `session_worker` and what it hears.
//!
//! One JSON document in a line each: first a [`Setup`], then any number of [`Order`]s, each of which is
//! answered by an [`Answer`] before the next is read.

mod process;
mod storage;

use std::time::Duration;

use logto_client::{LogtoConfig, TokenTarget};
use serde::{Deserialize, Serialize};

pub use self::{process::Worker, storage::WorkerStorage};

/// What a worker is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Where the provider listens.
    pub endpoint: String,
    /// The application at the provider.
    pub app_id: String,
    /// The application's secret; a public application has none.
    pub app_secret: Option<String>,
    /// Where sessions live.
    pub storage: WorkerStorage,
    /// Where the worker tells others what became of refresh tokens.
    pub shared_ledger: Option<WorkerStorage>,
    /// Timeout for one request to the provider.
    pub request_timeout: Duration,
    /// Where the process ends, the first time it gets there.
    pub abort_at: Option<Step>,
}

impl Setup {
    /// The configuration of the application.
    pub fn config(&self) -> LogtoConfig {
        let mut builder = LogtoConfig::builder(&self.endpoint, &self.app_id)
            .base_url(super::world::BASE_URL)
            .scopes(["urn:logto:scope:organizations", "read:products"])
            .resource(logto_testkit::demo::SHOPPING_API);
        if let Some(secret) = &self.app_secret {
            builder = builder.app_secret(secret.as_str());
        }
        builder.build().expect("the configuration is well-formed")
    }
}

/// A step of a refresh, in the order in which they are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Nothing has left.
    BeforeSend,
    /// The provider has processed the request; nothing of its answer was read.
    AfterSend,
    /// The answer is there, and nobody has looked at it.
    AfterResponse,
    /// The answer was judged, and is about to be stored.
    BeforeWrite,
    /// It was stored.
    AfterWrite,
}

/// Something to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The time at the provider, in seconds since 1970.
    pub now: u64,
    /// What to do.
    pub command: Command,
}

/// What a worker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Opens the session of a handle for writing; the other commands use it.
    Open(String),
    /// Gets these tokens, all at once.
    Tokens(Vec<TokenTarget>),
    /// Looks for a token in the session of a handle, without the right to fetch one.
    ReadOnly(String, TokenTarget),
    /// Signs out.
    SignOut,
    /// Ends the process in good order.
    Exit,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Whether the session was there.
    Opened(bool),
    /// The tokens, and the session as it is now.
    Tokens(Vec<Outcome>, WorkerSession),
    /// The token, if there was a usable one.
    Cached(Option<String>),
    /// Whether that went well.
    SignedOut(bool),
}

/// What came of one wish for a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The token.
    Token(String),
    /// Trouble that passes; the session is as it was.
    Transient(String),
    /// This wish is refused; the session is as it was.
    Refused(String),
    /// The session is over.
    Ended(String),
}

/// A session as a worker holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSession {
    /// Who is signed in.
    pub subject: String,
    /// What the browser is given.
    pub handle: String,
    /// The refresh token that the worker would spend next.
    pub refresh_token: Option<String>,
}

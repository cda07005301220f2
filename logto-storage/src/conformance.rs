//! The suite that every session storage passes. Run it on a storage of your own:
//!
//! ```
//! use std::sync::Arc;
//! use logto_storage::{Lifetimes, MemoryStorage, conformance::{self, StorageKind, Promises}};
//!
//! # async fn test() {
//! let promises = Promises { kind: StorageKind::Process, lifetimes: Lifetimes::default() };
//! conformance::run(promises, async || Arc::new(MemoryStorage::new()) as _).await.unwrap();
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test());
//! ```
//!
//! It needs no runtime of its own and moves the time of sessions itself. Leases end by the storage's own
//! clock, so for [`StorageKind::Shared`] it waits about half a second. Sessions for other tests of a storage
//! come from [`Sample`].

mod ending;
mod leases;
mod sample;
mod writing;

use std::{fmt, future::Future, sync::Arc};

use logto_client::storage::{Handle, Replaced, SessionStorage, Stored, Version};
use logto_core::{Session, UnixTime};

pub use self::sample::Sample;
use crate::Lifetimes;

/// The time at which all rules are checked.
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// The properties of a storage that the contract leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// Where it keeps sessions.
    pub kind: StorageKind,
    /// How long it keeps them.
    pub lifetimes: Lifetimes,
}

/// The kind of a storage, which determines what the suite requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// In the browser. A session cannot be taken back, and each write has a new handle.
    Browser,
    /// In one process.
    Process,
    /// Where several processes share it: only one of them may refresh a session at a time.
    Shared,
}

/// A rule that the storage violates.
#[derive(Debug, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// What happened instead.
    pub detail: String,
}

/// Checks all rules on the storage that `make` returns, which may already contain sessions. For
/// [`StorageKind::Shared`], `make` is called twice and opens the same store, as two processes would.
///
/// # Errors
/// The first rule that is violated.
pub async fn run<F>(promises: Promises, make: impl Fn() -> F) -> Result<(), Violation>
where
    F: Future<Output = Arc<dyn SessionStorage>>,
{
    let one = make().await;
    let other = match promises.kind {
        StorageKind::Shared => make().await,
        StorageKind::Browser | StorageKind::Process => one.clone(),
    };
    let suite = Suite {
        promises,
        one,
        other,
    };
    suite.what_is_stored_is_loaded().await?;
    suite.every_handle_is_new().await?;
    suite.foreign_handles_are_nothing().await?;
    suite.replace_needs_the_current_version().await?;
    suite.of_concurrent_writers_one_wins().await?;
    suite.removed_sessions_stay_removed().await?;
    suite.foreign_parts_change_nothing().await?;
    suite.removing_by_logout().await?;
    suite.sessions_end_when_idle().await?;
    suite.sessions_end_for_good().await?;
    suite.sessions_in_use_live_on().await?;
    suite.the_end_of_time().await?;
    suite.leases_exclude_each_other().await?;
    suite.leases_end_and_are_taken_over().await?;
    suite.renewed_leases_stay().await?;
    suite.leases_end_with_their_sessions().await?;
    suite.names_are_used_once().await
}

struct Suite {
    promises: Promises,
    one: Arc<dyn SessionStorage>,
    /// The same store as another process sees it, where several processes share one.
    other: Arc<dyn SessionStorage>,
}

impl Suite {
    async fn create(&self, rule: &'static str, session: &Session) -> Result<Handle, Violation> {
        let (handle, _) = self.one.create(session, NOW).await.or_violated(rule)?;
        Ok(handle)
    }

    async fn load(
        &self,
        rule: &'static str,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<Stored>, Violation> {
        self.one.load(handle, now).await.or_violated(rule)
    }

    async fn loaded(&self, rule: &'static str, handle: &Handle) -> Result<Stored, Violation> {
        let stored = self.load(rule, handle, NOW).await?;
        stored.ok_or_else(|| rule.violated("what was just stored is not there"))
    }

    async fn replace(
        &self,
        rule: &'static str,
        handle: &Handle,
        expected: Version,
        session: &Session,
    ) -> Result<Replaced, Violation> {
        self.one
            .replace(handle, expected, session, NOW)
            .await
            .or_violated(rule)
    }
}

/// A rule, by its text.
trait Rule {
    fn violated(self, detail: impl Into<String>) -> Violation;
    fn ensure(self, kept: bool, otherwise: impl Into<String>) -> Result<(), Violation>;
}

impl Rule for &'static str {
    fn violated(self, detail: impl Into<String>) -> Violation {
        Violation {
            rule: self,
            detail: detail.into(),
        }
    }

    fn ensure(self, kept: bool, otherwise: impl Into<String>) -> Result<(), Violation> {
        if kept {
            Ok(())
        } else {
            Err(self.violated(otherwise))
        }
    }
}

trait OrViolated<T> {
    fn or_violated(self, rule: &'static str) -> Result<T, Violation>;
}

impl<T, E: fmt::Display> OrViolated<T> for Result<T, E> {
    fn or_violated(self, rule: &'static str) -> Result<T, Violation> {
        self.map_err(|error| rule.violated(format!("unexpected error: {error}")))
    }
}

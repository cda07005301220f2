//! A value that is fetched and kept for a while.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use logto_core::{
    UnixTime,
    freshness::{Freshness, FreshnessPolicy, Lookup},
};

use crate::{
    clock::Clock,
    error::Error,
    runtime::{BoxFuture, BoxedFuture, MaybeSend, MaybeSync, Runtime},
    single_flight::{Inflight, SingleFlight, lock},
};

/// A value that is fetched and kept for a while. All callers share one fetch.
pub(crate) struct Cache<T: Clone> {
    state: Arc<Mutex<State<T>>>,
    fetches: SingleFlight<(), Result<T, Error>>,
}

/// The result of [`Cache::get_for_unknown_key`].
pub(crate) enum UnknownKey<T: Clone> {
    /// A fetch was in flight already.
    Joined(Inflight<Result<T, Error>>),
    /// A fetch has started.
    Started(Inflight<Result<T, Error>>),
    /// There were too many fetches.
    Refused(Error),
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    freshness: Freshness,
    last_error: Option<Error>,
}

impl<T: Clone + MaybeSend + MaybeSync + 'static> Cache<T> {
    pub(crate) fn new(policy: FreshnessPolicy) -> Self {
        let freshness = Freshness::new(policy);
        Self {
            state: Arc::new(Mutex::new(State {
                value: None,
                freshness,
                last_error: None,
            })),
            fetches: SingleFlight::default(),
        }
    }

    /// The value, fetched first if it is missing or too old.
    pub(crate) async fn get(
        &self,
        clock: &Arc<dyn Clock>,
        runtime: &dyn Runtime,
        fetch: impl FnOnce() -> BoxFuture<'static, Result<T, Error>>,
    ) -> Result<T, Error> {
        let (lookup, value, last_error) = {
            let state = lock(&self.state);
            (
                state.freshness.lookup(clock.now()),
                state.value.clone(),
                state.last_error.clone(),
            )
        };
        match (lookup, value, last_error) {
            (Lookup::Hit, Some(value), _) => Ok(value),
            (Lookup::HitAndRefresh, Some(value), _) => {
                drop(self.fetch(clock, runtime, fetch));
                Ok(value)
            }
            (Lookup::Wait(_), _, Some(error)) => Err(error),
            _ => self.fetch(clock, runtime, fetch).await,
        }
    }

    fn fetch(
        &self,
        clock: &Arc<dyn Clock>,
        runtime: &dyn Runtime,
        fetch: impl FnOnce() -> BoxFuture<'static, Result<T, Error>>,
    ) -> Inflight<Result<T, Error>> {
        let state = Arc::clone(&self.state);
        let clock = Arc::clone(clock);
        self.fetches.join(runtime, (), move || {
            let fetched = fetch();
            async move {
                let outcome = fetched.await;
                lock(&state).record(&outcome, clock.now());
                outcome
            }
            .boxed_future()
        })
    }

    /// Fetches because the cached value lacks a key, if the allowance for such fetches is not used up: anyone
    /// can send a token that names an unknown key.
    pub(crate) fn get_for_unknown_key(
        &self,
        clock: &Arc<dyn Clock>,
        runtime: &dyn Runtime,
        fetch: impl FnOnce() -> BoxFuture<'static, Result<T, Error>>,
    ) -> UnknownKey<T> {
        if self.fetches.is_in_flight(&()) {
            return UnknownKey::Joined(self.fetch(clock, runtime, fetch));
        }
        let mut state = lock(&self.state);
        if let Err(retry_after) = state.freshness.fetch_for_unknown_key(clock.now()) {
            let last_error = state.last_error.clone();
            return UnknownKey::Refused(last_error.unwrap_or(Error::KeyUnknown { retry_after }));
        }
        drop(state);
        UnknownKey::Started(self.fetch(clock, runtime, fetch))
    }

    /// Whether [`get`](Self::get) returns without waiting.
    pub(crate) fn is_ready(&self, now: UnixTime) -> bool {
        let state = lock(&self.state);
        let lookup = state.freshness.lookup(now);
        state.value.is_some() && matches!(lookup, Lookup::Hit | Lookup::HitAndRefresh)
    }

    /// Keeps a value that was fetched elsewhere.
    pub(crate) fn put(&self, value: T, now: UnixTime) {
        lock(&self.state).record(&Ok(value), now);
    }

    /// The value, whatever its age.
    pub(crate) fn value(&self) -> Option<T> {
        lock(&self.state).value.clone()
    }
}

impl<T: Clone> State<T> {
    fn record(&mut self, outcome: &Result<T, Error>, now: UnixTime) {
        match outcome {
            Ok(value) => {
                self.value = Some(value.clone());
                self.last_error = None;
                self.freshness.fetched(now);
            }
            Err(error) => {
                self.last_error = Some(error.clone());
                self.freshness.failed(now, error.retry_after());
            }
        }
    }
}

impl<T: Clone> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

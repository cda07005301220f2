//! A refresh, driven by hand with literal responses.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use logto_core::{
    AccessToken, Error, Exchange, LogtoConfig, Session, TokenTarget, UnixTime,
    discovery::{FetchKeys, FetchedKeys},
    grants::RefreshTokens,
    jwt::{AwsLcVerifier, KeySet},
    metadata::ProviderMetadata,
    refresh::{
        Action, Demand, Event, Moment, Persist, Refresh, RefreshError, RefreshJob, RefreshOutcome,
        SessionJob, Step, Wanted,
    },
    session::SessionDelta,
};

use super::{
    SigningKey,
    provider::{NOW, config, metadata},
};

/// A refresh and its surroundings: one process, a storage that works, ledgers that know nothing. It stops
/// wherever a response is needed.
pub struct Refreshing {
    refresh: Refresh<Error>,
    metadata: Arc<ProviderMetadata>,
    keys: Option<Arc<KeySet>>,
    before: Session,
    stored: Arc<Session>,
    under_way: Option<UnderWay>,
    outcome: Option<RefreshOutcome<Error>>,
    /// Everything that was to be done so far, in order.
    pub actions: Vec<Action<Error>>,
}

/// A request without its response.
enum UnderWay {
    Tokens(RefreshTokens),
    Keys(FetchKeys),
}

/// What came of a refresh.
#[derive(Debug)]
pub struct Refreshed {
    /// The token, or why there is none.
    pub token: Result<AccessToken, RefreshError<Error>>,
    /// What was recorded last: the whole change, or nothing.
    pub delta: SessionDelta,
    /// The session as the refresh found it.
    pub before: Session,
    /// The session as the refresh left it.
    pub session: Session,
    /// Everything that was to be done, in order.
    pub actions: Vec<Action<Error>>,
}

impl Refreshing {
    /// A refresh by the application of all tests, with the keys that sign everything here.
    pub fn new(session: &Session, target: &TokenTarget, demand: Demand) -> Self {
        let keys = SigningKey::es384().key_set(&AwsLcVerifier);
        let job = job(config(), target, demand);
        Self::of(job, metadata(), session, Some(keys), NOW)
    }

    /// A refresh that begins at `now`.
    pub fn of(
        job: RefreshJob,
        metadata: ProviderMetadata,
        session: &Session,
        keys: Option<KeySet>,
        now: UnixTime,
    ) -> Self {
        let stored = Arc::new(session.clone());
        let mut refreshing = Self {
            refresh: Refresh::new(job, Arc::clone(&stored), false, moment(now)),
            metadata: Arc::new(metadata),
            keys: keys.map(Arc::new),
            before: session.clone(),
            stored,
            under_way: None,
            outcome: None,
            actions: Vec::new(),
        };
        refreshing.go_on(now);
        refreshing
    }

    /// The machine as it is now.
    pub fn refresh(&self) -> &Refresh<Error> {
        &self.refresh
    }

    /// How many keys are at hand.
    pub fn keys(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.len())
    }

    /// The request that a response is needed for, if there is one.
    pub fn request(&self) -> Option<Request<Bytes>> {
        match self.under_way.as_ref()? {
            UnderWay::Tokens(exchange) => Some(exchange.request()),
            UnderWay::Keys(exchange) => Some(exchange.request()),
        }
    }

    /// The request that a response is needed for.
    pub fn sent(&self) -> Request<Bytes> {
        self.request().expect("a request is under way")
    }

    /// Receives this response at `now`.
    pub fn respond(&mut self, response: Response<Bytes>, now: UnixTime) {
        let event = match self.under_way.take().expect("a request is under way") {
            UnderWay::Tokens(exchange) => Event::Response {
                answer: exchange.accept(response, now),
                sent_at: Duration::ZERO,
            },
            UnderWay::Keys(exchange) => match exchange.accept(response, now) {
                Ok(FetchedKeys::New { keys, .. }) => {
                    self.keys = Some(keys);
                    Event::KeysFetched
                }
                Ok(_) => Event::KeysFetched,
                Err(error) => Event::Failed(error),
            },
        };
        self.handle(event, now);
        self.go_on(now);
    }

    /// Reports an event, whether or not the refresh waits for it.
    pub fn handle(&mut self, event: Event<Error>, now: UnixTime) {
        self.refresh.handle(event, moment(now));
    }

    /// What the refresh says when it is asked again.
    pub fn poll(&mut self, now: UnixTime) -> Step<Error, RefreshOutcome<Error>> {
        self.refresh.poll(moment(now))
    }

    /// What was recorded so far, in order.
    pub fn recorded(&self) -> Vec<SessionDelta> {
        let recorded = |action: &Action<Error>| match action {
            Action::Record { delta, .. } => Some(delta.clone()),
            _ => None,
        };
        self.actions.iter().filter_map(recorded).collect()
    }

    /// The session as the refresh found it.
    pub fn before(&self) -> &Session {
        &self.before
    }

    /// The session as it is stored now.
    pub fn stored(&self) -> &Session {
        &self.stored
    }

    /// What came of it. The caller and the storage have the same session.
    pub fn done(&mut self) -> Refreshed {
        let outcome = self.outcome.take().expect("the refresh has ended");
        assert_eq!(outcome.session, self.stored);
        assert!(!outcome.needs_write_back);
        Refreshed {
            token: outcome.token,
            delta: self.recorded().pop().unwrap_or_default(),
            before: self.before.clone(),
            session: Session::clone(&outcome.session),
            actions: self.actions.clone(),
        }
    }

    /// Performs what is to be done until a response is needed or the refresh ends.
    fn go_on(&mut self, now: UnixTime) {
        while self.outcome.is_none() {
            let step = self.poll(now);
            let event = step.event_if_alone();
            match step {
                Step::Perform(action) => {
                    self.actions.push(action.clone());
                    if let Some(event) = event.or_else(|| self.perform(action, now)) {
                        self.handle(event, now);
                    }
                }
                Step::Wait { until: None } if self.under_way.is_some() => return,
                Step::Wait { until } => panic!("waits for nothing until {until:?}"),
                Step::Done(outcome) => self.outcome = Some(outcome),
            }
        }
    }

    fn perform(&mut self, action: Action<Error>, now: UnixTime) -> Option<Event<Error>> {
        Some(match action {
            Action::Load => Event::Loaded(Arc::clone(&self.stored)),
            Action::Prepare => Event::Prepared(Arc::clone(&self.metadata)),
            Action::Send { exchange, .. } => {
                self.under_way = Some(UnderWay::Tokens(exchange));
                return None;
            }
            Action::Ask { .. } => Event::Inactive,
            Action::FetchKeys => {
                let exchange = FetchKeys::new(&self.metadata, Arc::new(AwsLcVerifier));
                self.under_way = Some(UnderWay::Keys(exchange));
                return None;
            }
            Action::Judge(check) => {
                let keys = self.keys.clone().unwrap_or_default();
                Event::Judged(check.verify(&keys, now))
            }
            Action::Store { session } => {
                self.stored = session;
                Event::Stored
            }
            Action::Remove => Event::Removed,
            Action::Note { .. }
            | Action::Remember { .. }
            | Action::MarkEnded(_)
            | Action::Tell(_) => return None,
            unexpected => panic!("{unexpected:?}"),
        })
    }
}

impl Refreshed {
    /// The error's code, as the caller sees it.
    pub fn code(&self) -> String {
        match self.token.as_ref().unwrap_err() {
            RefreshError::Protocol(error) | RefreshError::Failed(error) => error.code().to_owned(),
            other => panic!("{other}"),
        }
    }

    /// The provider's, or the core's, error.
    pub fn error(&self) -> &Error {
        match self.token.as_ref().unwrap_err() {
            RefreshError::Protocol(error) => error,
            other => panic!("{other}"),
        }
    }

    /// How many requests were to be sent, to the token endpoint and for the keys.
    pub fn requests(&self) -> usize {
        let is_request =
            |action: &&Action<Error>| matches!(action, Action::Send { .. } | Action::FetchKeys);
        self.actions.iter().filter(is_request).count()
    }
}

/// A refresh as an application on one server asks for it.
pub fn job(config: LogtoConfig, target: &TokenTarget, demand: Demand) -> RefreshJob {
    RefreshJob {
        config,
        wanted: Wanted {
            target: target.clone(),
            demand,
            persist: Persist::Storage,
        },
        is_exclusive: true,
    }
}

/// No time passes on the stopwatch.
fn moment(wall: UnixTime) -> Moment {
    Moment {
        wall,
        monotonic: Duration::ZERO,
    }
}

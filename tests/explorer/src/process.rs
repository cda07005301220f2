//! A process: what it remembers, and its jobs on the one session of the world.

use std::{collections::BTreeMap, sync::Arc};

use logto_core::{
    Session,
    refresh::{
        Amend, ConfirmSession, Confirmation, EndSession, Event, Moment, Refresh, RefreshError,
        RefreshOutcome, SessionJob, Step, TokenStatus,
    },
    session::SessionDelta,
};

use crate::{
    browser::{Request, Want},
    call::{Call, Held, Progress, Reply},
    ends::Ends,
    fixtures::{Flaw, Refusal, Target, holds, monotonic, successors, wall},
    part::Part,
};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Process {
    pub(crate) memory: Part<Memory>,
    /// The first one has the right to work on the session, the others wait for it.
    pub(crate) jobs: Vec<Part<Job>>,
    pub(crate) is_stalled: bool,
    /// By how many seconds the wall clock is wrong.
    pub(crate) clock_offset: i64,
    /// When it took the place of one that was killed.
    pub(crate) started_at: Option<u64>,
}

impl Process {
    pub(crate) fn moment(&self, now: u64) -> Moment {
        Moment {
            wall: wall(now, self.clock_offset),
            monotonic: monotonic(now),
        }
    }

    /// Whether a request that was opened by the process before this one may still be on its way.
    pub(crate) fn is_young(&self, now: u64) -> bool {
        self.started_at
            .is_some_and(|started_at| now < started_at + 60_000)
    }

    /// Whether it makes a call that nobody else notices, and whose answer depends on nobody else.
    pub(crate) fn is_alone(process: &Part<Self>) -> bool {
        let mut jobs = process.jobs.iter().filter(|job| job.is_ready());
        !process.is_stalled && jobs.any(|job| job.call.as_ref().is_some_and(Call::is_alone))
    }

    /// Whether it is as good as a new one.
    pub(crate) fn is_new(&self) -> bool {
        self.jobs.is_empty()
            && self.memory.ledger.is_empty()
            && self.memory.statuses.is_empty()
            && self.memory.kept_lease.is_none()
            && self.memory.ends == Ends::default()
            && !self.memory.has_redeemed
    }
}

/// What a process knows until it is killed.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Memory {
    pub(crate) ledger: BTreeMap<u8, Vec<SessionDelta>>,
    pub(crate) statuses: BTreeMap<u8, TokenStatus>,
    pub(crate) refused: Option<(Target, u64)>,
    /// Until when Logto wants to be left alone.
    pub(crate) paused_until: Option<u64>,
    /// A lease of the store that a job did not give back.
    pub(crate) kept_lease: Option<Held>,
    pub(crate) ends: Ends,
    /// Whether a callback was redeemed here.
    pub(crate) has_redeemed: bool,
}

impl Memory {
    /// Brings a session up to date, and says whether that changed it.
    pub(crate) fn catch_up(&self, session: &mut Arc<Session>) -> bool {
        let mut has_news = false;
        while let Some(spent) = holds(session) {
            for delta in self.ledger.get(&spent).into_iter().flatten() {
                if let Some(news) = session.news_in(delta) {
                    Arc::make_mut(session).apply(&news);
                    has_news = true;
                }
            }
            if holds(session) == Some(spent) {
                break;
            }
        }
        has_news
    }

    pub(crate) fn has_recorded(&self, session: &Session) -> bool {
        let mut recorded = successors(self.ledger.values().flatten());
        recorded.any(|token| holds(session) == Some(token))
    }

    /// One change for each target, so that an entry does not grow with time.
    pub(crate) fn record(&mut self, spent: u8, delta: &SessionDelta) {
        let target = |delta: &SessionDelta| {
            delta
                .access_token
                .as_ref()
                .map(|(target, _)| target.clone())
        };
        let entry = self.ledger.entry(spent).or_default();
        entry.retain(|old| {
            let keeps_rotation = old.refresh_token.is_some() && delta.refresh_token.is_none();
            target(old) != target(delta) || keeps_rotation
        });
        entry.push(delta.clone());
    }
}

/// How the driver describes its failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failure {
    Network,
    Storage,
}

/// A job, and what its driver keeps for it.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Job {
    pub(crate) want: Want,
    /// Since when each caller waits.
    pub(crate) callers: Vec<u64>,
    created_at: u64,
    /// The session as the first caller has it.
    pub(crate) session: Arc<Session>,
    /// Whether that is newer than what is stored.
    pub(crate) is_ahead: bool,
    /// What the caller wants once the session is written back.
    pub(crate) next: Option<Want>,
    /// `None` until it is this job's turn.
    pub(crate) machine: Option<Machine>,
    pub(crate) call: Option<Call>,
    pub(crate) progress: Progress,
    /// When the machine wants to be told the time.
    pub(crate) until: Option<u64>,
    /// The version of the record that the machine knows.
    pub(crate) version: Option<u32>,
    pub(crate) lease: Option<Held>,
    /// The cookie that a write made.
    pub(crate) cookie: Option<Arc<Session>>,
    /// What is wrong with the ID token that came.
    pub(crate) flaw: Option<Flaw>,
    /// The last refresh request.
    pub(crate) sent: Option<Sent>,
    /// Whether the process, or, if it asks for that, Logto knew that the session had ended when the job began.
    pub(crate) began_after_end: bool,
    /// Requests that wait for the answer of this job, each with the time since then.
    pub(crate) held_back: Vec<(u64, Request)>,
    /// How often the process had forgotten ends when the job began.
    pub(crate) asked_after: u8,
}

/// A refresh request that was answered, or that nobody listens for any more.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Sent {
    pub(crate) token: u8,
    pub(crate) left_at: u64,
    pub(crate) was_replayed: bool,
    pub(crate) refusal: Option<Refusal>,
    /// The version of the record when the answer came.
    pub(crate) version: Option<u32>,
}

/// How long a refresh is listened for.
const LISTEN_TIMEOUT: u64 = 60_000;
/// How long every other call may take.
const CALL_TIMEOUT: u64 = 10_000;
/// How long a caller waits.
const CALLER_TIMEOUT: u64 = 10_000;
/// How long a request waits until Logto says whether its session has ended.
const CONFIRMATION_WAIT: u64 = 2_000;
/// How long the end of a session waits for a refresh of it.
const ENDING_WAIT: u64 = 2_000;

impl Job {
    pub(crate) fn new(want: Want, session: Arc<Session>, version: Option<u32>, now: u64) -> Self {
        Self {
            want,
            callers: vec![now],
            created_at: now,
            session,
            is_ahead: false,
            next: None,
            machine: None,
            call: None,
            progress: Progress::Ready,
            until: None,
            version,
            lease: None,
            cookie: None,
            flaw: None,
            sent: None,
            began_after_end: false,
            held_back: Vec::new(),
            asked_after: 0,
        }
    }

    /// A job that asks whether the session of a request goes on.
    pub(crate) fn asking(request: Request, asked_after: u8, now: u64) -> Self {
        let session = Arc::clone(&request.session);
        Self {
            callers: Vec::new(),
            held_back: vec![(now, request)],
            asked_after,
            ..Self::new(Want::Confirm, session, None, now)
        }
    }

    /// Whether a call is about to leave.
    pub(crate) fn is_ready(&self) -> bool {
        self.call.is_some() && matches!(self.progress, Progress::Ready)
    }

    /// Whether a call or its answer takes long.
    pub(crate) fn is_slow(&self) -> bool {
        self.call.is_some() && !matches!(self.progress, Progress::Ready)
    }

    pub(crate) fn was_refused(&self) -> bool {
        let refusal = self.sent.and_then(|sent| sent.refusal);
        refusal == Some(Refusal::InvalidGrant)
    }

    /// When something happens because time has passed.
    pub(crate) fn timer(&self) -> Option<u64> {
        let caller = self.callers.iter().min();
        let held_back = self.held_back.iter().map(|(since, _)| since).min();
        let times = [
            self.until,
            self.timeout_at(),
            self.impatient_at(),
            caller.map(|since| since + CALLER_TIMEOUT),
            held_back.map(|since| since + CONFIRMATION_WAIT),
        ];
        times.into_iter().flatten().min()
    }

    /// When nobody waits any longer for the answer to the call.
    pub(crate) fn timeout_at(&self) -> Option<u64> {
        let timeout = match self.call.as_ref()? {
            Call::Send(_) => LISTEN_TIMEOUT,
            _ => CALL_TIMEOUT,
        };
        match self.progress {
            Progress::Ready => None,
            Progress::Leaving { left_at } | Progress::Answered { left_at, .. } => {
                Some(left_at + timeout)
            }
        }
    }

    /// When the end of a session begins although it is not its turn.
    pub(crate) fn impatient_at(&self) -> Option<u64> {
        let is_ending = self.want.is_sign_out() || self.want == Want::Replace;
        (is_ending && self.machine.is_none()).then_some(self.created_at + ENDING_WAIT)
    }

    /// Lets the callers go that do not wait any longer, and says how many.
    pub(crate) fn dismiss(&mut self, now: u64) -> usize {
        let before = self.callers.len();
        self.callers.retain(|since| since + CALLER_TIMEOUT > now);
        before - self.callers.len()
    }

    /// Takes the requests that do not wait any longer for an answer.
    pub(crate) fn impatient(&mut self, now: u64) -> Vec<Request> {
        let (gone, left) = std::mem::take(&mut self.held_back)
            .into_iter()
            .partition(|(since, _)| since + CONFIRMATION_WAIT <= now);
        self.held_back = left;
        let gone: Vec<(u64, Request)> = gone;
        gone.into_iter().map(|(_, request)| request).collect()
    }

    /// The refresh token in an answer that was not read yet.
    pub(crate) fn issued(&self) -> Option<u8> {
        match self.progress {
            Progress::Answered {
                reply: Reply::Refreshed { issued, .. },
                ..
            } => Some(issued.token),
            _ => None,
        }
    }

    /// The lease that the job has, or learns of when the answer comes.
    pub(crate) fn known_lease(&self) -> Option<Held> {
        match self.progress {
            Progress::Answered {
                reply: Reply::Leased(lease),
                ..
            } => Some(lease),
            _ => self.lease,
        }
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum Machine {
    Refresh(Box<Refresh<Failure>>),
    End(EndSession<Failure>),
    Amend(Box<Amend<Failure>>),
    Confirm(ConfirmSession<Failure>),
    /// Redeems a code: one call.
    SignIn,
}

/// What a machine ended with.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    Refreshed(RefreshOutcome<Failure>),
    Ended,
    Amended(Result<Arc<Session>, RefreshError<Failure>>),
    Confirmed(Confirmation<Failure>),
}

impl Machine {
    pub(crate) fn poll(&mut self, now: Moment) -> Step<Failure, Output> {
        match self {
            Self::Refresh(machine) => map(machine.poll(now), Output::Refreshed),
            Self::End(machine) => map(machine.poll(now), |_| Output::Ended),
            Self::Amend(machine) => map(machine.poll(now), Output::Amended),
            Self::Confirm(machine) => map(machine.poll(now), Output::Confirmed),
            Self::SignIn => Step::Wait { until: None },
        }
    }

    pub(crate) fn handle(&mut self, event: Event<Failure>, now: Moment) {
        match self {
            Self::Refresh(machine) => machine.handle(event, now),
            Self::End(machine) => machine.handle(event, now),
            Self::Amend(machine) => machine.handle(event, now),
            Self::Confirm(machine) => machine.handle(event, now),
            Self::SignIn => {}
        }
    }

    /// What it is, and its state.
    pub(crate) fn state(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Refresh(machine) => Some(("Refresh", machine.state())),
            Self::End(machine) => Some(("EndSession", machine.state())),
            Self::Amend(machine) => Some(("Amend", machine.state())),
            Self::Confirm(machine) => Some(("ConfirmSession", machine.state())),
            Self::SignIn => None,
        }
    }
}

fn map<T>(step: Step<Failure, T>, output: impl FnOnce(T) -> Output) -> Step<Failure, Output> {
    match step {
        Step::Perform(action) => Step::Perform(action),
        Step::Wait { until } => Step::Wait { until },
        Step::Done(done) => Step::Done(output(done)),
    }
}

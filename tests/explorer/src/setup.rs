//! What is explored: where sessions live, who serves them, and what may go wrong.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use logto_core::refresh::{Attempt, Demand};

use crate::{
    call::Send,
    fixtures::{Refusal, Target, monotonic},
    process::Job,
    provider::Rotation,
};

/// One configuration of the world, and how far it is explored.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) place: Place,
    pub(crate) has_shared_ledger: bool,
    /// What is broken on purpose: the exploration has to find it out.
    pub(crate) defect: Option<Defect>,
    /// Whether Logto answers questions of this application about tokens.
    pub(crate) may_introspect: bool,
    pub(crate) begins_with: Beginning,
    pub(crate) rotation: Rotation,
    /// When the first refresh token expires, in milliseconds.
    pub(crate) first_expires_at: Option<u64>,
    pub(crate) processes: usize,
    /// For how many targets tokens are asked for.
    pub(crate) targets: Target,
    pub(crate) demand: Demand,
    /// How many requests the browser sends.
    pub(crate) requests: u8,
    /// How often time passes.
    pub(crate) pauses: u8,
    /// How often something goes wrong.
    pub(crate) faults: usize,
    /// What may go wrong.
    pub(crate) kinds: Kinds,
    /// The ways that machines went from state to state.
    pub(crate) edges: RefCell<BTreeSet<Edge>>,
}

/// What a driver or a store can get wrong, and what a machine could forget to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Everybody gets the lease.
    LeasesExcludeNobody,
    /// Nobody is told that the last holder of a lease never gave it back.
    TakeoversAreHidden,
    /// Introspection calls every token active.
    EverythingIsActive,
    /// A refresh request leaves after its time.
    NothingIsTooLate,
    /// Nothing is read again after `invalid_grant`.
    RefusalsAreBelieved,
    /// Nobody asks the shared ledger whether a session has ended.
    EndsAreNotLearned,
    /// Nobody asks Logto about a session whose end may have been forgotten.
    DoubtsAreIgnored,
    /// What Logto says about such a session changes nothing.
    ConfirmationsAreIgnored,
    /// An opaque access token is never active, so what was replaced elsewhere is taken for ended.
    WitnessesAreSilenced,
    /// A request whose answer was lost is not sent once more.
    NothingIsReplayed,
    /// The same, only after a 5xx.
    NoReplayAfter5xx,
    /// A new refresh token is not kept before the ID token is judged.
    StoredAfterJudging,
}

/// Of which machine, and from the name of a state to that of the next.
pub(crate) type Edge = (&'static str, &'static str, &'static str);

/// Where sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the browser. `single_process` is what the builder's method of that name promises.
    Cookies { single_process: bool },
    /// In a store that all processes share.
    Store,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The user is signed in.
    Session,
    /// The user comes back from Logto with a code.
    Callback,
}

impl Setup {
    pub(crate) fn may(&self, fault: Fault) -> bool {
        match self.kinds {
            Kinds::Every => true,
            Kinds::Only(kinds) => kinds.contains(&fault),
        }
    }

    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Whether it is too late for a request to leave.
    pub(crate) fn is_late(&self, send: &Send, now: u64) -> bool {
        let is_late = send.start_by.is_some_and(|by| by <= monotonic(now));
        is_late && !self.has(Defect::NothingIsTooLate)
    }

    /// Whether a defect keeps a request from being sent once more.
    pub(crate) fn forgets_replay(&self, job: &Job, attempt: Attempt) -> bool {
        let is_after_5xx = job
            .sent
            .is_some_and(|sent| sent.refusal == Some(Refusal::ServerError));
        let is_forgotten = self.has(Defect::NothingIsReplayed)
            || self.has(Defect::NoReplayAfter5xx) && is_after_5xx;
        is_forgotten && attempt == Attempt::Replay
    }

    /// Whether a defect keeps a change from being kept that is not the last one of a refresh.
    pub(crate) fn keeps_later(&self, is_last: bool) -> bool {
        self.has(Defect::StoredAfterJudging) && !is_last
    }

    pub(crate) fn lives_in_store(&self) -> bool {
        self.place == Place::Store
    }

    /// Whether other processes could have the lease of the session.
    pub(crate) fn shares_lease(&self) -> bool {
        self.lives_in_store() || self.has_shared_ledger
    }

    /// Whether processes learn from each other which sessions have ended. A store tells by itself.
    pub(crate) fn tells_ends(&self) -> bool {
        let ends = [Fault::SignOut, Fault::SignOutHere, Fault::BackChannelLogout];
        let can_end = ends.into_iter().any(|end| self.may(end));
        !self.lives_in_store() && self.has_shared_ledger && can_end
    }

    /// Whether several processes have nothing in common but the browser.
    pub(crate) fn shares_nothing(&self) -> bool {
        self.processes > 1 && !self.shares_lease()
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.place {
            Place::Cookies { .. } => "cookies",
            Place::Store => "a store",
        })?;
        if self.has_shared_ledger {
            f.write_str(" and a shared ledger")?;
        }
        if !self.may_introspect {
            f.write_str(", no introspection")?;
        }
        if self.begins_with == Beginning::Callback {
            f.write_str(", from the callback on")?;
        }
        if self.rotation == Rotation::Past70Percent {
            f.write_str(", rotation past 70 %")?;
        }
        if self.first_expires_at.is_some() {
            f.write_str(", the first token expires")?;
        }
        match self.demand {
            Demand::New => f.write_str(", a new token each time")?,
            Demand::Renewal => f.write_str(", renewals")?,
            Demand::MinRemaining(_) => f.write_str(", a token that lives for long")?,
            Demand::Usable => {}
        }
        let count = |number: usize, one: &str, more: &str| match number {
            1 => format!(", 1 {one}"),
            _ => format!(", {number} {more}"),
        };
        f.write_str(&count(self.processes, "process", "processes"))?;
        f.write_str(&count(self.targets.into(), "target", "targets"))?;
        f.write_str(&count(self.requests.into(), "request", "requests"))?;
        f.write_str(&count(self.pauses.into(), "pause", "pauses"))?;
        f.write_str(&count(self.faults, "fault", "faults"))?;
        match self.kinds {
            Kinds::Every => f.write_str(" of every kind"),
            Kinds::Only(kinds) => write!(f, " of {kinds:?}"),
        }
    }
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kinds {
    /// Also one that is added later: there is no list that could lack it.
    Every,
    Only(&'static [Fault]),
}

/// Something that goes wrong, or that somebody does on purpose while requests are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A request certainly did not leave.
    NotSent,
    /// The connection broke, and the request never arrived.
    RequestLost,
    /// The connection broke, and the request arrives some time later.
    RequestAdrift,
    /// The connection broke after the request was processed.
    AnswerLost,
    /// A 503 of something in front of Logto.
    ErrorBefore,
    /// A 503 after the request was processed.
    ErrorAfter,
    /// A 429.
    TooMany,
    /// A cooldown withholds the request.
    Withheld,
    /// Logto refuses the access token after it has replaced the refresh token.
    Denied,
    /// The ID token is signed with a key that has to be fetched.
    UnknownKey,
    /// The signature of the ID token is bad.
    BadIdToken,
    /// A request or an answer takes as long as it likes.
    Slow,
    /// The store fails until it recovers.
    StoreDown,
    /// The store writes, and its answer is lost.
    WriteUnknown,
    /// A copy of the store answers that lacks the last write.
    StaleRead,
    /// Another writer touches the record.
    Conflict,
    /// The application forgets an access token.
    Forget,
    /// The store, or the ledger, forgets who has the lease.
    LeaseForgotten,
    /// The shared ledger fails until it recovers.
    LedgerDown,
    /// A process is killed, and another one takes its place.
    Killed,
    /// A process stands still for as long as it likes.
    Stalled,
    /// The wall clock of a process is set two hours forward.
    ClockForward,
    /// The wall clock of a process is set two hours back.
    ClockBack,
    /// The browser does not get a response: the caller has gone.
    ResponseLost,
    /// The application asks for a token where it cannot store the session, and says so.
    NotStored,
    /// The user signs out.
    SignOut,
    /// The user signs out of this application only.
    SignOutHere,
    /// So many sessions end in a process that it forgets those that ended before.
    EndsForgotten,
    /// Logto tells one process that the user has signed out elsewhere.
    BackChannelLogout,
    /// An administrator withdraws the grant, or suspends the user.
    Withdrawn,
    /// The browser signs in again, and Logto gives the new session the same grant.
    SignedInAgain,
    /// The callback of a sign-in is delivered a second time.
    CallbackTwice,
}

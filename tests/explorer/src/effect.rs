//! What calls do where they arrive: at Logto, the store and the ledger.

use logto_core::{Session, refresh::Attempt};

use crate::{
    browser::Response,
    call::{Call, Held, Reply, Send},
    fixtures::{Refusal, holds, successors},
    process::{Job, Process, Sent},
    provider::{Cause, Fate, Grant, LEEWAY},
    setup::{Defect, Fault, Setup},
    shared::Lease,
    world::{At, World},
};

/// How long after a request has left it may be sent once more.
const REPLAY_WINDOW: u64 = 2_500;

impl World {
    /// A call leaves, is processed and answered within no time.
    pub(crate) fn call(&mut self, setup: &Setup, at: At) {
        let Some(call) = self.job(at).call.clone() else {
            return;
        };
        let now = self.now;
        let reply = match &call {
            Call::Send(send) if setup.is_late(send, now) => {
                self.check_lateness(setup, at, *send);
                Reply::TooLate
            }
            Call::Send(send) => {
                self.check_refresh(setup, at, *send);
                self.process(setup, at, &call)
            }
            call => self.process(setup, at, call),
        };
        self.deliver(setup, at, now, reply);
    }

    /// Whether a refresh request may leave now.
    fn check_refresh(&mut self, setup: &Setup, at: At, send: Send) {
        let job = self.job(at);
        let sent = job.sent.filter(|_| send.attempt == Attempt::Replay);
        self.violation = match sent {
            _ if self.is_leased_elsewhere(setup, job) => {
                Some("a refresh request leaves under a lease that another process has")
            }
            Some(sent) if sent.was_replayed => Some("a refresh request leaves a third time"),
            Some(sent) if sent.refusal == Some(Refusal::TooManyRequests) => {
                Some("a 429 is replayed")
            }
            Some(sent) if self.now > sent.left_at + LEEWAY => Some("a replay leaves too late"),
            _ => self.violation,
        };
    }

    /// Whether a request that was to be sent once more is rightly called too late.
    fn check_lateness(&mut self, setup: &Setup, at: At, send: Send) {
        let job = self.job(at);
        let sent = job.sent.filter(|_| send.attempt == Attempt::Replay);
        if sent.is_some_and(|sent| self.can_replay(setup, job, sent.left_at)) {
            self.provider.tokens[usize::from(send.token)].was_given_up = true;
        }
    }

    /// Whether the lease that a job took has gone to another process, and not because it was forgotten.
    pub(crate) fn is_leased_elsewhere(&self, setup: &Setup, job: &Job) -> bool {
        // A lease goes with its session.
        let is_gone = setup.lives_in_store() && self.store.record.is_none();
        let lease = self.lease(setup);
        let is_elsewhere = |held: Held| {
            let is_shared = held.has_another || lease.forgotten == Some(held.number);
            lease.is_elsewhere(held.number, self.now) && !is_shared
        };
        !is_gone && job.lease.is_some_and(is_elsewhere)
    }

    /// Whether an answer that just got lost leaves time to send its request once more.
    pub(crate) fn can_replay(&self, setup: &Setup, job: &Job, left_at: u64) -> bool {
        let has_lease = |held: Held| self.lease(setup).is_held_by(held.number, self.now);
        self.now < left_at + REPLAY_WINDOW && job.lease.is_none_or(has_lease)
    }

    /// A call arrives.
    pub(crate) fn process(&mut self, setup: &Setup, at: At, call: &Call) -> Reply {
        let now = self.now;
        match call {
            Call::Load | Call::Store { .. } | Call::Remove if self.store.is_down => Reply::Failed,
            Call::Load => self.store.load(),
            Call::Store { session } => {
                let version = self.job(at).version;
                self.check_write(session, version);
                self.store.replace(version, session)
            }
            Call::Remove => {
                self.check_removal(at);
                self.store.remove();
                Reply::Removed
            }
            Call::Recall { .. } if self.ledger.is_down => Reply::Recalled(None),
            Call::Recall { token, missing } => {
                Reply::Recalled(Some(self.ledger.recall(*token, missing.as_deref())))
            }
            Call::Record { .. } if self.ledger.is_down => Reply::Recorded(false),
            Call::Record { spent, delta } => {
                self.ledger.record(*spent, delta);
                Reply::Recorded(true)
            }
            Call::Lease => self.take_lease(setup, at),
            Call::Release => {
                self.release(setup, self.job(at).lease);
                Reply::Released
            }
            Call::AskRefreshToken { .. } | Call::AskOpaqueToken if !setup.may_introspect => {
                Reply::Unanswered
            }
            Call::AskRefreshToken { .. } if setup.has(Defect::EverythingIsActive) => {
                Reply::Active(true)
            }
            Call::AskRefreshToken { token } => Reply::Active(self.provider.is_active(*token, now)),
            Call::AskOpaqueToken if setup.has(Defect::WitnessesAreSilenced) => Reply::Active(false),
            Call::AskOpaqueToken => Reply::Active(self.provider.grant == Grant::Alive),
            Call::Send(send) => {
                let cause = self.late_replay(setup, at, send.token);
                self.refresh(setup, *send, cause)
            }
            Call::Prepare => Reply::Prepared,
            Call::FetchKeys => Reply::KeysFetched,
            Call::BackOff => Reply::BackedOff,
            Call::Revoke { .. } => {
                self.provider.revoke();
                Reply::Revoked
            }
            Call::Redeem => {
                let is_good = self.provider.redeem();
                if !is_good {
                    self.cause = Some(Cause::CodeReplayed);
                }
                Reply::Redeemed(is_good)
            }
        }
    }

    /// What a refresh request is that comes too late although nothing delayed it.
    fn late_replay(&self, setup: &Setup, at: At, spent: u8) -> Cause {
        let forgotten = self.lease(setup).forgotten;
        let has_another = |lease: Held| lease.has_another || forgotten == Some(lease.number);
        match self.job(at).lease.is_some_and(has_another) {
            true => Cause::LateReplayTwoLeases,
            // In a store a write may still arrive, or have arrived.
            false if !setup.lives_in_store() && self.provider.has_gap(spent) => {
                Cause::LateReplayGap
            }
            false => Cause::LateReplay,
        }
    }

    /// A refresh request arrives. `cause` says what it was if it comes too late.
    pub(crate) fn refresh(&mut self, setup: &Setup, send: Send, cause: Cause) -> Reply {
        let now = self.now;
        if self.provider.grant == Grant::Alive && self.provider.is_too_late(send.token, now) {
            // What was lost before cannot get lost again.
            self.cause = Some(match self.is_held(send.token) {
                true => cause,
                false => self.why_unheld(),
            });
        }
        match self.provider.refresh(send.token, setup.rotation, now) {
            Some(issued) => Reply::Refreshed { issued, flaw: None },
            None => Reply::Refused(Refusal::InvalidGrant),
        }
    }

    /// A lease that the process has kept is its own. Others get a number that nobody knows.
    fn take_lease(&mut self, setup: &Setup, at: At) -> Reply {
        let now = self.now;
        if let Some(kept) = self.take_kept_lease(at.0) {
            if !self.store.is_down && self.store.lease.renew(kept.number, now) {
                return Reply::Leased(kept);
            }
        }
        let known = self.processes.iter().flat_map(|process| {
            let jobs = process.jobs.iter().filter_map(|job| job.known_lease());
            jobs.chain(process.memory.kept_lease)
        });
        let known: Vec<_> = known.map(|lease| lease.number).collect();
        let number = 1 + known.iter().max().unwrap_or(&0);
        let forgotten = self.lease(setup).forgotten;
        if setup.has(Defect::LeasesExcludeNobody) {
            self.store.lease = Lease::default();
        }
        let mut reply = match setup.lives_in_store() {
            true if self.store.is_down => Reply::Failed,
            true => self.store.lease.take(number, now),
            false if self.ledger.is_down => Reply::NotLeased,
            false => self.ledger.lease.take(number, now),
        };
        if let Reply::Leased(lease) = &mut reply {
            lease.has_another = forgotten.is_some_and(|forgotten| known.contains(&forgotten));
        }
        reply
    }

    /// The lease that an earlier job of this process did not give back.
    pub(crate) fn take_kept_lease(&mut self, process: usize) -> Option<Held> {
        self.processes[process].memory.kept_lease?;
        self.processes[process].memory.kept_lease.take()
    }

    /// Gives back the lease of an earlier job that could not write. One that was taken over runs out.
    pub(crate) fn release_kept_lease(&mut self, setup: &Setup, process: usize) {
        let kept = self.processes[process].memory.kept_lease;
        if kept.is_some_and(|kept| !kept.was_taken_over) {
            let kept = self.take_kept_lease(process);
            self.release(setup, kept);
        }
    }

    pub(crate) fn renew(&mut self, setup: &Setup, job: &Job) -> Option<bool> {
        let (number, now) = (job.lease?.number, self.now);
        match setup.lives_in_store() {
            true => (!self.store.is_down).then(|| self.store.lease.renew(number, now)),
            false => (!self.ledger.is_down).then(|| self.ledger.lease.renew(number, now)),
        }
    }

    /// Gives a lease back, or leaves it to run out.
    pub(crate) fn release(&mut self, setup: &Setup, lease: Option<Held>) {
        if let Some(Held { number, .. }) = lease {
            match setup.lives_in_store() {
                true if !self.store.is_down => self.store.lease.release(number),
                false if !self.ledger.is_down => self.ledger.lease.release(number),
                _ => {}
            }
        }
    }

    pub(crate) fn lease_is_free(&self, setup: &Setup) -> bool {
        let is_gone = setup.lives_in_store() && self.store.record.is_none();
        is_gone || self.lease(setup).is_free(self.now)
    }

    /// The lease of the session, in the store or in the ledger.
    pub(crate) fn lease(&self, setup: &Setup) -> &Lease {
        match setup.lives_in_store() {
            true => &self.store.lease,
            false => &self.ledger.lease,
        }
    }

    /// A session whose refresh token was refused is removed only if nothing newer was stored by then.
    fn check_removal(&mut self, at: At) {
        let Some((session, version)) = &self.store.record else {
            return;
        };
        let (token, version) = (holds(session), Some(*version));
        let job = self.job(at);
        let sent = job.sent.filter(|_| job.was_refused());
        // Whoever reads an older copy again reads nothing newer.
        let reads_newest = !self.faults.contains(&Fault::StaleRead);
        let descends = |spent| token.is_some_and(|token| self.provider.descends(token, spent));
        let was_newer = |sent: Sent| descends(sent.token) && sent.version == version;
        if reads_newest && sent.is_some_and(was_newer) {
            self.violation = Some("a session is removed that had a newer refresh token");
        }
        self.is_removed(token);
    }

    /// A write never takes back what is stored.
    fn check_write(&mut self, session: &Session, version: Option<u32>) {
        let Some((stored, at)) = &self.store.record else {
            return;
        };
        let tokens = (holds(session), holds(stored), Some(*at) == version);
        if let (Some(new), Some(old), true) = tokens {
            if self.provider.descends(old, new) {
                self.violation = Some("an older refresh token is stored over a newer one");
            }
        }
    }

    /// Whether somebody has, or will get, a refresh token that works, other than `spent`.
    fn is_held(&self, spent: u8) -> bool {
        let works = |token: &u8| *token != spent && self.provider.is_active(*token, self.now);
        let is_known = |process: &Process| {
            let read = successors(process.memory.ledger.values().flatten());
            let unread = process.jobs.iter().filter_map(|job| job.issued());
            read.chain(unread).any(|token| works(&token))
        };
        self.held_in_common().iter().any(works)
            || self.processes.iter().any(|process| is_known(process))
    }

    /// Why nobody has the newest refresh tokens.
    pub(crate) fn why_unheld(&self) -> Cause {
        let fates = || self.provider.unused().map(|(_, fate)| fate);
        for fate in [
            Fate::NotReplayed,
            Fate::KeeperKilled,
            Fate::HolderKilled,
            Fate::ReceiverKilled,
            Fate::AnswerLost,
        ] {
            if fates().any(|known| known == fate) {
                return Cause::Unheld(fate);
            }
        }
        Cause::Unheld(Fate::Received)
    }

    /// The refresh tokens that the browser, the store and the ledger have, or will have.
    pub(crate) fn held_in_common(&self) -> Vec<u8> {
        let record = self.store.record.iter().map(|(session, _)| session);
        let requests = self.browser.requests.iter().map(|request| &request.session);
        let responses = self.browser.responses.iter().filter_map(Response::session);
        let browser = self.browser.cookie.iter().chain(requests).chain(responses);
        let held = record.chain(browser).filter_map(|session| holds(session));
        held.chain(successors(self.ledger.successors())).collect()
    }
}

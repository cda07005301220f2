//! What happens when something goes wrong.

use std::sync::Arc;

use logto_core::refresh::Attempt;

use crate::{
    browser::Response,
    call::{Adrift, Call, Progress, Reply, Send},
    fixtures::successors,
    process::{Job, Process},
    provider::{Cause, Fate, Grant},
    setup::{Fault, Setup},
    world::{At, World},
};

impl World {
    /// Something goes wrong.
    pub(crate) fn note(&mut self, fault: Fault) {
        let at = self.faults.partition_point(|known| *known <= fault);
        self.faults.insert(at, fault);
    }

    /// A process is killed, with all that only it knew. What it has sent stays on its way, and its callers
    /// are told by something in front of it.
    pub(crate) fn kill(&mut self, process: usize) {
        for token in self.known_only_to(process) {
            let token = &mut self.provider.tokens[usize::from(token)];
            token.fate = match token.was_not_kept {
                true => Fate::KeeperKilled,
                false => Fate::HolderKilled,
            };
        }
        let next = Process {
            clock_offset: self.processes[process].clock_offset,
            started_at: Some(self.now),
            ..Process::default()
        };
        let jobs = std::mem::replace(&mut *self.processes[process], next).jobs;
        for job in jobs {
            let callers = job.callers.len() + job.held_back.len();
            let callers = std::iter::repeat_n(Response::TRY_AGAIN, callers);
            self.browser.responses.extend(callers);
            if let Progress::Answered { reply, .. } = &job.progress {
                self.is_unread(reply, Fate::ReceiverKilled);
            }
            self.leave(&job, Fate::ReceiverKilled);
            if let Some(Call::Send(send)) = job.call.as_ref().filter(|call| call.is_replay()) {
                self.lose_receiver(send.token);
            }
        }
    }

    /// The process is killed that would have sent the request with `spent` once more.
    fn lose_receiver(&mut self, spent: u8) {
        self.provider.lose_receiver(spent);
        let unread = Adrift::Refresh(spent, Fate::AnswerLost);
        if self.adrift.contains(&unread) {
            let messages = self.adrift.iter_mut();
            for message in messages.filter(|message| **message == unread) {
                *message = Adrift::Refresh(spent, Fate::ReceiverKilled);
            }
        }
    }

    /// The refresh tokens that work and that nobody but this process has, or will have.
    fn known_only_to(&self, process: usize) -> Vec<u8> {
        let elsewhere = self.held_in_common();
        let known = successors(self.processes[process].memory.ledger.values().flatten());
        known
            .filter(|token| !elsewhere.contains(token))
            .filter(|token| self.provider.is_active(*token, self.now))
            .collect()
    }

    /// Nobody reads an answer.
    pub(crate) fn is_unread(&mut self, reply: &Reply, fate: Fate) {
        if let Reply::Refreshed { issued, .. } = reply {
            if issued.is_new {
                self.provider.tokens[usize::from(issued.token)].fate = fate;
            }
        }
    }

    /// The session with this refresh token is removed from the browser, or from the store.
    pub(crate) fn is_removed(&mut self, token: Option<u8>) {
        let mut newest = self.provider.unused().map(|(token, _)| token);
        let is_newest = token.is_some_and(|token| newest.any(|newest| newest == token));
        if is_newest && !self.is_to_end && self.provider.grant == Grant::Alive {
            self.cause.get_or_insert(Cause::Removed);
        }
    }

    /// A call that has left goes on without the one who made it.
    fn leave(&mut self, job: &Job, fate: Fate) {
        if !matches!(job.progress, Progress::Leaving { .. }) {
            return;
        }
        match &job.call {
            Some(Call::Send(send)) => self.adrift.push(Adrift::Refresh(send.token, fate)),
            Some(Call::Store { session }) => {
                let write = Adrift::Write(Arc::clone(session), job.version);
                self.adrift.push(write);
            }
            Some(Call::Revoke { .. }) => self.adrift.push(Adrift::Revocation),
            _ => {}
        }
    }

    /// Nobody waits any longer for the answer to a call.
    pub(crate) fn time_out(&mut self, setup: &Setup, at: At) {
        let job = self.job(at).clone();
        let left_at = match &job.progress {
            Progress::Ready => return,
            Progress::Leaving { left_at } => *left_at,
            Progress::Answered { left_at, reply } => {
                self.is_unread(reply, Fate::AnswerLost);
                *left_at
            }
        };
        self.leave(&job, Fate::AnswerLost);
        let reply = match job.call {
            Some(Call::Send(_)) => Reply::Lost,
            Some(Call::Recall { .. }) => Reply::Recalled(None),
            Some(Call::Record { .. }) => Reply::Recorded(false),
            Some(Call::Release) => Reply::Released,
            Some(Call::Revoke { .. }) => Reply::Revoked,
            Some(Call::Redeem) => Reply::Redeemed(false),
            _ => Reply::Failed,
        };
        self.deliver(setup, at, left_at, reply);
    }

    /// A message arrives that nobody waits for.
    pub(crate) fn drift_in(&mut self, setup: &Setup, message: &Adrift) {
        match message {
            Adrift::Refresh(token, fate) => {
                let send = Send {
                    token: *token,
                    target: 0,
                    attempt: Attempt::First,
                    start_by: None,
                };
                let reply = self.refresh(setup, send, Cause::LateReplayAdrift);
                self.is_unread(&reply, *fate);
            }
            Adrift::Write(session, version) => {
                self.store.replace(*version, session);
            }
            Adrift::Revocation => {
                self.provider.revoke();
                self.cause.get_or_insert(Cause::Revoked);
            }
        }
    }

    /// A call that took long was processed. The answer is read at once, unless the process stands still.
    pub(crate) fn arrive_late(&mut self, setup: &Setup, at: At, left_at: u64, call: &Call) {
        let reply = match call {
            Call::Send(send) => self.refresh(setup, *send, Cause::LateReplaySlow),
            call => self.process(setup, at, call),
        };
        match self.processes[at.0].is_stalled {
            true => self.job_mut(at).progress = Progress::Answered { left_at, reply },
            false => self.deliver(setup, at, left_at, reply),
        }
    }

    /// A process that stood still goes on, and reads first what has come meanwhile.
    pub(crate) fn wake(&mut self, setup: &Setup, process: usize) {
        self.processes[process].is_stalled = false;
        let mut jobs = self.processes[process].jobs.iter().enumerate();
        let answered = jobs.find_map(|(number, job)| match &job.progress {
            Progress::Answered { left_at, reply } if job.call.is_some() => {
                Some((number, *left_at, reply.clone()))
            }
            _ => None,
        });
        if let Some((number, left_at, reply)) = answered {
            self.deliver(setup, (process, number), left_at, reply);
        }
    }
}

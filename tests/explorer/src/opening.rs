//! Opening the session, where it lives in cookies and its end may have been forgotten.

use logto_core::refresh::Confirmation;

use crate::{
    browser::{Request, Response, Want},
    ends::CONFIRMED_FOR,
    fixtures::holds,
    part::Part,
    process::{Failure, Job, Process},
    provider::Grant,
    setup::{Defect, Setup},
    world::World,
};

/// How long no question is repeated that was not answered.
const UNANSWERED_FOR: u64 = 60_000;

impl World {
    /// A request arrives at a process.
    pub(crate) fn arrive(&mut self, setup: &Setup, process: usize, request: &Request) {
        match self.is_doubtful(setup, process, request.want) {
            true => self.hold_back(setup, process, request),
            false => self.open(setup, process, request),
        }
    }

    /// Whether a request has to wait until Logto says whether its session has ended.
    fn is_doubtful(&mut self, setup: &Setup, process: usize, want: Want) -> bool {
        let ends = &mut self.processes[process].memory.ends;
        if setup.tells_ends() && !setup.has(Defect::EndsAreNotLearned) {
            ends.learn(&self.ledger, self.now);
        }
        let opens = matches!(want, Want::Token { .. } | Want::Forget { .. } | Want::Look);
        let is_doubtful = opens && ends.known().is_none() && ends.may_have_forgotten(self.now);
        if is_doubtful && setup.has(Defect::DoubtsAreIgnored) {
            let has_ended = ends.was_told && self.provider.grant != Grant::Alive;
            self.check_trust(has_ended);
            return false;
        }
        is_doubtful
    }

    /// Asks Logto, or waits for the answer with those who wait for it already.
    fn hold_back(&mut self, setup: &Setup, process: usize, request: &Request) {
        let now = self.now;
        let Process { memory, jobs, .. } = &mut *self.processes[process];
        let is_same = |job: &&mut Part<Job>| {
            job.want == Want::Confirm && holds(&job.session) == holds(&request.session)
        };
        if let Some(job) = jobs.iter_mut().find(is_same) {
            return job.held_back.push((now, request.clone()));
        }
        let asked_after = memory.ends.forgotten;
        jobs.push(Part::new(Job::asking(request.clone(), asked_after, now)));
        let number = jobs.len() - 1;
        self.go_on(setup, (process, number), None);
    }

    /// Logto has said whether the session goes on, or has not.
    pub(crate) fn confirmed(
        &mut self,
        setup: &Setup,
        process: usize,
        job: &Job,
        confirmation: &Confirmation<Failure>,
    ) {
        let now = self.now;
        let ends = &mut self.processes[process].memory.ends;
        match confirmation {
            Confirmation::Alive => ends.confirm(job.asked_after, now + CONFIRMED_FOR),
            // Whatever is forgotten in this time.
            Confirmation::Unknown(Some(_)) => ends.confirm(u8::MAX, now + UNANSWERED_FOR),
            Confirmation::Unknown(None) => ends.confirm(u8::MAX, now + CONFIRMED_FOR),
            Confirmation::Ended(_) | Confirmation::Superseded => {}
        }
        let is_ignored = setup.has(Defect::ConfirmationsAreIgnored);
        for (_, request) in &job.held_back {
            match confirmation {
                Confirmation::Ended(_) if !is_ignored => {
                    self.browser.responses.push(Response::OVER);
                }
                Confirmation::Superseded => self.browser.responses.push(Response::TRY_AGAIN),
                // Nobody is signed out without an answer.
                Confirmation::Unknown(_) => self.open(setup, process, request),
                Confirmation::Alive | Confirmation::Ended(_) => {
                    self.check_trust(job.began_after_end);
                    self.open(setup, process, request);
                }
            }
        }
    }

    /// A session is opened.
    fn check_trust(&mut self, has_ended: bool) {
        if has_ended {
            self.violation = Some("a session that has ended is trusted again");
        }
    }
}

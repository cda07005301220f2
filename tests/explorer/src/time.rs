//! Time passes.

use logto_core::refresh::Event;

use crate::{
    browser::Response,
    call::Call,
    ends::Ended,
    setup::Setup,
    world::{At, World},
};

impl World {
    /// Whether everything is done that takes no time.
    pub(crate) fn is_idle(&self) -> bool {
        self.processes.iter().all(|process| {
            let mut jobs = process.jobs.iter();
            process.is_stalled || !jobs.any(|job| job.is_ready())
        })
    }

    /// Time passes, at most until something happens by itself that others could come before.
    pub(crate) fn pass(&mut self, setup: &Setup, millis: u64) {
        let target = self.now + millis;
        while self.is_idle() {
            let timers = (0..self.processes.len()).filter_map(|process| self.timer(process));
            let Some((at, job)) = timers.min().filter(|(at, _)| *at <= target) else {
                self.now = target;
                return self.forget_pauses();
            };
            self.now = self.now.max(at);
            self.fire(setup, job);
        }
    }

    /// Processes forget what does not count any more.
    fn forget_pauses(&mut self) {
        let now = self.now;
        for process in &mut self.processes {
            let memory = &process.memory;
            let is_over = |until: Option<u64>| until.is_some_and(|until| until <= now);
            if is_over(memory.paused_until) || is_over(memory.refused.map(|(_, until)| until)) {
                let memory = &mut process.memory;
                memory.paused_until.take_if(|until| *until <= now);
                memory.refused.take_if(|(_, until)| *until <= now);
            }
        }
    }

    /// When, and to which job of a process, something happens because time has passed.
    fn timer(&self, process: usize) -> Option<(u64, At)> {
        if self.processes[process].is_stalled {
            return None;
        }
        let jobs = self.processes[process].jobs.iter().enumerate();
        let timers = jobs.filter_map(|(number, job)| Some((job.timer()?, (process, number))));
        timers.min()
    }

    fn fire(&mut self, setup: &Setup, at: At) {
        let now = self.now;
        let dismissed = self.job_mut(at).dismiss(now);
        let told = std::iter::repeat_n(Response::TRY_AGAIN, dismissed);
        self.browser.responses.extend(told);
        let impatient = self.job_mut(at).impatient(now);
        if !impatient.is_empty() {
            // Nobody is signed out without an answer.
            for request in impatient {
                self.open(setup, at.0, &request);
            }
            return;
        }
        let job = self.job(at);
        let has_come = |time: Option<u64>| time.is_some_and(|time| time <= now);
        if has_come(job.impatient_at()) {
            if job.want.is_sign_out() {
                self.processes[at.0].memory.ends.mark(Ended::Overtaking);
            }
            self.go_on(setup, at, None);
        } else if has_come(job.timeout_at()) {
            self.time_out(setup, at);
        } else if has_come(job.until) {
            self.tell_time(setup, at);
        }
    }

    /// A machine looks at the time: it renews a lease, or looks again whether it can have one.
    fn tell_time(&mut self, setup: &Setup, at: At) {
        let is_waiting = self.job(at).call.is_none();
        self.go_on(setup, at, Some(Event::Time));
        if !is_waiting || self.lease_is_free(setup) {
            return;
        }
        // The lease is held, and nothing has changed: nobody needs to come before this look.
        while let Some(job) = self.processes[at.0].jobs.get(at.1) {
            let is_look = matches!(
                job.call,
                Some(Call::Load | Call::Recall { .. } | Call::Lease)
            );
            if !(is_look && job.is_ready()) {
                return;
            }
            self.call(setup, at);
        }
    }
}

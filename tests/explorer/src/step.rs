//! Everything that can happen next.

mod calls;
mod others;

use crate::{
    browser::{SetCookie, Want},
    ends::Ended,
    fixtures::holds,
    label::Label,
    process::Process,
    search::Model,
    setup::{Fault, Setup},
    world::World,
};

/// A world in its setup.
#[derive(Clone, Debug)]
pub(crate) struct State<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) world: World,
}

impl Model for State<'_> {
    type Label = Label;

    fn fingerprint(&mut self) -> u64 {
        self.world.fingerprint()
    }

    fn steps(&self, mut visit: impl FnMut(Label, Self)) {
        let setup = self.setup;
        let mut steps = Steps {
            setup,
            from: &self.world,
            visit: &mut |label, world| visit(label, Self { setup, world }),
            has_found: false,
        };
        // What touches nothing but itself comes first: in every other order it leads to the same.
        if let Some(response) = self.world.browser.empty_response() {
            return steps.of_response(response);
        }
        if let Some(process) = self.world.processes.iter().position(Process::is_alone) {
            return steps.of_process(process);
        }
        steps.of_the_browser();
        for process in 0..setup.processes {
            steps.of_process(process);
        }
        steps.of_messages_adrift();
        steps.of_others();
        steps.of_time();
    }
}

struct Steps<'a> {
    setup: &'a Setup,
    from: &'a World,
    visit: &'a mut dyn FnMut(Label, World),
    has_found: bool,
}

impl Steps<'_> {
    fn add(&mut self, label: Label, change: impl FnOnce(&mut World)) {
        let mut world = self.from.clone();
        change(&mut world);
        self.has_found = true;
        (self.visit)(label, world);
    }

    /// A step on which something goes wrong, if that may happen once more.
    fn fault(&mut self, fault: Fault, label: Label, change: impl FnOnce(&mut World)) {
        if self.setup.may(fault) && self.from.faults.len() < self.setup.faults {
            self.add(label, |world| {
                world.note(fault);
                change(world);
            });
        }
    }

    fn of_the_browser(&mut self) {
        let (setup, from) = (self.setup, self.from);
        if from.browser.cookie.is_some() {
            if from.requests_left > 0 {
                self.requests();
            }
            if !from.is_to_end {
                self.endings();
            }
        }
        for (i, request) in from.browser.requests.iter().enumerate() {
            if from.browser.requests[..i].contains(request) {
                continue;
            }
            for process in from.distinct_processes() {
                if from.processes[process].is_stalled {
                    continue;
                }
                self.add(Label::Arrived(process, request.want), |world| {
                    world.browser.requests.remove(i);
                    world.arrive(setup, process, request);
                });
            }
        }
        for (i, response) in from.browser.responses.iter().enumerate() {
            if !from.browser.responses[..i].contains(response) {
                self.of_response(i);
            }
        }
    }

    fn of_response(&mut self, i: usize) {
        let response = &self.from.browser.responses[i];
        self.add(Label::Received(response.told), |world| {
            world.browser.responses.remove(i);
            if response.cookie == Some(SetCookie::Clear) {
                let cookie = world.browser.cookie.as_deref();
                world.is_removed(cookie.and_then(holds));
            }
            world.browser.receive(response);
            world.has_begun |= world.browser.cookie.is_some();
        });
        if response.cookie.is_some() {
            let label = Label::NotReceived(response.told);
            self.fault(Fault::ResponseLost, label, |world| {
                world.browser.responses.remove(i);
            });
        }
    }

    fn requests(&mut self) {
        let setup = self.setup;
        // Targets are alike: the one that is asked for first may as well be the first.
        let is_first = self.from.requests_left == setup.requests;
        for target in 1..=if is_first { 1 } else { setup.targets } {
            let want = |is_stored| Want::Token { target, is_stored };
            self.add(Label::Sent(want(true)), |world| {
                world.requests_left -= 1;
                world.send(setup, want(true));
            });
            if setup.lives_in_store() && self.from.has_older_copy() {
                let label = Label::SentStale(want(true));
                self.fault(Fault::StaleRead, label, |world| {
                    world.requests_left -= 1;
                    world.read_older_copy(|world| world.send(setup, want(true)));
                });
            }
            if !setup.lives_in_store() {
                self.fault(Fault::NotStored, Label::Sent(want(false)), |world| {
                    world.requests_left -= 1;
                    world.send(setup, want(false));
                });
            }
            let forget = Want::Forget { target };
            self.fault(Fault::Forget, Label::Sent(forget), |world| {
                world.send(setup, forget)
            });
        }
        // To others nothing comes of it.
        let mut processes = self.from.processes.iter();
        if processes.any(|process| process.memory.ends.has_forgotten()) {
            self.add(Label::Sent(Want::Look), |world| {
                world.requests_left -= 1;
                world.send(setup, Want::Look);
            });
        }
    }

    fn endings(&mut self) {
        let setup = self.setup;
        for (fault, is_local) in [(Fault::SignOut, false), (Fault::SignOutHere, true)] {
            let want = Want::SignOut { is_local };
            self.fault(fault, Label::Sent(want), |world| {
                world.is_to_end = true;
                world.send(setup, want);
            });
        }
        // A cookie is overwritten by the one of the new session, and needs no end.
        if setup.lives_in_store() {
            let want = Want::Replace;
            self.fault(Fault::SignedInAgain, Label::Sent(want), |world| {
                world.is_to_end = true;
                world.was_ended = Some(Fault::SignedInAgain);
                world.send(setup, want);
                world.browser.cookie = None;
            });
        }
    }

    fn of_process(&mut self, p: usize) {
        let (setup, from) = (self.setup, self.from);
        let process = &from.processes[p];
        for (number, job) in process.jobs.iter().enumerate() {
            self.of_job((p, number), job);
        }
        if process.is_stalled {
            self.add(Label::Called(p, "goes on", ""), |world| {
                world.wake(setup, p)
            });
        } else if !process.jobs.is_empty() {
            let fault = Fault::Stalled;
            self.fault(fault, Label::HappenedTo(p, fault), |world| {
                world.processes[p].is_stalled = true;
            });
        }
        if !process.is_new() {
            let fault = Fault::Killed;
            self.fault(fault, Label::HappenedTo(p, fault), |world| world.kill(p));
        }
        if from.has_begun && !from.is_to_end {
            let fault = Fault::BackChannelLogout;
            self.fault(fault, Label::HappenedTo(p, fault), |world| {
                world.is_to_end = true;
                world.was_ended = Some(fault);
                world.processes[p].memory.ends.mark(Ended::Overtaking);
                world.tell_of_end(setup);
                world.store.remove();
            });
        }
        if from.has_begun && !setup.lives_in_store() {
            let fault = Fault::EndsForgotten;
            self.fault(fault, Label::HappenedTo(p, fault), |world| {
                world.processes[p].memory.ends.forget();
            });
        }
        if process.clock_offset == 0 {
            for (fault, offset) in [(Fault::ClockForward, 7_200), (Fault::ClockBack, -7_200)] {
                self.fault(fault, Label::HappenedTo(p, fault), |world| {
                    world.processes[p].clock_offset = offset;
                });
            }
        }
    }
}

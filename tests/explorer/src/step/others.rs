//! What happens outside of the processes, and that time passes.

use super::Steps;
use crate::{
    browser::callback,
    call::Adrift,
    label::Label,
    provider::Grant,
    setup::{Beginning, Fault},
};

/// For how long time passes at once: within all limits, beyond the worth of a question, beyond the three
/// seconds, beyond a lease, and beyond everything that can be on its way.
const PAUSES: [u64; 5] = [1_600, 2_200, 3_200, 6_500, A_WHILE];
/// Requests and responses of a browser are on their way for less.
const A_WHILE: u64 = 61_000;
/// Access tokens have expired after this long.
const HOUR: u64 = 3_700_000;

impl Steps<'_> {
    pub(super) fn of_messages_adrift(&mut self) {
        let (setup, from) = (self.setup, self.from);
        for (i, message) in from.adrift.iter().enumerate() {
            if from.adrift[..i].contains(message) {
                continue;
            }
            let label = Label::Other(match message {
                Adrift::Refresh(..) => "a refresh request arrives that nobody waits for",
                Adrift::Write(..) => "a write arrives that nobody waits for",
                Adrift::Revocation => "the revocation arrives",
            });
            self.add(label, |world| {
                world.adrift.remove(i);
                world.drift_in(setup, message);
            });
        }
    }

    /// What does not happen in a process.
    pub(super) fn of_others(&mut self) {
        let (setup, from) = (self.setup, self.from);
        let happened = Label::Happened;
        if from.provider.grant == Grant::Alive && !from.is_to_end && from.has_begun {
            let fault = Fault::Withdrawn;
            self.fault(fault, happened(fault), |world| {
                world.provider.grant = Grant::Withdrawn;
                world.is_to_end = true;
                world.was_ended = Some(fault);
            });
        }
        if setup.begins_with == Beginning::Callback {
            let fault = Fault::CallbackTwice;
            self.fault(fault, happened(fault), |world| {
                let is_recorded = world.browser.has_record;
                world.browser.requests.push(callback(is_recorded));
            });
        }
        if setup.shares_lease() && !from.lease_is_free(setup) {
            let fault = Fault::LeaseForgotten;
            self.fault(fault, happened(fault), |world| {
                match setup.lives_in_store() {
                    true => world.store.lease.forget(),
                    false => world.ledger.lease.forget(),
                }
            });
        }
        if setup.lives_in_store() {
            let fault = Fault::Conflict;
            self.fault(fault, happened(fault), |world| {
                if let Some((_, version)) = &mut world.store.record {
                    *version += 1;
                }
            });
            let fault = Fault::StoreDown;
            match from.store.is_down {
                true => self.add(Label::Other("the store recovers"), |world| {
                    world.store.is_down = false;
                }),
                false => self.fault(fault, happened(fault), |world| world.store.is_down = true),
            }
        }
        if setup.has_shared_ledger {
            let fault = Fault::LedgerDown;
            match from.ledger.is_down {
                true => self.add(Label::Other("the ledger recovers"), |world| {
                    world.ledger.is_down = false;
                }),
                false => self.fault(fault, happened(fault), |world| world.ledger.is_down = true),
            }
        }
    }

    pub(super) fn of_time(&mut self) {
        let (setup, from) = (self.setup, self.from);
        if !from.is_idle() {
            return;
        }
        let has_jobs = from
            .processes
            .iter()
            .any(|process| !process.jobs.is_empty());
        if !self.has_found && has_jobs {
            // Nothing else can happen: a job waits for a lease that nobody gives back.
            let millis = PAUSES[3];
            return self.add(Label::Passed(millis), |world| {
                world.pass(setup, millis);
                let waits =
                    (0..setup.processes).all(|p| world.processes[p].is_same(&from.processes[p]));
                if waits {
                    world.violation = Some("a job waits for ever");
                }
            });
        }
        if from.pauses_left == 0 {
            return;
        }
        let waits = from.browser.is_waiting();
        let pauses = PAUSES
            .into_iter()
            .filter(|millis| *millis < A_WHILE || !waits);
        for millis in pauses.chain(from.is_quiet().then_some(HOUR)) {
            self.add(Label::Passed(millis), |world| {
                world.pauses_left -= 1;
                world.pass(setup, millis);
            });
        }
    }
}

//! The world: processes, Logto, what keeps the session, and time.

use std::sync::Arc;

use crate::{
    browser::{Browser, Request, Response, Want, callback},
    call::{Adrift, Call},
    ends::Ended,
    fixtures::{holds, new_session},
    part::{Part, fingerprint},
    process::{Job, Process},
    provider::{Cause, Provider},
    setup::{Beginning, Fault, Setup},
    shared::{Record, SharedLedger, Store},
};

/// A job: the number of its process, and its place there.
pub(crate) type At = (usize, usize);

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Milliseconds since the world began.
    pub(crate) now: u64,
    pub(crate) provider: Part<Provider>,
    pub(crate) store: Part<Store>,
    pub(crate) ledger: Part<SharedLedger>,
    pub(crate) processes: Vec<Part<Process>>,
    pub(crate) browser: Part<Browser>,
    /// Messages on their way that nobody waits for.
    pub(crate) adrift: Part<Vec<Adrift>>,
    pub(crate) requests_left: u8,
    pub(crate) pauses_left: u8,
    /// What went wrong so far, sorted.
    pub(crate) faults: Part<Vec<Fault>>,
    /// Whether the user is signed in.
    pub(crate) has_begun: bool,
    /// Whether somebody wants the session to end.
    pub(crate) is_to_end: bool,
    /// What ended the session on purpose.
    pub(crate) was_ended: Option<Fault>,
    /// What ended the grant.
    pub(crate) cause: Option<Cause>,
    /// An invariant that does not hold.
    pub(crate) violation: Option<&'static str>,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        let session = Arc::new(new_session());
        let has_begun = setup.begins_with == Beginning::Session;
        let stored = (has_begun && setup.lives_in_store()).then(|| (Arc::clone(&session), 1));
        let browser = Browser {
            requests: Vec::from_iter((!has_begun).then(|| callback(false))),
            cookie: has_begun.then_some(session),
            ..Browser::default()
        };
        let store = Store {
            before: stored.clone(),
            record: stored,
            ..Store::default()
        };
        Self {
            now: 0,
            provider: Part::new(Provider::new(setup.first_expires_at)),
            store: Part::new(store),
            ledger: Part::new(SharedLedger::default()),
            processes: vec![Part::new(Process::default()); setup.processes],
            browser: Part::new(browser),
            adrift: Part::new(Vec::new()),
            requests_left: setup.requests,
            pauses_left: setup.pauses,
            faults: Part::new(Vec::new()),
            has_begun,
            is_to_end: false,
            was_ended: None,
            cause: None,
            violation: None,
        }
    }

    pub(crate) fn fingerprint(&mut self) -> u64 {
        if self.browser.requests.len() > 1 || self.browser.responses.len() > 1 {
            self.browser.sort();
        }
        let mut processes = Vec::with_capacity(self.processes.len());
        processes.extend(self.processes.iter().map(Part::fingerprint));
        // It does not matter which process is which.
        processes.sort_unstable();
        fingerprint(&(
            (self.now, self.requests_left, self.pauses_left),
            (self.provider.fingerprint(), self.store.fingerprint()),
            (self.ledger.fingerprint(), self.browser.fingerprint()),
            (self.adrift.fingerprint(), processes),
            (self.faults.fingerprint(), self.has_begun, self.is_to_end),
            (self.was_ended, self.cause, self.violation),
        ))
    }

    pub(crate) fn job(&self, (process, number): At) -> &Job {
        &self.processes[process].jobs[number]
    }

    pub(crate) fn job_mut(&mut self, (process, number): At) -> &mut Job {
        &mut self.processes[process].jobs[number]
    }

    /// One process of each kind.
    pub(crate) fn distinct_processes(&self) -> Vec<usize> {
        let mut seen = Vec::new();
        let mut distinct = Vec::new();
        for (number, process) in self.processes.iter().enumerate() {
            let fingerprint = process.fingerprint();
            if !seen.contains(&fingerprint) {
                seen.push(fingerprint);
                distinct.push(number);
            }
        }
        distinct
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_quiet = |process: &Process| process.jobs.is_empty() && !process.is_stalled;
        !self.browser.is_waiting()
            && self.adrift.is_empty()
            && self.processes.iter().all(|process| is_quiet(process))
    }

    /// The browser sends a request with the cookie that it has.
    pub(crate) fn send(&mut self, setup: &Setup, want: Want) {
        let Some(cookie) = self.browser.cookie.clone() else {
            return;
        };
        let opened = match setup.lives_in_store() {
            true => self
                .store
                .record
                .clone()
                .map(|(session, version)| (session, Some(version))),
            false => Some((cookie, None)),
        };
        match opened {
            Some((session, version)) => self.browser.requests.push(Request {
                want,
                session,
                version,
            }),
            None => self.browser.responses.push(Response::OVER),
        }
    }

    /// A process tells the others that the session has ended.
    pub(crate) fn tell_of_end(&mut self, setup: &Setup) {
        if setup.tells_ends() && !self.ledger.is_down {
            self.ledger.has_ended = true;
        }
    }

    /// Whether a copy of the store that is behind has something else.
    pub(crate) fn has_older_copy(&self) -> bool {
        let version = |record: &Option<Record>| record.as_ref().map(|(_, version)| *version);
        version(&self.store.before) != version(&self.store.record)
    }

    /// Reads while a copy of the store answers that is behind.
    pub(crate) fn read_older_copy<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let newest = self.store.record.clone();
        self.store.record = self.store.before.clone();
        let result = read(self);
        self.store.record = newest;
        result
    }

    /// A request opens the session, and shares a job that does the same.
    pub(crate) fn open(&mut self, setup: &Setup, process: usize, request: &Request) {
        let Request {
            want,
            session,
            version,
        } = request;
        let (want, now) = (*want, self.now);
        let memory = &self.processes[process].memory;
        match want {
            Want::Look => {
                let response = match memory.ends.known() {
                    Some(_) => Response::OVER,
                    None => Response::DONE,
                };
                return self.browser.responses.push(response);
            }
            // It goes on to where the sign-in led.
            Want::Callback { is_recorded: true } => {
                return self.browser.responses.push(Response::DONE);
            }
            Want::Callback { is_recorded: false } if memory.has_redeemed => {
                return self.browser.responses.push(Response::TRY_AGAIN);
            }
            _ => {}
        }
        let mut job = Job::new(want, Arc::clone(session), *version, now);
        match want {
            Want::Callback { .. } => {
                self.processes[process].memory.has_redeemed = true;
                job.call = Some(Call::Redeem);
            }
            // The callback of another sign-in reads it from the storage.
            Want::Replace => {}
            _ => job.is_ahead = memory.catch_up(&mut job.session),
        }
        if job.is_ahead && want.opens_to_write() {
            job.want = Want::WriteBack;
            job.next = Some(want);
            let jobs = &mut self.processes[process].jobs;
            jobs.push(Part::new(job));
            let number = jobs.len() - 1;
            return self.go_on(setup, (process, number), None);
        }
        self.begin(setup, process, job);
    }

    /// Begins a job, or joins one that does the same.
    pub(crate) fn begin(&mut self, setup: &Setup, process: usize, job: Job) {
        let Process { memory, jobs, .. } = &mut *self.processes[process];
        if job.want.is_sign_out() || job.want == Want::Replace {
            // The session is refused here before anything else happens.
            memory.ends.mark(Ended::AfterRefresh);
        }
        let is_same = |known: &&mut Part<Job>| {
            known.want == job.want && holds(&known.session) == holds(&job.session)
        };
        match jobs.iter_mut().find(is_same) {
            Some(known) => known.callers.extend(job.callers),
            None => {
                jobs.push(Part::new(job));
                self.run(setup, process);
            }
        }
    }
}

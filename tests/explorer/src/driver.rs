//! The driver of the machines in a process: what the client does, without waiting for anything.

use std::{collections::VecDeque, sync::Arc};

use logto_core::{
    Session,
    refresh::{
        Action, Amend, Attempt, ConfirmSession, EndSession, Ending, Event, Knowledge, LeaseGrant,
        Persist, Refresh, RefreshError, RefreshJob, Step, Wanted,
    },
    session::SessionDelta,
};

use crate::{
    browser::{Response, SetCookie, Told, Want},
    call::{Adrift, Call, Progress, Reply, Send},
    ends::Ended,
    fixtures::{
        self, CONFIG, METADATA, Refusal, holds, monotonic, number, since_start, target_number,
    },
    process::{Failure, Job, Machine, Memory, Output, Process, Sent},
    provider::Grant,
    setup::{Defect, Place, Setup},
    world::{At, World},
};

/// Running jobs.
impl World {
    /// Begins the next job of a process, if it is its turn.
    pub(crate) fn run(&mut self, setup: &Setup, process: usize) {
        let mut jobs = self.processes[process].jobs.iter().enumerate();
        let next = jobs.find(|(_, job)| !job.want.takes_no_turn());
        if let Some((number, _)) = next.filter(|(_, job)| job.machine.is_none()) {
            self.go_on(setup, (process, number), None);
        }
    }

    /// Lets a job go on, with an event if there is one, until it waits for something outside of the process
    /// or ends.
    pub(crate) fn go_on(&mut self, setup: &Setup, at: At, event: Option<Event<Failure>>) {
        let (process, number) = at;
        let mut job = self.processes[process].jobs.remove(number);
        let now = self.processes[process].moment(self.now);
        let mut machine = job.machine.take().unwrap_or_else(|| {
            job.began_after_end = match job.want {
                Want::Confirm => self.provider.grant != Grant::Alive,
                _ => self.processes[process].memory.ends.known().is_some(),
            };
            if job.want.is_sign_out() {
                self.tell_of_end(setup);
            }
            begin(setup, &job, &self.processes[process], self.now)
        });
        let mut events = VecDeque::from_iter(event);
        loop {
            match machine.poll(now) {
                Step::Perform(action) => {
                    events.extend(self.perform(setup, process, &mut job, action));
                }
                Step::Wait { until } => {
                    job.until = until.map(since_start);
                    let Some(event) = events.pop_front() else {
                        break;
                    };
                    let (before, is_news) = (machine.state(), !matches!(event, Event::Renewed(_)));
                    machine.handle(event, now);
                    let after = machine.state();
                    if let (Some((name, before)), Some((_, after)), true) = (before, after, is_news)
                    {
                        // Only a lease renewal looks at the time in another state.
                        if before != "Waiting" && before == after && job.call.is_some() {
                            continue;
                        }
                        setup.edges.borrow_mut().insert((name, before, after));
                    }
                }
                Step::Done(Output::Confirmed(confirmation)) => {
                    return self.confirmed(setup, process, &job, &confirmation);
                }
                Step::Done(Output::Amended(result)) if job.want == Want::WriteBack => {
                    return self.written_back(setup, process, &job, result);
                }
                Step::Done(Output::Amended(result))
                    if matches!(job.want, Want::Callback { .. }) =>
                {
                    self.signed_in(&job, result.ok());
                    return self.run(setup, process);
                }
                Step::Done(output) => {
                    if setup.lives_in_store() && job.lease.is_some() {
                        self.processes[process].memory.kept_lease = job.lease;
                    }
                    self.finish(setup, process, &job, output);
                    return self.run(setup, process);
                }
            }
        }
        if job.call.is_none() && job.until.is_none() {
            self.violation = Some("a job waits for nothing");
        }
        job.machine = Some(machine);
        self.processes[process].jobs.insert(number, job);
    }

    /// Performs an action within the process, or begins a call that leaves it.
    fn perform(
        &mut self,
        setup: &Setup,
        process: usize,
        job: &mut Job,
        action: Action<Failure>,
    ) -> Option<Event<Failure>> {
        let in_store = setup.lives_in_store();
        let is_removed = matches!(action, Action::Remove) && job.want == Want::Replace;
        if is_removed && self.is_leased_elsewhere(setup, job) {
            self.violation = Some("a session is replaced under a lease that another process has");
        }
        let memory = &mut self.processes[process].memory;
        let call = match action {
            Action::Load if setup.has(Defect::RefusalsAreBelieved) && job.was_refused() => {
                return Some(Event::Loaded(Arc::clone(&job.session)));
            }
            Action::Load if in_store => Call::Load,
            Action::Load => {
                let cookie = job.cookie.as_ref().unwrap_or(&job.session);
                return Some(Event::Loaded(Arc::clone(cookie)));
            }
            Action::Recall {
                refresh_token,
                missing,
            } => {
                let token = number(&refresh_token)?;
                if !setup.has_shared_ledger {
                    let known = recall(memory, job, token, Some(Vec::new()), self.now);
                    return Some(Event::Recalled(known));
                }
                let missing = missing.map(|target| target.to_string());
                Call::Recall { token, missing }
            }
            Action::Prepare => Call::Prepare,
            Action::Lease { .. } if setup.shares_lease() => Call::Lease,
            Action::Lease { .. } => return Some(Event::Leased(LeaseGrant::default())),
            Action::Renew { .. } => return Some(Event::Renewed(self.renew(setup, job))),
            Action::Release if job.lease.is_some() => Call::Release,
            Action::Release => return Some(Event::Released),
            Action::Ask { token } => match number(&token) {
                Some(token) => Call::AskRefreshToken { token },
                None => Call::AskOpaqueToken,
            },
            Action::Send { attempt, .. } if setup.forgets_replay(job, attempt) => {
                return Some(Event::Withheld(None));
            }
            Action::Send {
                exchange,
                attempt,
                start_by,
            } => {
                let token = number(exchange.refresh_token())?;
                if setup.has_shared_ledger && !in_store && job.lease.is_none() {
                    self.provider.tokens[usize::from(token)].was_sent_alone = true;
                }
                Call::Send(Send {
                    token,
                    target: target_number(exchange.target()),
                    attempt,
                    start_by,
                })
            }
            Action::BackOff { .. } => Call::BackOff,
            Action::Judge(_) => {
                return Some(Event::Judged(fixtures::judged(job.flaw)));
            }
            Action::FetchKeys => {
                // Newer keys have it.
                job.flaw = None;
                Call::FetchKeys
            }
            Action::Record { delta, .. } if setup.keeps_later(delta.access_token.is_some()) => {
                return Some(recorded(memory, true));
            }
            Action::Record { spent, delta } => {
                let spent = number(&spent)?;
                memory.record(spent, &delta);
                if !setup.has_shared_ledger {
                    return Some(recorded(memory, true));
                }
                Call::Record {
                    spent,
                    delta: Box::new(delta),
                }
            }
            Action::Store { session } if setup.keeps_later(memory.has_recorded(&session)) => {
                return Some(Event::Stored);
            }
            Action::Store { session } if in_store => Call::Store { session },
            Action::Store { session } => {
                job.cookie = Some(session);
                return Some(Event::Stored);
            }
            Action::Remove if in_store => Call::Remove,
            Action::Remove => return Some(Event::Removed),
            Action::Revoke { refresh_token } => Call::Revoke {
                token: number(&refresh_token)?,
            },
            Action::RevokeLater { .. } => {
                self.adrift.push(Adrift::Revocation);
                return None;
            }
            Action::Note {
                refresh_token,
                status,
            } => {
                memory.statuses.insert(number(&refresh_token)?, status);
                return None;
            }
            Action::Remember {
                target, lifetime, ..
            } => {
                let until = self.now + u64::try_from(lifetime.as_millis()).unwrap();
                match target {
                    Some(target) => memory.refused = Some((target_number(&target), until)),
                    None => memory.paused_until = Some(until),
                }
                return None;
            }
            Action::MarkEnded(_) => {
                memory.ends.mark(Ended::AfterRefresh);
                return None;
            }
            Action::Tell(_) => return None,
            other => panic!("the driver does not know {other:?}"),
        };
        if job.call.is_some() {
            self.violation = Some("a job begins a call while another one is under way");
        }
        job.call = Some(call);
        job.progress = Progress::Ready;
        None
    }

    /// Gives a job the reply to its call.
    pub(crate) fn deliver(&mut self, setup: &Setup, at: At, left_at: u64, reply: Reply) {
        let owed = self.owed_replay(setup, at, left_at, &reply);
        self.was_not_kept(setup, at, &reply);
        let (process, number) = at;
        let now = self.now;
        let Process {
            memory,
            jobs,
            clock_offset,
            ..
        } = &mut *self.processes[process];
        let job = &mut jobs[number];
        let call = job.call.take();
        let was_replayed = job.sent.is_some_and(|sent| sent.was_replayed);
        if let Some(Call::Send(send)) = &call {
            job.sent = Some(Sent {
                token: send.token,
                left_at,
                was_replayed: match send.attempt {
                    Attempt::First => false,
                    Attempt::Reconnect => was_replayed,
                    Attempt::Replay => true,
                },
                refusal: match reply {
                    Reply::Refused(refusal) => Some(refusal),
                    _ => None,
                },
                version: self.store.record.as_ref().map(|(_, version)| *version),
            });
        }
        let sent_at = monotonic(left_at);
        let event = match (reply, call) {
            (Reply::Loaded(session, version), _) => {
                job.version = Some(version);
                Event::Loaded(session)
            }
            (Reply::Gone, _) => Event::Gone,
            (Reply::Recalled(deltas), Some(Call::Recall { token, .. })) => {
                for delta in deltas.iter().flatten() {
                    memory.record(token, delta);
                }
                Event::Recalled(recall(memory, job, token, deltas, now))
            }
            (Reply::Prepared, _) => Event::Prepared(Arc::clone(&METADATA)),
            (Reply::Leased(lease), _) => {
                job.lease = Some(lease);
                Event::Leased(LeaseGrant {
                    is_shared: true,
                    is_exclusive: !setup.lives_in_store(),
                    was_taken_over: lease.was_taken_over && !setup.has(Defect::TakeoversAreHidden),
                })
            }
            (Reply::NotLeased, _) => {
                job.lease = None;
                Event::Leased(LeaseGrant::default())
            }
            (Reply::Busy, _) => Event::Busy,
            (Reply::Released, _) => {
                job.lease = None;
                Event::Released
            }
            (Reply::Active(true), _) => Event::Active,
            (Reply::Active(false), _) => Event::Inactive,
            (Reply::Unanswered, _) => Event::Unanswered,
            (Reply::Refreshed { issued, flaw }, Some(Call::Send(send))) => {
                job.flaw = flaw;
                let at = fixtures::wall(left_at, *clock_offset);
                let answer = fixtures::refreshed(issued.token, send.target, at, flaw.is_some());
                Event::Response {
                    answer: Ok(answer),
                    sent_at,
                }
            }
            (Reply::Refused(refusal), _) => Event::Response {
                answer: Err(fixtures::error(refusal)),
                sent_at,
            },
            (Reply::NotSent, _) => Event::NotSent(Failure::Network),
            (Reply::Lost, _) => Event::Lost {
                failure: Failure::Network,
                sent_at,
            },
            (Reply::Withheld, _) => Event::Withheld(None),
            (Reply::TooLate, _) => Event::TooLate,
            (Reply::BackedOff, _) => Event::BackedOff,
            (Reply::KeysFetched, _) => Event::KeysFetched,
            (Reply::Recorded(is_shared), _) => recorded(memory, is_shared),
            (Reply::Stored(version), _) => {
                job.version = Some(version);
                self.release_kept_lease(setup, process);
                Event::Stored
            }
            (Reply::Conflict(session, version), _) => {
                job.version = Some(version);
                Event::Conflict(session)
            }
            (Reply::Removed, _) => {
                job.lease = None;
                Event::Removed
            }
            (Reply::Revoked, _) => Event::Revoked,
            (Reply::Redeemed(true), _) => return self.redeemed(setup, at),
            (Reply::Redeemed(false), _) => {
                let job = jobs.remove(number);
                self.signed_in(&job, None);
                return self.run(setup, process);
            }
            (Reply::Failed, Some(Call::Store { .. })) => Event::StoreFailed {
                failure: Failure::Storage,
                is_transient: true,
            },
            (Reply::Failed, Some(Call::Load | Call::Lease | Call::Remove)) => {
                Event::Failed(Failure::Storage)
            }
            (Reply::Failed, _) => Event::Failed(Failure::Network),
            (reply, call) => panic!("{reply:?} is no reply to {call:?}"),
        };
        self.go_on(setup, at, Some(event));
        if let Some(spent) = owed {
            self.check_replay(at, spent);
        }
    }

    /// The refresh token whose request has to be sent once more, because this answer does not have the new one.
    fn owed_replay(&self, setup: &Setup, at: At, left_at: u64, reply: &Reply) -> Option<u8> {
        let job = self.job(at);
        let Some(Call::Send(send)) = &job.call else {
            return None;
        };
        let was_replayed = job.sent.is_some_and(|sent| sent.was_replayed);
        let is_last = match send.attempt {
            Attempt::First => false,
            Attempt::Reconnect => was_replayed,
            Attempt::Replay => true,
        };
        let is_lost = matches!(
            reply,
            Reply::Lost | Reply::Refused(Refusal::ServerError | Refusal::AccessDenied)
        );
        (is_lost && !is_last && self.can_replay(setup, job, left_at)).then_some(send.token)
    }

    /// A request that has to be sent once more has to be sent at once.
    fn check_replay(&mut self, (process, number): At, spent: u8) {
        let job = self.processes[process].jobs.get(number);
        let call = job.and_then(|job| job.call.as_ref());
        let is_sent = |call: &Call| {
            call.is_replay() && matches!(call, Call::Send(send) if send.token == spent)
        };
        if !call.is_some_and(is_sent) {
            self.provider.tokens[usize::from(spent)].was_given_up = true;
        }
    }

    /// Remembers that the place where a refresh token was to be kept has failed.
    fn was_not_kept(&mut self, setup: &Setup, at: At, reply: &Reply) {
        let call = self.job(at).call.as_ref();
        let token = match (reply, call) {
            (Reply::Failed, Some(Call::Store { session })) => holds(session),
            (Reply::Recorded(false), Some(Call::Record { delta, .. }))
                if !setup.lives_in_store() =>
            {
                delta.refresh_token.as_ref().and_then(number)
            }
            _ => None,
        };
        if let Some(token) = token {
            self.provider.tokens[usize::from(token)].was_not_kept = true;
        }
    }
}

/// Answering callers.
impl World {
    fn finish(&mut self, setup: &Setup, process: usize, job: &Job, output: Output) {
        let told = match &output {
            Output::Refreshed(outcome) => told(&outcome.token),
            Output::Amended(session) => told(session),
            Output::Ended | Output::Confirmed(_) => Told::SessionEnded,
        };
        let ends = &self.processes[process].memory.ends;
        let is_known = ends.known().is_some();
        // What it forgot meanwhile, it cannot refuse.
        if told == Told::Done && job.began_after_end && !ends.has_forgotten() {
            self.violation = Some("a session that has ended gives a token");
        }
        if job.want.is_sign_out() && self.was_ended.is_none() {
            self.was_ended = Some(crate::setup::Fault::SignOut);
        }
        // What has ended meanwhile gets no cookie.
        let cookie = match is_known || told == Told::SessionEnded {
            true => Some(SetCookie::Clear),
            false if setup.lives_in_store() => None,
            false => job.cookie.clone().map(SetCookie::Session),
        };
        self.answer(job, cookie, told);
    }

    /// A session is written back, or is not, and its caller gets what it came for.
    fn written_back(
        &mut self,
        setup: &Setup,
        process: usize,
        job: &Job,
        result: Result<Arc<Session>, RefreshError<Failure>>,
    ) {
        let Some(next) = job.next.filter(|_| !job.callers.is_empty()) else {
            return;
        };
        let is_ahead = result.is_err();
        let session = result.unwrap_or_else(|_| Arc::clone(&job.session));
        let mut next = Job::new(next, session, job.version, self.now);
        next.callers.clone_from(&job.callers);
        next.cookie.clone_from(&job.cookie);
        next.is_ahead = is_ahead;
        self.begin(setup, process, next);
    }

    /// The code of a sign-in is redeemed. Before the browser has the session, the application keeps data in it.
    fn redeemed(&mut self, setup: &Setup, at: At) {
        let session = Arc::clone(&self.job(at).session);
        if setup.lives_in_store() {
            self.store.record = Some((Arc::clone(&session), 1));
        }
        let job = self.job_mut(at);
        job.version = Some(1);
        job.machine = Some(Machine::Amend(Box::new(Amend::set_data(
            session,
            fixtures::data(),
        ))));
        self.go_on(setup, at, None);
    }

    /// The session of a sign-in begins, or does not.
    fn signed_in(&mut self, job: &Job, session: Option<Arc<Session>>) {
        match session {
            Some(session) => self.answer(job, Some(SetCookie::SignedIn(session)), Told::Done),
            None => self.answer(job, None, Told::TryAgain),
        }
    }

    fn answer(&mut self, job: &Job, cookie: Option<SetCookie>, told: Told) {
        let response = Response { cookie, told };
        let responses = std::iter::repeat_n(response, job.callers.len());
        self.browser.responses.extend(responses);
    }
}

fn told<T>(result: &Result<T, RefreshError<Failure>>) -> Told {
    match result {
        Ok(_) => Told::Done,
        Err(RefreshError::Ended(_)) => Told::SessionEnded,
        Err(_) => Told::TryAgain,
    }
}

fn begin(setup: &Setup, job: &Job, process: &Process, time: u64) -> Machine {
    let (session, now) = (Arc::clone(&job.session), process.moment(time));
    let is_ahead = job.is_ahead;
    let is_exclusive = match setup.place {
        Place::Cookies { single_process } => single_process && !process.is_young(time),
        Place::Store => true,
    };
    match job.want {
        Want::Token { target, is_stored } => {
            let job = RefreshJob {
                config: CONFIG.clone(),
                wanted: Wanted {
                    target: fixtures::target(target),
                    demand: setup.demand,
                    persist: match is_stored {
                        true => Persist::Storage,
                        false => Persist::LedgerOnly,
                    },
                },
                is_exclusive,
            };
            Machine::Refresh(Box::new(Refresh::new(job, session, is_ahead, now)))
        }
        Want::Forget { target } => {
            let job = Amend::forget(session, fixtures::target(target));
            Machine::Amend(Box::new(job))
        }
        Want::SignOut { is_local } => {
            let ending = match is_local {
                true => Ending::LocalSignOut,
                false => Ending::SignOut,
            };
            Machine::End(EndSession::new(ending, session, now))
        }
        Want::WriteBack => Machine::Amend(Box::new(Amend::write_back(session))),
        Want::Replace => Machine::End(EndSession::new(Ending::Replacement, session, now)),
        Want::Confirm => Machine::Confirm(ConfirmSession::new(session, is_exclusive, now)),
        Want::Callback { .. } | Want::Look => Machine::SignIn,
    }
}

/// What a process and, if it answered, the shared ledger know about a refresh token.
fn recall(
    memory: &Memory,
    job: &Job,
    token: u8,
    shared: Option<Vec<SessionDelta>>,
    now: u64,
) -> Knowledge {
    let is_partial = shared.is_none();
    let mut deltas = memory.ledger.get(&token).cloned().unwrap_or_default();
    deltas.extend(shared.into_iter().flatten());
    let refused = memory.refused.filter(|(_, until)| now < *until);
    let is_refused = refused.is_some_and(
        |(refused, _)| matches!(job.want, Want::Token { target, .. } if target == refused),
    );
    Knowledge {
        deltas,
        has_ended: memory.ends.known().is_some(),
        status: memory.statuses.get(&token).copied(),
        pause: memory
            .paused_until
            .filter(|until| now < *until)
            .map(|_| fixtures::error(Refusal::TooManyRequests)),
        refusal: is_refused.then(|| fixtures::error(Refusal::AccessDenied)),
        is_partial,
    }
}

fn recorded(memory: &Memory, is_shared: bool) -> Event<Failure> {
    Event::Recorded {
        has_ended: memory.ends.known() == Some(Ended::Overtaking),
        is_shared,
    }
}

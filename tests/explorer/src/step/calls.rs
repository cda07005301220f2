//! What may become of a call.

use logto_core::refresh::{Attempt, Event};

use super::Steps;
use crate::{
    call::{Adrift, Call, Progress, Reply, Send},
    fixtures::{Flaw, Refusal},
    label::Label,
    process::Job,
    provider::Fate,
    setup::Fault,
    world::{At, World},
};

impl Steps<'_> {
    pub(super) fn of_job(&mut self, at: At, job: &Job) {
        let (setup, from) = (self.setup, self.from);
        let is_stalled = from.processes[at.0].is_stalled;
        if let (Some(call @ Call::Send(_)), true, false) = (&job.call, job.is_slow(), is_stalled) {
            let label = Label::Called(at.0, call.name(), ": the connection breaks at last");
            self.add(label, |world| world.time_out(setup, at));
        }
        match (&job.call, &job.progress) {
            (Some(call), Progress::Ready) if !is_stalled => self.of_call(at, call),
            (Some(call), Progress::Leaving { left_at }) => {
                let label = Label::Called(at.0, call.name(), ": arrives at last");
                self.add(label, |world| world.arrive_late(setup, at, *left_at, call));
            }
            (Some(call), Progress::Answered { left_at, reply }) if !is_stalled => {
                let label = Label::Called(at.0, call.name(), ": the answer arrives at last");
                self.add(label, |world| {
                    world.deliver(setup, at, *left_at, reply.clone())
                });
            }
            // It looks for the lease every 50 ms, which is no time. It would find nothing new if that is held.
            (None, _) if !is_stalled && job.machine.is_some() && from.lease_is_free(setup) => {
                let label = Label::Called(at.0, "look for the lease again", "");
                self.add(label, |world| {
                    world.now = world.now.max(job.until.unwrap_or(0));
                    world.go_on(setup, at, Some(Event::Time));
                });
            }
            _ => {}
        }
    }

    /// A call is about to leave, and anything may become of it.
    fn of_call(&mut self, at: At, call: &Call) {
        let (setup, now) = (self.setup, self.from.now);
        let label = |how| Label::Called(at.0, call.name(), how);
        let is_late = matches!(call, Call::Send(send) if setup.is_late(send, now));
        let how = if is_late { ": not any more" } else { "" };
        self.add(label(how), |world| world.call(setup, at));
        if is_late || call.is_internal() {
            return;
        }
        let answered = |world: &mut World| {
            let reply = world.process(setup, at, call);
            world.job_mut(at).progress = Progress::Answered {
                left_at: now,
                reply,
            };
        };
        self.fault(Fault::Slow, label(": takes long to arrive"), |world| {
            world.job_mut(at).progress = Progress::Leaving { left_at: now };
        });
        self.fault(Fault::Slow, label(": the answer takes long"), answered);
        let how = ": processed, and the process stands still";
        self.fault(Fault::Stalled, label(how), |world| {
            answered(world);
            world.processes[at.0].is_stalled = true;
        });
        if call.has_effect() {
            let how = ": processed, and the process is killed";
            self.fault(Fault::Killed, label(how), |world| {
                answered(world);
                world.kill(at.0);
            });
        }
        match call {
            Call::Load if self.from.has_older_copy() => {
                let label = label(", from an older copy");
                self.fault(Fault::StaleRead, label, |world| {
                    let reply = world.read_older_copy(|world| world.process(setup, at, call));
                    world.deliver(setup, at, now, reply);
                });
            }
            Call::Send(send) => self.of_refresh(at, *send, call),
            Call::Redeem => self.of_redemption(at, call),
            Call::Store { .. } => {
                self.fault(
                    Fault::WriteUnknown,
                    label(": written, the answer is lost"),
                    |world| {
                        world.process(setup, at, call);
                        world.deliver(setup, at, now, Reply::Failed);
                    },
                );
            }
            Call::Revoke { .. } => {
                self.fault(Fault::RequestLost, label(": fails"), |world| {
                    // Logto does not know of the end, as after a logout that it told only one process of.
                    world.was_ended = Some(Fault::BackChannelLogout);
                    world.deliver(setup, at, now, Reply::Revoked);
                });
            }
            Call::Prepare
            | Call::FetchKeys
            | Call::AskRefreshToken { .. }
            | Call::AskOpaqueToken => {
                self.fault(Fault::RequestLost, label(": fails"), |world| {
                    world.deliver(setup, at, now, Reply::Failed);
                });
            }
            _ => {}
        }
    }

    /// What may become of the request that redeems a code besides.
    fn of_redemption(&mut self, at: At, call: &Call) {
        let (setup, now) = (self.setup, self.from.now);
        let label = Label::Called(at.0, call.name(), ": does not leave");
        self.fault(Fault::NotSent, label, |world| {
            // A reload may try again.
            world.processes[at.0].memory.has_redeemed = false;
            world.deliver(setup, at, now, Reply::Redeemed(false));
        });
        let label = Label::Called(at.0, call.name(), ": processed, the connection breaks");
        self.fault(Fault::AnswerLost, label, |world| {
            world.process(setup, at, call);
            world.deliver(setup, at, now, Reply::Redeemed(false));
        });
    }

    /// What may become of a refresh request besides.
    fn of_refresh(&mut self, at: At, send: Send, call: &Call) {
        let (setup, now) = (self.setup, self.from.now);
        let refused = |refusal| Reply::Refused(refusal);
        for (fault, is_processed, how, reply) in [
            (Fault::NotSent, false, ": does not leave", Reply::NotSent),
            (
                Fault::RequestLost,
                false,
                ": the connection breaks",
                Reply::Lost,
            ),
            (
                Fault::RequestAdrift,
                false,
                ": the connection breaks behind it",
                Reply::Lost,
            ),
            (
                Fault::AnswerLost,
                true,
                ": processed, the connection breaks",
                Reply::Lost,
            ),
            (
                Fault::ErrorBefore,
                false,
                ": 503",
                refused(Refusal::ServerError),
            ),
            (
                Fault::ErrorAfter,
                true,
                ": processed, 503",
                refused(Refusal::ServerError),
            ),
            (
                Fault::TooMany,
                false,
                ": 429",
                refused(Refusal::TooManyRequests),
            ),
            (
                Fault::Denied,
                true,
                ": processed, access_denied",
                refused(Refusal::AccessDenied),
            ),
            (Fault::Withheld, false, ": withheld", Reply::Withheld),
        ] {
            if fault == Fault::Withheld && send.attempt == Attempt::Replay {
                continue;
            }
            self.fault(fault, Label::Called(at.0, call.name(), how), |world| {
                if is_processed {
                    let reply = world.process(setup, at, call);
                    world.is_unread(&reply, Fate::AnswerLost);
                }
                if fault == Fault::RequestAdrift {
                    world
                        .adrift
                        .push(Adrift::Refresh(send.token, Fate::AnswerLost));
                }
                world.deliver(setup, at, now, reply);
            });
        }
        for (fault, how, flaw) in [
            (
                Fault::UnknownKey,
                ": the ID token has an unknown key",
                Flaw::UnknownKey,
            ),
            (
                Fault::BadIdToken,
                ": the ID token does not pass",
                Flaw::BadSignature,
            ),
        ] {
            self.fault(fault, Label::Called(at.0, call.name(), how), |world| {
                let mut reply = world.process(setup, at, call);
                if let Reply::Refreshed { flaw: known, .. } = &mut reply {
                    *known = Some(flaw);
                }
                world.deliver(setup, at, now, reply);
            });
        }
    }
}

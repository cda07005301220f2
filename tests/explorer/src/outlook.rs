//! What becomes of the session if nothing else goes wrong.

use crate::{
    browser::{Told, Want},
    process::Process,
    provider::Cause,
    setup::{Fault, Setup},
    world::World,
};

/// What later requests of the browser will be told, once nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// As it should be: the session is alive, or was ended and is reported to have ended.
    Good,
    /// The session is lost, at one process at least.
    Lost(Cause),
    Broken(&'static str),
}

/// A token for a target that no request has asked for.
const TOKEN: Want = Want::Token {
    target: 3,
    is_stored: true,
};
/// Longer than anything can be on its way.
const A_WHILE: u64 = 61_000;
/// How often a browser asks. The first request may meet the lease of a process that was killed, the second
/// learns that the refresh token was replaced, the third that the browser has no newer one.
const ASKS: usize = 3;

impl World {
    pub(crate) fn outlook(&self, setup: &Setup) -> Outlook {
        let all = |_: &Process| true;
        let has_ended = |process: &Process| process.memory.ends.known().is_some();
        match self.was_ended {
            _ if !self.has_begun => Outlook::Good,
            // The new session has the same grant.
            Some(Fault::SignedInAgain) => self.cause.map_or(Outlook::Good, Outlook::Lost),
            // Sessions in cookies end where that is heard of.
            Some(Fault::BackChannelLogout) if !setup.lives_in_store() => {
                match self.is_over(setup, has_ended) {
                    Outlook::Good if self.ledger.has_ended => {
                        let mut later = self.clone();
                        later.pass(setup, A_WHILE);
                        later.is_over(setup, all)
                    }
                    outlook => outlook,
                }
            }
            Some(_) => self.is_over(setup, all),
            None if self.provider.has_expired_unused(self.now) => self.is_over(setup, all),
            // Whoever wants to end the session does not mind.
            None if self.is_to_end => Outlook::Good,
            None if self.browser.cookie.is_none() => Outlook::Lost(self.why_lost()),
            None => self.is_everywhere(setup),
        }
    }

    /// Every process gives the browser a token.
    fn is_everywhere(&self, setup: &Setup) -> Outlook {
        let processes = self.distinct_processes().into_iter();
        let later: Vec<_> = processes
            .map(|process| self.told(setup, process, TOKEN))
            .collect();
        let has_token = |(told, _): &(Told, Self)| *told == Told::Done;
        let is_somewhere = later.iter().any(has_token);
        match later.iter().find(|later| !has_token(later)) {
            None => Outlook::Good,
            Some((_, later)) if is_somewhere => {
                Outlook::Lost(later.cause.unwrap_or_else(|| self.why_held_elsewhere()))
            }
            Some(_) => Outlook::Lost(self.why_lost()),
        }
    }

    fn why_held_elsewhere(&self) -> Cause {
        match self.provider.has_unkept() {
            true => Cause::HeldByKeeper,
            false => Cause::HeldElsewhere,
        }
    }

    fn why_lost(&self) -> Cause {
        self.cause.unwrap_or_else(|| self.why_unheld())
    }

    /// What has ended is said to have ended, not to fail for ever, and gives no token.
    fn is_over(&self, setup: &Setup, knows: impl Fn(&Process) -> bool) -> Outlook {
        for (number, process) in self.processes.iter().enumerate() {
            match self.told(setup, number, TOKEN).0 {
                _ if !knows(process) => {}
                Told::Done => return Outlook::Broken("a session that was ended gives a token"),
                Told::TryAgain => {
                    return Outlook::Broken("a session that was ended fails for ever");
                }
                Told::SessionEnded => {}
            }
            let forgets = process.memory.ends.has_forgotten();
            if forgets && self.told(setup, number, Want::Look).0 == Told::TryAgain {
                return Outlook::Broken("a session that was ended fails for ever");
            }
        }
        Outlook::Good
    }

    /// What a process tells a browser that asks again after a while, and the world then.
    fn told(&self, setup: &Setup, process: usize, want: Want) -> (Told, Self) {
        let mut world = self.clone();
        world.store.is_down = false;
        world.ledger.is_down = false;
        if !world.provider.has_expired(0, world.now) {
            world.provider.first_expires_at = None;
        }
        for _ in 0..ASKS {
            let told = world.ask(setup, process, want);
            if told != Told::TryAgain {
                return (told, world);
            }
            world.pass(setup, A_WHILE);
        }
        (Told::TryAgain, world)
    }

    fn ask(&mut self, setup: &Setup, process: usize, want: Want) -> Told {
        if self.browser.cookie.is_none() {
            return Told::SessionEnded;
        }
        self.send(setup, want);
        if let Some(request) = self.browser.requests.pop() {
            self.arrive(setup, process, &request);
        }
        while let Some(job) = self.processes[process].jobs.first() {
            match (job.is_ready(), job.until) {
                (true, _) => self.call(setup, (process, 0)),
                (false, Some(until)) => self.pass(setup, until.saturating_sub(self.now)),
                (false, None) => break,
            }
        }
        let response = self.browser.responses.pop().unwrap();
        self.browser.receive(&response);
        response.told
    }
}

//! Whether the session has ended, as far as a process remembers.

use crate::shared::SharedLedger;

/// How long the shared ledger is not asked again whether the session has ended.
const ENDS_KNOWN_WITHIN: u64 = 5_000;
/// How long an answer counts, and that there is none for this application.
pub(crate) const CONFIRMED_FOR: u64 = 24 * 3_600_000;

/// How a session has ended, as far as a process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    /// A refresh under way goes on, and whoever ended the session takes what it brings.
    AfterRefresh,
    /// Nobody waits for a refresh under way. It has to give up what it brings.
    Overtaking,
}

/// What a process knows about the end of the session, and how often it has forgotten that, or may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    ended: Option<Ended>,
    /// When the shared ledger was asked.
    asked_at: Option<u64>,
    /// How often that happened.
    pub(crate) forgotten: u8,
    /// That the session goes on: after how many times of forgetting that was asked, and until when it counts.
    confirmed: Option<(u8, u64)>,
    /// Whether it has ever known an end. No process remembers that: it is for the verdict.
    pub(crate) was_told: bool,
}

impl Ends {
    pub(crate) fn known(&self) -> Option<Ended> {
        self.ended
    }

    pub(crate) fn mark(&mut self, end: Ended) {
        self.was_told = true;
        match end {
            Ended::AfterRefresh => _ = self.ended.get_or_insert(end),
            Ended::Overtaking => self.ended = Some(end),
        }
    }

    /// So many sessions end that those which ended before are forgotten.
    pub(crate) fn forget(&mut self) {
        self.ended = None;
        self.forgotten += 1;
    }

    pub(crate) fn has_forgotten(&self) -> bool {
        self.forgotten > 0
    }

    /// Asks the shared ledger whether the session has ended, unless it was asked just now.
    pub(crate) fn learn(&mut self, ledger: &SharedLedger, now: u64) {
        let is_recent = |asked_at| now < asked_at + ENDS_KNOWN_WITHIN;
        if self.ended.is_some() || self.asked_at.is_some_and(is_recent) {
            return;
        }
        self.asked_at = Some(now);
        match ledger.has_ended {
            _ if ledger.is_down => {}
            true => self.mark(Ended::AfterRefresh),
            false => self.confirm(self.forgotten, now + CONFIRMED_FOR),
        }
    }

    pub(crate) fn confirm(&mut self, asked_after: u8, until: u64) {
        // Without anything forgotten there is nothing to confirm.
        self.confirmed = (self.forgotten > 0).then_some((asked_after, until));
    }

    /// Whether the end of the session may have been forgotten, and nobody has confirmed since that it goes on.
    pub(crate) fn may_have_forgotten(&self, now: u64) -> bool {
        let counts = |(asked_after, until)| asked_after >= self.forgotten && now < until;
        self.has_forgotten() && !self.confirmed.is_some_and(counts)
    }
}

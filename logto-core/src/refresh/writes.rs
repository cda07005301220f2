//! How often a session is written, and when.

use super::Persist;

/// How often a job writes a session before it is left to the ledger.
const MAX_WRITES: u32 = 4;

/// What was written so far for one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Writes {
    begun: u32,
}

/// What to do after a write that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextWrite {
    /// Another writer was faster. Write the merged session at once.
    AtOnce,
    /// The storage failed. Write again after a pause, for the `n`th time.
    AfterPause(u32),
    /// Stop. The next use of the session writes what the ledger has. A change that the ledger lacks is lost, and
    /// the caller gets an error.
    GiveUp,
}

impl Writes {
    pub(super) fn begin(&mut self) {
        self.begun += 1;
    }

    pub(super) fn after_conflict(self) -> NextWrite {
        match self.begun < MAX_WRITES {
            true => NextWrite::AtOnce,
            false => NextWrite::GiveUp,
        }
    }

    /// `is_required` says whether the caller needs the write; a write-back can wait for the next use.
    pub(super) fn after_failure(self, is_transient: bool, is_required: bool) -> NextWrite {
        match is_transient && is_required && self.begun < MAX_WRITES {
            true => NextWrite::AfterPause(self.begun),
            false => NextWrite::GiveUp,
        }
    }

    /// Whether a session is written back before its token is handed out. `is_ahead` says that it is newer than
    /// what is stored.
    pub(super) fn is_due(self, is_ahead: bool, persist: Persist) -> bool {
        is_ahead && persist == Persist::Storage && self.begun < MAX_WRITES
    }
}

#[cfg(test)]
mod tests {
    use super::{
        NextWrite::{AfterPause, AtOnce, GiveUp},
        *,
    };

    fn after(begun: u32) -> Writes {
        let mut writes = Writes::default();
        (0..begun).for_each(|_| writes.begin());
        writes
    }

    #[test]
    fn a_session_is_written_four_times_at_most() {
        for (begun, after_conflict, after_failure) in [
            (1, AtOnce, AfterPause(1)),
            (2, AtOnce, AfterPause(2)),
            (3, AtOnce, AfterPause(3)),
            (4, GiveUp, GiveUp),
        ] {
            let writes = after(begun);
            assert_eq!(writes.after_conflict(), after_conflict, "{begun}");
            assert_eq!(writes.after_failure(true, true), after_failure, "{begun}");
            assert_eq!(
                writes.after_failure(false, true),
                GiveUp,
                "for good: {begun}"
            );
            assert_eq!(
                writes.after_failure(true, false),
                GiveUp,
                "a write-back: {begun}"
            );
        }
    }

    #[test]
    fn what_is_newer_than_the_storage_is_written_back_before_a_token_is_handed_out() {
        use Persist::{LedgerOnly, Storage};
        for (begun, is_ahead, persist, expected) in [
            (0, true, Storage, true),
            (0, false, Storage, false),
            (0, true, LedgerOnly, false),
            (3, true, Storage, true),
            (4, true, Storage, false),
        ] {
            let is_due = after(begun).is_due(is_ahead, persist);
            assert_eq!(is_due, expected, "{begun}, {is_ahead}, {persist:?}");
        }
    }
}

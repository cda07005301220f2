//! The fingerprint of a refresh.

use std::hash::{Hash, Hasher};

use super::Refresh;

/// For the fingerprints of an explorer: `tests/explorer` visits millions of states and remembers a hash of
/// each.
///
/// Leaves out what all refreshes of one program have in common, the configuration and the metadata, and the
/// actions that were not polled yet.
impl<F: Hash> Hash for Refresh<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            job,
            session,
            needs_write_back,
            stored,
            is_rotation_shared,
            has_ledger_answered,
            status,
            refusal,
            lease,
            has_spent,
            busy_since,
            metadata,
            questions,
            writes,
            state: at,
            outbox: _,
            result,
        } = self;
        (&job.wanted, job.is_exclusive).hash(state);
        (session, needs_write_back, status, refusal).hash(state);
        (stored, is_rotation_shared, has_ledger_answered).hash(state);
        (lease, has_spent, busy_since).hash(state);
        (metadata.is_some(), questions, writes).hash(state);
        (at, result).hash(state);
    }
}

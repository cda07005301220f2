//! The end of a session, event by event: what is removed and what is revoked.

use std::sync::Arc;

use logto_core::{
    Session,
    refresh::{Action, EndSession, Ending, Event, Knowledge},
};
use serde_json::json;

use super::refresh_races::{ByHand, Failure, OF_STORE, moment};
use crate::support::sessions::{at, delta, session, session_with};

fn ending(ending: Ending, session: Session) -> ByHand<EndSession<Failure>> {
    ByHand::new(EndSession::new(ending, Arc::new(session), moment(0)))
}

fn signed_out(session: Session) -> ByHand<EndSession<Failure>> {
    let recalled = ending(Ending::SignOut, session).then(Event::Recalled(Knowledge::default()));
    assert_eq!(recalled.to_do(), ["Load"]);
    recalled
}

impl ByHand<EndSession<Failure>> {
    /// The refresh token that was to be revoked.
    fn revokes(&self) -> &str {
        match self.actions.as_slice() {
            [Action::Revoke { refresh_token } | Action::RevokeLater { refresh_token }] => {
                refresh_token.expose()
            }
            actions => panic!("{actions:?}"),
        }
    }
}

#[test]
fn a_sign_out_revokes_the_newest_refresh_token() {
    for (name, changed_at, revoked) in [("newer", 1, "newer"), ("older", -1, "the-refresh-token")] {
        let mut stored = session_with("refresh_token", json!(name));
        stored.apply(&delta(json!({ "at": at(changed_at).as_secs() })));
        let loaded = signed_out(session()).then(Event::Loaded(Arc::new(stored)));
        assert_eq!(loaded.to_do(), ["Remove"]);
        let removed = loaded.then(Event::Removed);
        assert_eq!(removed.revokes(), revoked);
        assert_eq!(removed.output, Some(Ok(())), "nobody waits for it");
    }
}

#[test]
fn a_storage_that_fails_does_not_keep_a_sign_out_from_revoking() {
    let loaded = signed_out(session()).then(Event::Failed("down"));
    assert_eq!(loaded.to_do(), ["Remove"]);
    let removed = loaded.then(Event::Failed("still down"));
    assert_eq!(removed.revokes(), "the-refresh-token");
    assert_eq!(removed.output, Some(Err("still down")));
}

#[test]
fn a_session_without_a_refresh_token_has_nothing_to_recall_and_to_revoke() {
    let without = || session_with("refresh_token", json!(null));
    let loading = ending(Ending::SignOut, without());
    assert_eq!(loading.to_do(), ["Load"]);
    let removed = loading.then(Event::Gone).then(Event::Removed);
    assert!(removed.to_do().is_empty());
    assert_eq!(removed.output, Some(Ok(())));
}

#[test]
fn a_local_sign_out_waits_for_the_revocation() {
    let removed = ending(Ending::LocalSignOut, session())
        .then(Event::Recalled(Knowledge::default()))
        .then(Event::Gone)
        .then(Event::Removed);
    assert_eq!(removed.revokes(), "the-refresh-token");
    assert_eq!(removed.output, None);
    assert_eq!(removed.then(Event::Revoked).output, Some(Ok(())));
}

#[test]
fn a_new_sign_in_waits_for_a_refresh_of_the_session_before_and_removes_it_then() {
    let busy = ending(Ending::Replacement, session()).then(Event::Busy);
    assert!(busy.to_do().is_empty());
    let early = busy.later(49).then(Event::Time);
    assert!(early.to_do().is_empty());
    let again = early.later(1).then(Event::Time);
    assert_eq!(again.to_do(), ["Lease"]);
    let removed = again.then(Event::Leased(OF_STORE));
    assert_eq!(removed.to_do(), ["Remove"]);
    let done = removed.then(Event::Removed);
    assert!(
        done.to_do().is_empty(),
        "the new session may have the same grant"
    );
    assert_eq!(done.output, Some(Ok(())));
}

#[test]
fn a_new_sign_in_leaves_a_session_alone_that_is_refreshed_for_too_long_or_cannot_be_leased() {
    let busy = ending(Ending::Replacement, session()).then(Event::Busy);
    let again = busy.later(8_001).then(Event::Time);
    assert_eq!(again.to_do(), ["Lease"]);
    let failed = ending(Ending::Replacement, session()).then(Event::Failed("down"));
    for done in [again.then(Event::Busy), failed] {
        assert!(done.to_do().is_empty());
        assert_eq!(done.output, Some(Ok(())));
    }
}

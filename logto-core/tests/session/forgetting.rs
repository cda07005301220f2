//! An access token that is forgotten, event by event: merged with what other writers store.

use std::sync::Arc;

use logto_core::{
    Session, TokenTarget,
    refresh::{Amend, Event, Knowledge, RefreshError, SessionEnd},
};
use serde_json::json;

use super::refresh_races::{ByHand, Failure};
use crate::support::sessions::{API, session, session_with};

fn api() -> TokenTarget {
    TokenTarget::resource(API)
}

fn loaded(session: Session) -> Event<Failure> {
    Event::Loaded(Arc::new(session))
}

fn recalled() -> Event<Failure> {
    Event::Recalled(Knowledge::default())
}

fn recorded() -> Event<Failure> {
    Event::Recorded {
        has_ended: false,
        is_shared: true,
    }
}

fn forgetting() -> ByHand<Amend<Failure>> {
    let by_hand = ByHand::new(Amend::forget(Arc::new(session()), api()));
    assert_eq!(by_hand.to_do(), ["Load"]);
    by_hand
}

/// As far as the first write.
fn storing() -> ByHand<Amend<Failure>> {
    let recording = forgetting().then(loaded(session())).then(recalled());
    assert_eq!(recording.to_do(), ["Record"]);
    let storing = recording.then(recorded());
    assert_eq!(storing.to_do(), ["Store"]);
    storing
}

#[test]
fn a_token_is_forgotten_in_what_another_writer_has_stored() {
    let theirs = session_with("refresh_token", json!("second"));
    let again = storing().then(Event::Conflict(Arc::new(theirs)));
    assert_eq!(again.to_do(), ["Recall"]);
    let stored = again.then(recalled()).then(recorded()).then(Event::Stored);
    let session = stored.result().unwrap();
    assert_eq!(session.refresh_token().unwrap().expose(), "second");
    assert!(!session.access_tokens().contains_key(&api()));
    assert!(
        session
            .access_tokens()
            .contains_key(&TokenTarget::user_info())
    );
}

#[test]
fn who_meets_another_writer_at_every_write_gives_up_and_says_so() {
    let mut storing = storing();
    for _ in 0..3 {
        let again = storing.then(Event::Conflict(Arc::new(session())));
        storing = again.then(recalled()).then(recorded());
        assert_eq!(storing.to_do(), ["Store"]);
    }
    let done = storing.then(Event::Conflict(Arc::new(session())));
    assert_eq!(done.to_do(), ["Tell"]);
    assert!(matches!(done.result(), Err(RefreshError::Busy)));
}

#[test]
fn a_session_that_is_gone_or_cannot_be_read_has_no_token_to_forget() {
    let ended = SessionEnd::Removed;
    for gone in [forgetting().then(Event::Gone), storing().then(Event::Gone)] {
        assert_eq!(gone.to_do(), ["MarkEnded"]);
        assert!(matches!(gone.result(), Err(RefreshError::Ended(end)) if end == ended));
    }
    let has_ended = Event::Recorded {
        has_ended: true,
        is_shared: true,
    };
    let recording = forgetting().then(loaded(session())).then(recalled());
    assert_eq!(recording.then(has_ended).to_do(), ["MarkEnded"]);

    let failed = forgetting().then(Event::Failed("down"));
    assert!(failed.to_do().is_empty());
    assert!(matches!(failed.result(), Err(RefreshError::Failed("down"))));
}

#[test]
fn without_a_refresh_token_no_ledger_is_asked() {
    let without = session_with("refresh_token", json!(null));
    let recording = forgetting().then(loaded(without));
    assert_eq!(recording.to_do(), ["Record"]);
}

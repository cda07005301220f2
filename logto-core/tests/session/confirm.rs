//! The question whether a session has ended, with literal answers.

use std::{sync::Arc, time::Duration};

use logto_core::{
    Session,
    refresh::{
        Action, ConfirmSession, Confirmation, Event, Knowledge, Moment, SessionEnd, SessionJob,
        Step, TokenStatus,
    },
};
use serde_json::json;

use crate::support::{
    provider::NOW,
    sessions::{delta, session, session_with},
};

type Failure = &'static str;

/// A session, the answers about it, what is done then, and what they say.
type Case = (
    Session,
    &'static [Event<Failure>],
    &'static [&'static str],
    Confirmation<Failure>,
);

/// What was to be done, and what came of it.
type Course = (Vec<String>, Option<Confirmation<Failure>>);

fn course(session: Session, events: impl IntoIterator<Item = Event<Failure>>) -> Course {
    course_of(session, false, events)
}

fn course_of(
    session: Session,
    is_exclusive: bool,
    events: impl IntoIterator<Item = Event<Failure>>,
) -> Course {
    let now = Moment {
        wall: NOW,
        monotonic: Duration::from_secs(100),
    };
    let mut job = ConfirmSession::new(Arc::new(session), is_exclusive, now);
    let mut events = events.into_iter();
    let mut actions = Vec::new();
    loop {
        match job.poll(now) {
            Step::Perform(action) => actions.push(name(&action)),
            Step::Done(confirmation) => {
                assert!(events.next().is_none(), "{actions:?}");
                return (actions, Some(confirmation));
            }
            Step::Wait { .. } => match events.next() {
                Some(event) => job.handle(event, now),
                None => return (actions, None),
            },
        }
    }
}

fn name(action: &Action<Failure>) -> String {
    match action {
        Action::Recall { refresh_token, .. } => format!("recall {}", refresh_token.expose()),
        Action::Ask { token } => format!("ask {}", token.expose()),
        Action::Note { status, .. } => format!("{status:?}"),
        Action::MarkEnded(_) => "mark".to_owned(),
        Action::Tell(_) => "tell".to_owned(),
        other => panic!("{other:?} spends or changes something"),
    }
}

fn recalled(knowledge: Knowledge) -> Event<Failure> {
    Event::Recalled(knowledge)
}

fn nothing_known() -> Event<Failure> {
    recalled(Knowledge::default())
}

/// A session whose opaque access token has expired.
fn without_witness() -> Session {
    session_with("access_tokens", json!([]))
}

const RECALL: &str = "recall the-refresh-token";
const ASK: &str = "ask the-refresh-token";
const WITNESS: &str = "ask for-userinfo";
const NOTE: &str = "Replaced { since: 100s }";

#[test]
fn l7_what_each_answer_says_about_a_session() {
    use Event::{Active, Failed, Inactive, Unanswered};
    let refused = Confirmation::Ended(SessionEnd::RefreshTokenRefused);
    let cases: [Case; 9] = [
        (session(), &[Active], &[], Confirmation::Alive),
        (
            session(),
            &[Failed("down")],
            &[],
            Confirmation::Unknown(Some("down")),
        ),
        (session(), &[Unanswered], &[], Confirmation::Unknown(None)),
        // The refresh token was replaced elsewhere: the grant is alive.
        (
            session(),
            &[Inactive, Active],
            &[WITNESS],
            Confirmation::Alive,
        ),
        (
            session(),
            &[Inactive, Inactive],
            &[WITNESS, "mark"],
            refused,
        ),
        (
            session(),
            &[Inactive, Failed("down")],
            &[WITNESS, NOTE, "tell"],
            Confirmation::Superseded,
        ),
        (
            session(),
            &[Inactive, Unanswered],
            &[WITNESS, NOTE, "tell"],
            Confirmation::Superseded,
        ),
        (
            without_witness(),
            &[Inactive],
            &[NOTE, "tell"],
            Confirmation::Superseded,
        ),
        (without_witness(), &[Active], &[], Confirmation::Alive),
    ];
    for (session, answers, then, expected) in cases {
        let events = [nothing_known()].into_iter().chain(answers.iter().cloned());
        let (actions, confirmation) = course(session, events);
        assert_eq!(actions[..2], [RECALL, ASK], "{answers:?}");
        assert_eq!(actions[2..], *then, "{answers:?}");
        assert_eq!(confirmation, Some(expected), "{answers:?}");
    }
}

#[test]
fn l7_only_a_refresh_token_that_is_known_to_be_replaced_needs_no_question() {
    let newest = |since| TokenStatus::Newest {
        since: Duration::from_secs(since),
    };
    let replaced = |since| TokenStatus::Replaced {
        since: Duration::from_secs(since),
    };
    for (status, expected) in [
        // It was the newest then, and the grant may have ended since.
        (newest(99), None),
        (replaced(99), Some(Confirmation::Superseded)),
        (replaced(41), Some(Confirmation::Superseded)),
        // Only this copy: another browser may have a newer one, so nothing is marked.
        (
            replaced(40),
            Some(Confirmation::Ended(SessionEnd::Superseded)),
        ),
    ] {
        let known = Knowledge {
            status: Some(status),
            ..Knowledge::default()
        };
        let (actions, confirmation) = course(session(), [recalled(known)]);
        let asks: &[&str] = if expected.is_none() { &[ASK] } else { &[] };
        assert_eq!(actions[1..], *asks, "{status:?}");
        assert_eq!(confirmation, expected, "{status:?}");
    }
}

#[test]
fn l7_the_newest_refresh_token_is_asked_about_and_an_end_needs_no_question() {
    let rotated = Knowledge {
        deltas: vec![delta(json!({"refresh_token": "second"}))],
        ..Knowledge::default()
    };
    let events = [recalled(rotated), nothing_known(), Event::Active];
    let (actions, confirmation) = course(session(), events);
    assert_eq!(actions, [RECALL, "recall second", "ask second"]);
    assert_eq!(confirmation, Some(Confirmation::Alive));

    let ended = Knowledge {
        has_ended: true,
        ..Knowledge::default()
    };
    let (actions, confirmation) = course(session(), [recalled(ended)]);
    assert_eq!(actions, [RECALL]);
    assert_eq!(confirmation, Some(Confirmation::Ended(SessionEnd::Removed)));
}

#[test]
fn l7_without_a_refresh_token_the_access_token_tells_and_without_both_nobody() {
    let session = session_with("refresh_token", json!(null));
    for (answer, then, expected) in [
        (Event::Active, &[][..], Confirmation::Alive),
        (
            Event::Inactive,
            &["mark"],
            Confirmation::Ended(SessionEnd::RefreshTokenRefused),
        ),
        (
            Event::Failed("down"),
            &[],
            Confirmation::Unknown(Some("down")),
        ),
        (Event::Unanswered, &[], Confirmation::Unknown(None)),
    ] {
        let (actions, confirmation) = course(session.clone(), [answer]);
        assert_eq!(actions[0], WITNESS);
        assert_eq!(actions[1..], *then);
        assert_eq!(confirmation, Some(expected));
    }
    let mut record = serde_json::to_value(&session).unwrap();
    record["access_tokens"] = json!([]);
    let nothing = serde_json::from_value(record).unwrap();
    let unknown = Confirmation::Unknown(None);
    assert_eq!(course(nothing, []), (Vec::new(), Some(unknown)));
}

#[test]
fn l7_where_nobody_else_replaces_refresh_tokens_an_inactive_one_is_over_at_once() {
    let over = Some(Confirmation::Ended(SessionEnd::Superseded));
    let events = [nothing_known(), Event::Inactive];
    let (actions, confirmation) = course_of(without_witness(), true, events);
    assert_eq!(actions, [RECALL, ASK, NOTE, "tell"]);
    assert_eq!(confirmation, over);
    let known = Knowledge {
        status: Some(TokenStatus::Replaced {
            since: Duration::from_secs(99),
        }),
        ..Knowledge::default()
    };
    let (_, confirmation) = course_of(session(), true, [recalled(known)]);
    assert_eq!(confirmation, over);
    // The opaque access token tells that the grant is alive: a refresh finds out what happened.
    let events = [nothing_known(), Event::Inactive, Event::Active];
    let (_, confirmation) = course_of(session(), true, events);
    assert_eq!(confirmation, Some(Confirmation::Alive));
}

//! Small data of the application in a session.

use std::{collections::BTreeMap, sync::Arc};

use logto_core::{
    Error, Session,
    error::{Advice, UsageError},
    refresh::{Action, Amend, Event, Knowledge, RefreshError, SessionEnd},
    session::{SessionData, SessionDelta},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::refresh_races::{ByHand, Failure};
use crate::support::sessions::{self, delta, record, session_with};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Local {
    user_id: u64,
    theme: String,
}

fn data(value: &impl Serialize) -> SessionData {
    SessionData::new(value).unwrap()
}

fn with_data(value: &impl Serialize) -> Session {
    let mut session = sessions::session();
    session.apply(&setting(value));
    session
}

fn setting(value: &impl Serialize) -> SessionDelta {
    let mut delta = SessionDelta::default();
    delta.data = Some(data(value));
    delta
}

/// JSON of this many bytes.
fn json_of(bytes: usize) -> Value {
    json!("x".repeat(bytes - 2))
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn what_fits_comes_back_as_it_was() {
    for value in [
        json!(0),
        json!(""),
        json!({}),
        json!([]),
        json!({ "user_id": 42, "theme": "dark", "none": null }),
        json!("\u{e9}\u{1F980}\u{0}\"\\\n\u{2028}"),
        json!({ "\u{540d}\u{524d}": ["\u{592a}\u{90ce}", -1.5, 18_446_744_073_709_551_615_u64] }),
        nested(100),
        json_of(SessionData::MAX_LEN - 1),
        json_of(SessionData::MAX_LEN),
    ] {
        assert_eq!(data(&value).read(), Ok(Some(value)));
    }
    let local = Local {
        user_id: 42,
        theme: "dark".to_owned(),
    };
    assert_eq!(data(&local).read(), Ok(Some(local)));
    assert_eq!(data(&u128::MAX).read(), Ok(Some(u128::MAX)));
}

#[test]
fn null_is_no_data() {
    assert_eq!(data(&Value::Null).read::<Local>(), Ok(None));
    assert_eq!(data(&None::<Local>).read::<Local>(), Ok(None));
    assert_eq!(data(&()).read::<Value>(), Ok(None));
}

#[test]
fn data_that_is_too_long_names_its_size_and_the_limit() {
    for size in [
        SessionData::MAX_LEN + 1,
        2 * SessionData::MAX_LEN,
        1_000_000,
    ] {
        let error = SessionData::new(&json_of(size)).unwrap_err();
        let limit = SessionData::MAX_LEN;
        assert_eq!(error, UsageError::SessionDataTooLarge { size, limit });
        let text = error.to_string();
        assert!(text.contains(&format!("{size} bytes")) && text.contains("1024 fit"));
        assert_eq!(Error::from(error).advice(), Advice::FixConfiguration);
    }
    // The bytes of the JSON count, not the characters.
    let text = "\u{e9}".repeat(512);
    assert!(SessionData::new(&text).is_err());
    assert!(SessionData::new("\"".repeat(512).as_str()).is_err());
}

#[test]
fn what_could_not_be_read_again_is_refused_when_it_is_set() {
    struct Secretive;
    impl Serialize for Secretive {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("secret"))
        }
    }
    let errors = [
        SessionData::new(&BTreeMap::from([((1, 2), 3)])),
        SessionData::new(&nested(200)),
        SessionData::new(&Secretive),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(matches!(error, UsageError::SessionDataInvalid(_)));
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn data_of_another_type_is_an_error_that_shows_none_of_it() {
    for stored in [
        data(&json!({ "user_id": "secret" })),
        data(&json!("secret")),
        data(&json!({ "theme": "secret" })),
        SessionData::from_stored("not JSON: secret"),
        SessionData::from_stored(""),
    ] {
        let error = stored.read::<Local>().unwrap_err();
        assert!(matches!(error, UsageError::SessionDataUnreadable(name) if name.contains("Local")));
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(Error::from(error).advice(), Advice::SignInAgain);
    }
}

#[test]
fn debug_shows_no_data() {
    let session = with_data(&"secret");
    let mut shown = format!("{session:?} {:?}", session.data());
    shown += &format!("{:?}", setting(&"secret"));
    let parts = logto_core::session::SessionParts::from(session);
    shown += &format!("{parts:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_session_with_data_survives_its_storage_and_one_without_is_stored_as_before() {
    let session = with_data(&json!({ "theme": "dark" }));
    let stored = serde_json::to_string(&session).unwrap();
    let again: Session = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, session);
    assert_eq!(again.data().unwrap().as_json(), r#"{"theme":"dark"}"#);
    let stored = serde_json::to_value(sessions::session()).unwrap();
    assert_eq!(stored.get("data"), None);
    assert_eq!(session_with("data", Value::Null).data(), None);
    assert!(record().get("data").is_none());
}

#[test]
fn only_a_change_of_the_data_changes_it() {
    let refresh = delta(json!({ "refresh_token": "rotated", "at": 1_900_000_000 }));
    let mut session = with_data(&1);
    session.apply(&refresh);
    assert_eq!(session.data(), Some(&data(&1)));
    session.apply(&setting(&2));
    assert_eq!(session.data(), Some(&data(&2)));
    assert_eq!(session.refresh_token().unwrap().expose(), "rotated");

    // An old change does not.
    assert_eq!(session.news_in(&setting(&1)), None);
}

fn knowing(deltas: Vec<SessionDelta>) -> Event<Failure> {
    Event::Recalled(Knowledge {
        deltas,
        ..Knowledge::default()
    })
}

fn setting_in_new_session() -> ByHand<Amend<Failure>> {
    let by_hand = ByHand::new(Amend::set_data(
        Arc::new(sessions::session()),
        data(&"ours"),
    ));
    assert_eq!(by_hand.to_do(), ["Recall"]);
    by_hand
}

impl ByHand<Amend<Failure>> {
    fn to_store(&self) -> &Session {
        match self.actions.as_slice() {
            [Action::Store { session }] => session,
            actions => panic!("{actions:?}"),
        }
    }

    pub(super) fn result(self) -> Result<Arc<Session>, RefreshError<Failure>> {
        self.output.expect("it is done")
    }
}

#[test]
fn data_is_stored_and_in_no_ledger() {
    let storing = setting_in_new_session().then(knowing(vec![]));
    assert_eq!(storing.to_store().data(), Some(&data(&"ours")));
    let done = storing.then(Event::Stored);
    assert!(done.to_do().is_empty());
    let done = done.result().unwrap();
    assert_eq!(done.data(), Some(&data(&"ours")));

    let refused = setting_in_new_session()
        .then(knowing(vec![]))
        .then(Event::StoreFailed {
            failure: "too large",
            is_transient: false,
        });
    assert_eq!(refused.to_do(), ["Tell"]);
    assert!(matches!(
        refused.result(),
        Err(RefreshError::Failed("too large"))
    ));
}

#[test]
fn setting_data_keeps_the_tokens_of_a_refresh_that_was_faster() {
    let rotation = delta(json!({ "refresh_token": "rotated", "at": 1_900_000_000 }));
    // The ledger knows the refresh.
    let recalling = setting_in_new_session().then(knowing(vec![rotation.clone()]));
    assert_eq!(recalling.to_do(), ["Recall"], "what replaced that one");
    let storing = recalling.then(knowing(vec![]));
    let session = storing.to_store();
    assert_eq!(session.refresh_token().unwrap().expose(), "rotated");
    assert_eq!(session.data(), Some(&data(&"ours")));

    // The storage knows it.
    let mut theirs = sessions::session();
    theirs.apply(&rotation);
    let storing = setting_in_new_session()
        .then(knowing(vec![]))
        .then(Event::Conflict(Arc::new(theirs)))
        .then(knowing(vec![]));
    let session = storing.to_store();
    assert_eq!(session.refresh_token().unwrap().expose(), "rotated");
    assert_eq!(session.data(), Some(&data(&"ours")));
}

#[test]
fn data_does_not_bring_an_ended_session_back() {
    let gone = setting_in_new_session()
        .then(knowing(vec![]))
        .then(Event::Gone);
    let ended = setting_in_new_session().then(Event::Recalled(Knowledge {
        has_ended: true,
        ..Knowledge::default()
    }));
    for ended in [gone, ended] {
        assert!(matches!(
            ended.actions.as_slice(),
            [Action::MarkEnded(SessionEnd::Removed)]
        ));
        assert!(matches!(
            ended.result(),
            Err(RefreshError::Ended(SessionEnd::Removed))
        ));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_comes_back_or_is_too_long(value in any_json()) {
        let size = value.to_string().len();
        match SessionData::new(&value) {
            Ok(data) => prop_assert_eq!(data.read::<Value>(), Ok(Some(value).filter(|value| !value.is_null()))),
            Err(error) => {
                let limit = SessionData::MAX_LEN;
                prop_assert!(size > limit);
                prop_assert_eq!(error, UsageError::SessionDataTooLarge { size, limit });
            }
        }
    }

    #[test]
    fn no_stored_text_panics(text in ".{0,100}") {
        let data = SessionData::from_stored(text);
        let _ = (data.read::<Value>(), data.read::<Local>(), format!("{data:?}"));
    }
}

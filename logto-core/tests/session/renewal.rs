//! When a refresh token that nobody spends is spent.

use std::time::Duration;

use logto_core::{
    Session, TokenTarget, UnixTime,
    refresh::{REFRESH_TOKEN_LIFETIME, is_renewal_due},
    session::{SessionDelta, SessionParts},
};

use crate::support::sessions::{at, session};

const DAY: u64 = 86_400;

/// A session of day 0, whose refresh token was issued, and which was last refreshed, on these days.
fn session_of(issued: Option<u64>, refreshed: u64) -> Session {
    let day = |day: u64| at(0).plus(Duration::from_secs(day * DAY));
    let mut parts = SessionParts::from(session());
    parts.access_tokens.clear();
    parts.refresh_token_issued_at = issued.map(day);
    parts.changed_at = day(refreshed);
    parts.try_into().unwrap()
}

fn is_due(session: &Session, lifetime: Duration, hours: u64) -> bool {
    is_renewal_due(
        session,
        lifetime,
        at(0).plus(Duration::from_secs(hours * 3_600)),
    )
}

#[test]
fn s14_a_refresh_token_is_renewed_past_70_percent_of_its_life_unless_it_was_spent_within_a_day() {
    let days = |days| Duration::from_secs(days * DAY);
    for (issued, refreshed, lifetime, hours, expected) in [
        // As it was issued: 9.8 days are 235.2 hours.
        (Some(0), 0, days(14), 0, false),
        (Some(0), 0, days(14), 235, false),
        (Some(0), 0, days(14), 236, true),
        // Also when it should have expired: the lifetime may be longer than it is set to.
        (Some(0), 0, days(14), 24 * 20, true),
        // Used before, which does not prolong it.
        (Some(0), 9, days(14), 236, false),
        (Some(0), 9, days(14), 240, true),
        // Used past 70 % and not replaced: once a day.
        (Some(0), 10, days(14), 24 * 11 - 1, false),
        (Some(0), 10, days(14), 24 * 11, true),
        // Replaced on day 10.
        (Some(10), 10, days(14), 24 * 19, false),
        (Some(10), 10, days(14), 24 * 20, true),
        // Stored by an older release.
        (None, 0, days(14), 23, false),
        (None, 0, days(14), 24, true),
        // Other lifetimes.
        (Some(0), 0, days(1), 16, false),
        (Some(0), 0, days(1), 17, true),
        (Some(0), 0, days(180), 24 * 125, false),
        (Some(0), 0, days(180), 24 * 126, true),
        (Some(0), 0, Duration::MAX, 24 * 100_000, false),
    ] {
        let session = session_of(issued, refreshed);
        let case = format!("{issued:?} {refreshed} {lifetime:?} {hours}");
        assert_eq!(is_due(&session, lifetime, hours), expected, "{case}");
    }
}

#[test]
fn s14_an_access_token_tells_that_the_refresh_token_was_spent() {
    let mut session = session_of(Some(0), 0);
    let later = at(0).plus(Duration::from_secs(10 * DAY));
    assert!(is_renewal_due(&session, REFRESH_TOKEN_LIFETIME, later));
    let token = logto_core::AccessToken::new("token".into(), [].into(), later, later);
    let mut delta = SessionDelta::default();
    delta.access_token = Some((TokenTarget::user_info(), token));
    session.apply(&delta);
    assert!(!is_renewal_due(&session, REFRESH_TOKEN_LIFETIME, later));
}

#[test]
fn s14_without_a_refresh_token_nothing_is_renewed() {
    let mut parts = SessionParts::from(session_of(Some(0), 0));
    parts.refresh_token = None;
    let session = parts.try_into().unwrap();
    assert!(!is_due(&session, REFRESH_TOKEN_LIFETIME, 24 * 13));
}

#[test]
fn s14_when_a_refresh_token_was_issued_changes_with_the_token_alone() {
    let mut session = session_of(Some(1), 1);
    let issued = session.refresh_token_issued_at();
    let day: fn(u64) -> UnixTime = |day| at(0).plus(Duration::from_secs(day * DAY));
    assert_eq!(issued, Some(day(1)));
    let mut delta = SessionDelta::default();
    delta.at = Some(day(2));
    session.apply(&delta);
    delta.refresh_token = session.refresh_token().cloned();
    session.apply(&delta);
    assert_eq!(session.refresh_token_issued_at(), issued);
    delta.refresh_token = Some("another".into());
    session.apply(&delta);
    assert_eq!(session.refresh_token_issued_at(), Some(day(2)));
}

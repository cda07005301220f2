//! Updating an old copy of a session.

use std::sync::Arc;

use crate::session::{Session, SessionDelta};

/// The result of one update step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// There was something new.
    pub has_news: bool,
    /// The refresh token was replaced. The successor of the new one may be known as well. This ends, because
    /// no token replaces itself.
    pub is_rotated: bool,
}

/// Applies what is newer than the session. Copies it only if there is anything.
///
/// `deltas` are the results of spending the session's refresh token, oldest first.
pub fn catch_up(session: &mut Arc<Session>, deltas: &[SessionDelta]) -> CaughtUp {
    let before = session.refresh_token().cloned();
    let mut has_news = false;
    for delta in deltas {
        if let Some(news) = session.news_in(delta) {
            Arc::make_mut(session).apply(&news);
            has_news = true;
        }
    }
    CaughtUp {
        has_news,
        is_rotated: session.refresh_token() != before.as_ref(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::{
        secret::Secret,
        session::{SessionId, SessionParts},
        time::UnixTime,
        tokens::{AccessToken, TokenTarget},
    };

    pub(in super::super) const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    fn token(issued_at: UnixTime, lifetime: u64) -> AccessToken {
        let expires_at = issued_at.plus(Duration::from_secs(lifetime));
        AccessToken::new(Secret::from("a"), BTreeSet::new(), issued_at, expires_at)
    }

    /// A session with access tokens that are an hour old and expire so many seconds from now.
    pub(in super::super) fn session_with(held: Vec<(TokenTarget, u64)>) -> Session {
        let issued_at = UnixTime::from_secs(996_400);
        let id_token = "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6ImEiLCJleHAiOjEsImlhdCI6MH0.c2ln";
        let held = held.into_iter();
        let parts = SessionParts {
            id: SessionId::from_random([7; 16]),
            id_token: id_token.into(),
            refresh_token: Some(Secret::from("first")),
            refresh_token_issued_at: Some(NOW),
            access_tokens: held
                .map(|(target, lifetime)| (target, token(issued_at, 3_600 + lifetime)))
                .collect(),
            requested_scopes: BTreeSet::new(),
            requested_resources: BTreeSet::new(),
            granted_scopes: BTreeSet::new(),
            data: None,
            began_at: NOW,
            created_at: NOW,
            changed_at: NOW,
        };
        parts.try_into().unwrap()
    }

    #[test]
    fn only_what_is_newer_is_news() {
        let fetched = |issued_at| SessionDelta {
            access_token: Some((TokenTarget::user_info(), token(issued_at, 600))),
            at: Some(issued_at),
            ..SessionDelta::default()
        };
        let rotated = |to: &str| SessionDelta {
            refresh_token: Some(Secret::from(to)),
            at: Some(NOW),
            ..SessionDelta::default()
        };
        let (earlier, later) = (UnixTime::from_secs(990_000), UnixTime::from_secs(1_000_100));
        for (name, deltas, has_news, is_rotated) in [
            ("nothing", vec![], false, false),
            ("an older token", vec![fetched(earlier)], false, false),
            ("a newer token", vec![fetched(later)], true, false),
            ("a rotation", vec![rotated("second")], true, true),
            ("both", vec![rotated("second"), fetched(later)], true, true),
        ] {
            let before = Arc::new(session_with(vec![(TokenTarget::user_info(), 600)]));
            let mut session = Arc::clone(&before);
            let caught_up = catch_up(&mut session, &deltas);
            assert_eq!(
                caught_up,
                CaughtUp {
                    has_news,
                    is_rotated
                },
                "{name}"
            );
            assert_eq!(
                Arc::ptr_eq(&before, &session),
                !has_news,
                "{name}: copied for nothing"
            );
        }
    }
}

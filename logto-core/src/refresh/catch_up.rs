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

//! Signing in at the provider, in one browser.

use std::collections::HashMap;

use crate::{
    context::Context,
    store::{SESSION_TTL, Session},
};

/// Begins a session for the user, or continues `current` if it is theirs. Returns its id.
pub(crate) fn sign_in(cx: &mut Context<'_>, current: Option<&str>, user_id: &str) -> String {
    let now = cx.now;
    if let Some(user) = cx
        .state
        .tenant
        .users
        .iter_mut()
        .find(|user| user.id == user_id)
    {
        user.updated_at = now.milliseconds();
        user.last_sign_in_at = Some(now.milliseconds());
    }
    let store = &mut cx.state.store;
    if let Some(id) = current {
        let own = store
            .session(id, now)
            .is_some_and(|session| session.user_id == user_id);
        if !own {
            store.sessions.remove(id);
        } else if let Some(session) = store.sessions.get_mut(id) {
            session.signed_in_at = now;
            session.expires_at = now.plus(SESSION_TTL);
            return id.to_owned();
        }
    }
    let id = cx.state.random.token();
    let session = Session {
        user_id: user_id.to_owned(),
        signed_in_at: now,
        expires_at: now.plus(SESSION_TTL),
        apps: HashMap::new(),
    };
    cx.state.store.sessions.insert(id.clone(), session);
    id
}

//! The newest of the sessions that a browser presents.

use std::{borrow::Cow, sync::Arc};

use logto_core::{Session, UnixTime, refresh::SessionEnd};

use crate::{
    error::Error,
    refresh::{LoadedSession, Refresher},
    storage::{Handle, SessionReader, StorageError, Stored},
};

/// Opens the newest session that has not ended, with what this process knows about it, and notes which handles
/// belong to ended sessions.
pub(super) async fn open_newest(
    refresher: &Arc<Refresher>,
    handles: &[Handle],
) -> Result<Option<LoadedSession>, Error> {
    let mut handles = Cow::Borrowed(handles);
    loop {
        let found = load_newest(
            &*refresher.storage,
            &handles,
            refresher.provider.now(),
            |handle, session| {
                let has_ended = refresher.has_ended(handle, session);
                if has_ended {
                    refresher.note_over(handle, SessionEnd::Removed);
                }
                has_ended
            },
        );
        let Some((handle, stored)) = found.await? else {
            refresher.note_lifetime_reached(&handles).await;
            return Ok(None);
        };
        let mut loaded = LoadedSession::new(handle, stored);
        loaded.needs_write_back = refresher.catch_up(&mut loaded.session);
        let Some(end) = refresher.learn_of_end(&loaded).await? else {
            return Ok(Some(loaded));
        };
        refresher.note_over(&loaded.handle, end);
        handles.to_mut().retain(|handle| *handle != loaded.handle);
    }
}

/// Loads the session of each handle and takes the newest that has not ended. A later sign-in is newer; within
/// one session, a later write is.
pub(super) async fn load_newest<S: SessionReader + ?Sized>(
    storage: &S,
    handles: &[Handle],
    now: UnixTime,
    is_over: impl Fn(&Handle, &Session) -> bool,
) -> Result<Option<(Handle, Stored)>, StorageError> {
    let mut newest = None;
    for handle in handles {
        let loaded = match storage.load_at_once(handle, now) {
            Some(loaded) => loaded?,
            None => storage.load(handle, now).await?,
        };
        let Some(loaded) = loaded else {
            continue;
        };
        if is_over(handle, &loaded.session) {
            storage.forget_opened(handle);
            continue;
        }
        let is_newer = |(_, newest): &(Handle, Stored)| age(&loaded) > age(newest);
        if newest.as_ref().is_none_or(is_newer) {
            newest = Some((handle.clone(), loaded));
        }
    }
    Ok(newest)
}

fn age(stored: &Stored) -> impl Ord + use<> {
    (stored.session.created_at(), stored.version)
}

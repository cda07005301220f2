//! The newest of the sessions that a browser presents.

use std::{borrow::Cow, sync::Arc};

use logto_core::{UnixTime, refresh::SessionEnd};

use crate::{
    error::Error,
    refresh::{LoadedSession, Memory, Refresher},
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
        let (storage, now) = (&*refresher.storage, refresher.provider.now());
        let note_over = |handle: &Handle| refresher.note_over(handle, SessionEnd::Removed);
        let found = load_newest(storage, Some(&refresher.memory), &handles, now, note_over);
        let Some(loaded) = found.await? else {
            refresher.note_lifetime_reached(&handles).await;
            return Ok(None);
        };
        let Some(end) = refresher.learn_of_end(&loaded).await? else {
            return Ok(Some(loaded));
        };
        refresher.note_over(&loaded.handle, end);
        handles.to_mut().retain(|handle| *handle != loaded.handle);
    }
}

/// Loads the session of each handle and takes the newest that has not ended, with what `memory` knows about it.
/// A later sign-in is newer; within one session, a later write is.
pub(super) async fn load_newest<S: SessionReader + ?Sized>(
    storage: &S,
    memory: Option<&Memory>,
    handles: &[Handle],
    now: UnixTime,
    note_over: impl Fn(&Handle),
) -> Result<Option<LoadedSession>, StorageError> {
    let mut newest = None;
    for handle in handles {
        let loaded = match storage.load_at_once(handle, now) {
            Some(loaded) => loaded?,
            None => storage.load(handle, now).await?,
        };
        let Some(loaded) = loaded else {
            continue;
        };
        if memory.is_some_and(|memory| memory.ends.include(handle, &loaded.session, now)) {
            storage.forget_opened(handle);
            note_over(handle);
            continue;
        }
        let is_newer = |(_, newest): &(Handle, Stored)| age(&loaded) > age(newest);
        if newest.as_ref().is_none_or(is_newer) {
            newest = Some((handle.clone(), loaded));
        }
    }
    Ok(newest.map(|(handle, stored)| {
        let mut loaded = LoadedSession::new(handle, stored);
        let ledger = memory.map(|memory| &memory.ledger);
        loaded.needs_write_back =
            ledger.is_some_and(|ledger| ledger.catch_up(&mut loaded.session, now));
        loaded
    }))
}

fn age(stored: &Stored) -> impl Ord + use<> {
    (stored.session.created_at(), stored.version)
}

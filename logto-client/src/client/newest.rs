//! The newest of the sessions that a browser presents.

use logto_core::{Session, UnixTime};

use crate::storage::{Handle, SessionReader, StorageError, Stored};

/// Loads the session of each handle and takes the newest that is not over. A later sign-in is newer, and
/// of one session the later write.
pub(super) async fn load_newest<S: SessionReader + ?Sized>(
    storage: &S,
    handles: &[Handle],
    now: UnixTime,
    is_over: impl Fn(&Handle, &Session) -> bool,
) -> Result<Option<(Handle, Stored)>, StorageError> {
    let mut newest = None;
    for handle in handles {
        let loaded = storage.load(handle, now).await?;
        let Some(loaded) = loaded.filter(|loaded| !is_over(handle, &loaded.session)) else {
            continue;
        };
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

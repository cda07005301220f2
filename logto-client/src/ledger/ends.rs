//! Which sessions have ended, shared between processes.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use futures_util::future::{join_all, try_join_all};
use logto_core::{Session, UnixTime};

use super::shared::SharedLedger;
use crate::{
    key_value::Entry,
    storage::{Ended, StorageError},
};

/// How often writing an end is tried while other processes write the same one.
const ATTEMPTS: usize = 5;

impl SharedLedger {
    /// Records an end for all processes. Of two times, the later one counts.
    pub(crate) async fn record_end(
        &self,
        ended: &Ended,
        at: UnixTime,
        ttl: Duration,
    ) -> Result<(), StorageError> {
        let Some(key) = self.keys_of(ended).into_iter().next() else {
            return Ok(());
        };
        for _ in 0..ATTEMPTS {
            let found = self.store.get(&key).await?.map(|found| found.entry);
            let known = found.as_ref().and_then(|entry| self.time_in(&key, entry));
            if known.is_some_and(|known| known >= at) {
                return Ok(());
            }
            let (seconds, current) = (at.as_secs().to_be_bytes(), found.map(|entry| entry.version));
            let written = self.put_sealed(&key, &self.keys, &seconds, current, ttl);
            if written.await? {
                return Ok(());
            }
        }
        Err(StorageError::Unavailable(
            "other processes keep writing the same entry".into(),
        ))
    }

    /// Whether some process has ended `session`.
    pub(crate) async fn has_ended(&self, session: &Session) -> Result<bool, StorageError> {
        let questions = Ended::of(session).map(|ended| async move {
            let found = self.time_of(&ended).await?;
            Ok::<bool, StorageError>(found.is_some_and(|at| ended.includes(session, at)))
        });
        Ok(try_join_all(questions)
            .await?
            .into_iter()
            .any(|ended| ended))
    }

    async fn time_of(&self, ended: &Ended) -> Result<Option<UnixTime>, StorageError> {
        let times = self.keys_of(ended).into_iter().map(|key| async move {
            let found = self.store.get(&key).await?;
            Ok::<_, StorageError>(found.and_then(|found| self.time_in(&key, &found.entry)))
        });
        let times: Result<Vec<_>, _> = join_all(times).await.into_iter().collect();
        Ok(times?.into_iter().flatten().max())
    }

    /// The store keys of an end: one for each key of the ring, that of the first key first.
    fn keys_of(&self, ended: &Ended) -> Vec<String> {
        let (kind, name) = kind_and_name(ended);
        let names = self
            .keys
            .keyed_hashes(&[kind, &self.issuer, &self.app_id, &name]);
        let names = names.into_iter();
        names
            .map(|name| format!("{}.ended", URL_SAFE_NO_PAD.encode_to_string(name)))
            .collect()
    }

    fn time_in(&self, key: &str, entry: &Entry) -> Option<UnixTime> {
        let opened = self.keys.open(&self.context(key), &entry.value)?;
        let seconds = (*opened).try_into().ok()?;
        Some(UnixTime::from_secs(i64::from_be_bytes(seconds)))
    }
}

fn kind_and_name(ended: &Ended) -> (&'static str, String) {
    match ended {
        Ended::Session(id) => ("session", URL_SAFE_NO_PAD.encode_to_string(id.as_bytes())),
        Ended::ProviderSession(sid) => ("sid", sid.clone()),
        Ended::User(sub) => ("sub", sub.clone()),
        Ended::UserWithoutProviderSession(sub) => ("sub without sid", sub.clone()),
    }
}

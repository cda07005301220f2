//! Which sessions have ended, shared between processes.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use futures_util::future::{join_all, try_join_all};
use logto_core::{Session, UnixTime, session::SessionId};

use super::shared::SharedLedger;
use crate::{
    key_value::Entry,
    seal::{Purpose, SealContext},
    storage::{Logout, StorageError},
};

/// How often writing an end is tried while other processes write the same one.
const ATTEMPTS: usize = 5;

/// The owner of the sessions that have ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    /// This session.
    Session(SessionId),
    /// Those of this session at the provider, which has ended for good.
    ProviderSession(String),
    /// Those of this user that began before the end.
    User(String),
    /// Those of this user that began before the end and do not name their session at the provider.
    UserWithoutProviderSession(String),
}

impl Ended {
    /// What `logout` ends.
    pub(crate) fn by(logout: &Logout) -> impl Iterator<Item = Self> + use<> {
        let provider_session = logout.sid.clone().map(Self::ProviderSession);
        let user = logout.sub.clone().map(match logout.sid {
            Some(_) => Self::UserWithoutProviderSession,
            None => Self::User,
        });
        provider_session.into_iter().chain(user)
    }

    /// The ends that may include `session`.
    pub(crate) fn of(session: &Session) -> [Self; 3] {
        let claims = session.claims();
        [
            Self::Session(session.id().clone()),
            Self::User(claims.sub.clone()),
            match claims.sid.clone() {
                Some(sid) => Self::ProviderSession(sid),
                None => Self::UserWithoutProviderSession(claims.sub.clone()),
            },
        ]
    }

    /// Whether this end includes `session`, if it happened at `at` by the provider's clock.
    pub(crate) fn includes(&self, session: &Session, at: UnixTime) -> bool {
        match self {
            Self::Session(_) | Self::ProviderSession(_) => true,
            Self::User(_) | Self::UserWithoutProviderSession(_) => session.began_at() <= at,
        }
    }

    fn kind_and_name(&self) -> (&'static str, String) {
        match self {
            Self::Session(id) => ("session", URL_SAFE_NO_PAD.encode_to_string(id.as_bytes())),
            Self::ProviderSession(sid) => ("sid", sid.clone()),
            Self::User(sub) => ("sub", sub.clone()),
            Self::UserWithoutProviderSession(sub) => ("sub without sid", sub.clone()),
        }
    }
}

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
            let value = self
                .keys
                .seal(
                    &self.end_context(&key),
                    &at.as_secs().to_be_bytes(),
                    &*self.entropy,
                )
                .map_err(|error| StorageError::Unavailable(Box::new(error)))?;
            let current = found.map(|entry| entry.version);
            let entry = Entry {
                version: current.map_or(0, |version| version.wrapping_add(1)),
                value,
                ..Entry::default()
            };
            let ttl = super::shared::within_limits(ttl);
            if self.store.put(&key, current, entry, ttl).await? {
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
        let (kind, name) = ended.kind_and_name();
        let names = self
            .keys
            .keyed_hashes(&[kind, &self.issuer, &self.app_id, &name]);
        let names = names.into_iter();
        names
            .map(|name| format!("{}.ended", URL_SAFE_NO_PAD.encode_to_string(name)))
            .collect()
    }

    fn time_in(&self, key: &str, entry: &Entry) -> Option<UnixTime> {
        let opened = self.keys.open(&self.end_context(key), &entry.value)?;
        let seconds = (*opened).try_into().ok()?;
        Some(UnixTime::from_secs(i64::from_be_bytes(seconds)))
    }

    fn end_context<'a>(&'a self, key: &'a str) -> SealContext<'a> {
        SealContext {
            purpose: Purpose::Record,
            name: key,
            issuer: &self.issuer,
            app_id: &self.app_id,
        }
    }
}

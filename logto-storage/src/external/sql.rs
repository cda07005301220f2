//! What the SQL stores share: the statements, which differ in nothing but how the time is asked for.

use std::{future::Future, time::Duration};

use logto_client::{
    key_value::{Entry, Found},
    storage::StorageError,
};

use super::unavailable;

/// Implements [`KeyValueStore`](logto_client::key_value::KeyValueStore) for a store with a `pool`. `$now` is the time of
/// the database in milliseconds, `$lock` keeps two purges from waiting for each other.
macro_rules! sql_key_value_store {
    ($store:ty, now = $now:literal, lock = $lock:literal) => {
        #[async_trait]
        impl KeyValueStore for $store {
            async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
                let statement = concat!(
                    "SELECT version, value, subject, provider_session, expires_at - ",
                    $now,
                    " FROM logto_sessions WHERE key = $1 AND expires_at > ",
                    $now
                );
                let query = sqlx::query_as(statement).bind(key);
                let row: Option<sql::Row> = sql::within(query.fetch_optional(&self.pool)).await?;
                Ok(row.map(sql::found))
            }

            async fn put(
                &self,
                key: &str,
                expected: Option<u64>,
                entry: Entry,
                ttl: Duration,
            ) -> Result<bool, StorageError> {
                const INSERT: &str = concat!(
                    "INSERT INTO logto_sessions ",
                    "(key, version, value, subject, provider_session, expires_at) ",
                    "VALUES ($1, $2, $3, $4, $5, ", $now, " + $6) ",
                    "ON CONFLICT (key) DO UPDATE SET version = excluded.version, ",
                    "value = excluded.value, subject = excluded.subject, ",
                    "provider_session = excluded.provider_session, ",
                    "expires_at = excluded.expires_at ",
                    "WHERE logto_sessions.expires_at <= ", $now
                );
                const UPDATE: &str = concat!(
                    "UPDATE logto_sessions SET version = $2, value = $3, subject = $4, ",
                    "provider_session = $5, expires_at = ", $now, " + $6 ",
                    "WHERE key = $1 AND version = $7 AND expires_at > ", $now
                );
                let query = sqlx::query(if expected.is_some() { UPDATE } else { INSERT })
                    .bind(key)
                    .bind(sql::signed(entry.version))
                    .bind(entry.value)
                    .bind(entry.subject)
                    .bind(entry.provider_session)
                    .bind(sql::milliseconds(ttl));
                let query = match expected {
                    Some(version) => query.bind(sql::signed(version)),
                    None => query,
                };
                let written = sql::within(query.execute(&self.pool)).await?.rows_affected() == 1;
                if written && expected.is_none() {
                    self.purge().await;
                }
                Ok(written)
            }

            async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StorageError> {
                let query = sqlx::query(
                    "DELETE FROM logto_sessions WHERE key = $1 AND version = COALESCE($2, version)",
                );
                let query = query.bind(key).bind(expected.map(sql::signed));
                sql::within(query.execute(&self.pool)).await.map(|_| ())
            }

            async fn delete_all(&self, whose: &SessionOwner) -> Result<u64, StorageError> {
                let (statement, name) = match whose {
                    SessionOwner::Subject(name) => (
                        concat!(
                            "DELETE FROM logto_sessions WHERE subject = $1 AND expires_at > ",
                            $now
                        ),
                        name,
                    ),
                    SessionOwner::ProviderSession(name) => (
                        concat!(
                            "DELETE FROM logto_sessions WHERE provider_session = $1 AND expires_at > ",
                            $now
                        ),
                        name,
                    ),
                };
                let query = sqlx::query(statement).bind(name);
                Ok(sql::within(query.execute(&self.pool)).await?.rows_affected())
            }
        }

        impl $store {
            /// Deletes a few entries whose time is over: more than one comes in, so that they never
            /// pile up. Whether it worked does not concern the caller.
            async fn purge(&self) {
                let query = sqlx::query(concat!(
                    "DELETE FROM logto_sessions WHERE key IN ",
                    "(SELECT key FROM logto_sessions WHERE expires_at <= ",
                    $now,
                    " LIMIT 10",
                    $lock,
                    ")"
                ));
                let _ = sql::within(query.execute(&self.pool)).await;
            }
        }
    };
}

pub(super) use sql_key_value_store;

/// Version, value, subject, session at the provider, milliseconds to live.
pub(super) type Row = (i64, Vec<u8>, Option<String>, Option<String>, i64);

pub(super) fn found((version, value, subject, provider_session, ttl): Row) -> Found {
    Found {
        entry: Entry {
            version: u64::from_be_bytes(version.to_be_bytes()),
            value,
            subject,
            provider_session,
        },
        expires_in: Duration::from_millis(u64::try_from(ttl).unwrap_or(0)),
    }
}

/// SQL has no unsigned numbers: the same 64 bits, read as a signed one.
pub(super) fn signed(version: u64) -> i64 {
    i64::from_be_bytes(version.to_be_bytes())
}

pub(super) fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis())
        .unwrap_or(i64::MAX)
        .min(LONGEST_TTL_MS)
}

/// The answer of a query, if it comes in time.
pub(super) async fn within<T>(
    query: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(TIMEOUT, query).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(elapsed) => Err(unavailable(elapsed)),
    }
}

pub(super) fn refused(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Configuration(reason) => StorageError::Misconfigured(reason.to_string()),
        error => unavailable(error),
    }
}

pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A thousand years: no sum with the present overflows.
const LONGEST_TTL_MS: i64 = 1_000 * 366 * 24 * 3_600 * 1_000;

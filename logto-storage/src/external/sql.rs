//! The shared part of the SQL stores: statements as values, which differ only in how they read the time.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use logto_client::{
    key_value::{Entry, Found},
    storage::{SessionOwner, StorageError},
};
use sqlx::{Encode, FromRow, Type, query::Query};

/// How long a call may take, waiting for a connection included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A thousand years: adding it to the present does not overflow.
const MAX_TTL_MS: i64 = 1_000 * 366 * 24 * 3_600 * 1_000;

/// A database with the table `logto_sessions`.
#[async_trait]
pub(super) trait Database: Send + Sync {
    /// The statements in its dialect.
    const TEXTS: Texts;

    /// Runs a statement that reads.
    async fn row(&self, statement: Statement) -> Result<Option<Row>, StorageError>;

    /// Runs a statement that reads keys.
    async fn keys(&self, statement: Statement) -> Result<Vec<String>, StorageError>;

    /// Runs a statement that writes, and returns how many rows it changed.
    async fn execute(&self, statement: Statement) -> Result<u64, StorageError>;
}

/// The text of each statement.
pub(super) struct Texts {
    pub(super) get: &'static str,
    pub(super) insert: &'static str,
    pub(super) update: &'static str,
    pub(super) delete: &'static str,
    pub(super) keys_by_subject: &'static str,
    pub(super) keys_by_provider_session: &'static str,
    pub(super) purge: &'static str,
}

/// The [`Texts`] of a dialect. `$now` is the time of the database in milliseconds, `$lock` keeps two purges
/// from waiting for each other.
macro_rules! texts {
    (now = $now:literal, lock = $lock:literal) => {
        sql::Texts {
            get: concat!(
                "SELECT version, value, subject, provider_session, expires_at - ",
                $now,
                " FROM logto_sessions WHERE key = $1 AND expires_at > ",
                $now
            ),
            insert: concat!(
                "INSERT INTO logto_sessions ",
                "(key, version, value, subject, provider_session, expires_at) ",
                "VALUES ($1, $2, $3, $4, $5, ",
                $now,
                " + $6) ON CONFLICT (key) DO UPDATE SET version = excluded.version, ",
                "value = excluded.value, subject = excluded.subject, ",
                "provider_session = excluded.provider_session, ",
                "expires_at = excluded.expires_at WHERE logto_sessions.expires_at <= ",
                $now
            ),
            update: concat!(
                "UPDATE logto_sessions SET version = $2, value = $3, subject = $4, ",
                "provider_session = $5, expires_at = ",
                $now,
                " + $6 WHERE key = $1 AND version = $7 AND expires_at > ",
                $now
            ),
            delete: "DELETE FROM logto_sessions WHERE key IN ($1, $2) AND version = COALESCE($3, version)",
            keys_by_subject: concat!(
                "SELECT key FROM logto_sessions WHERE subject = $1 AND expires_at > ",
                $now
            ),
            keys_by_provider_session: concat!(
                "SELECT key FROM logto_sessions WHERE provider_session = $1 AND expires_at > ",
                $now
            ),
            purge: concat!(
                "DELETE FROM logto_sessions WHERE key IN ",
                "(SELECT key FROM logto_sessions WHERE expires_at <= ",
                $now,
                " LIMIT 10",
                $lock,
                ")"
            ),
        }
    };
}

pub(super) use texts;

pub(super) async fn get<D: Database>(
    database: &D,
    key: &str,
) -> Result<Option<Found>, StorageError> {
    let statement = Statement::new(D::TEXTS.get).text(Some(key));
    Ok(database.row(statement).await?.map(found))
}

pub(super) async fn put<D: Database>(
    database: &D,
    key: &str,
    expected: Option<u64>,
    entry: Entry,
    ttl: Duration,
) -> Result<bool, StorageError> {
    let text = match expected {
        Some(_) => D::TEXTS.update,
        None => D::TEXTS.insert,
    };
    let mut statement = Statement::new(text)
        .text(Some(key))
        .number(Some(signed(entry.version)))
        .bytes(entry.value)
        .text(entry.subject.as_deref())
        .text(entry.provider_session.as_deref())
        .number(Some(milliseconds(ttl)));
    if let Some(version) = expected {
        statement = statement.number(Some(signed(version)));
    }
    let written = database.execute(statement).await? == 1;
    if written && expected.is_none() {
        // Deletes more expired entries than are added, so that they never pile up. A failure does not concern
        // the caller.
        let _ = database.execute(Statement::new(D::TEXTS.purge)).await;
    }
    Ok(written)
}

pub(super) async fn delete<D: Database>(
    database: &D,
    keys: &[&str],
    expected: Option<u64>,
) -> Result<(), StorageError> {
    // Two at a time, a session and its lease, so that the text of the statement never changes and the
    // database prepares it once.
    for pair in keys.chunks(2) {
        let statement = Statement::new(D::TEXTS.delete)
            .text(pair.first().copied())
            .text(pair.get(1).copied())
            .number(expected.map(signed));
        database.execute(statement).await?;
    }
    Ok(())
}

pub(super) async fn keys_of<D: Database>(
    database: &D,
    owner: &SessionOwner,
) -> Result<Vec<String>, StorageError> {
    let (text, name) = match owner {
        SessionOwner::Subject(name) => (D::TEXTS.keys_by_subject, name),
        SessionOwner::ProviderSession(name) => (D::TEXTS.keys_by_provider_session, name),
    };
    database.keys(Statement::new(text).text(Some(name))).await
}

/// A statement with its arguments: a value, so that it can be run again on another connection.
pub(super) struct Statement {
    text: &'static str,
    arguments: Vec<Argument>,
}

enum Argument {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Vec<u8>),
}

impl Statement {
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            text,
            arguments: Vec::new(),
        }
    }

    fn text(self, text: Option<&str>) -> Self {
        self.with(Argument::Text(text.map(str::to_owned)))
    }

    fn number(self, number: Option<i64>) -> Self {
        self.with(Argument::Number(number))
    }

    fn bytes(self, bytes: Vec<u8>) -> Self {
        self.with(Argument::Bytes(bytes))
    }

    fn with(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }

    pub(super) fn query<'q, D>(&'q self) -> Query<'q, D, D::Arguments<'q>>
    where
        D: sqlx::Database,
        Option<&'q str>: Encode<'q, D> + Type<D>,
        Option<i64>: Encode<'q, D> + Type<D>,
        &'q [u8]: Encode<'q, D> + Type<D>,
    {
        let query = sqlx::query(self.text);
        self.arguments
            .iter()
            .fold(query, |query, argument| match argument {
                Argument::Text(text) => query.bind(text.as_deref()),
                Argument::Number(number) => query.bind(*number),
                Argument::Bytes(bytes) => query.bind(bytes.as_slice()),
            })
    }
}

/// Version, value, subject, session at the provider, milliseconds to live.
pub(super) type Row = (i64, Vec<u8>, Option<String>, Option<String>, i64);

/// A row that consists of a key only.
pub(super) fn key<'r, R>(row: &'r R) -> Result<String, sqlx::Error>
where
    R: sqlx::Row,
    (String,): FromRow<'r, R>,
{
    <(String,)>::from_row(row).map(|(key,)| key)
}

fn found((version, value, subject, provider_session, ttl): Row) -> Found {
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
fn signed(version: u64) -> i64 {
    i64::from_be_bytes(version.to_be_bytes())
}

fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis())
        .unwrap_or(i64::MAX)
        .min(MAX_TTL_MS)
}

/// The result of a call, if it comes in time.
pub(super) async fn in_time<T>(
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    within(TIMEOUT, call).await
}

/// The result of a call, if it comes within this time.
pub(super) async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(time, call).await {
        Ok(result) => result,
        Err(_) => {
            let late = format!("no response within {} seconds", time.as_secs());
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, late).into())
        }
    }
}

//! SQLite.

use std::{fmt, path::Path, time::Duration};

use async_trait::async_trait;
use logto_client::{
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use sqlx::{
    FromRow,
    sqlite::{
        Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
        SqliteSynchronous,
    },
};

use super::{
    sql::{self, Database, Row, Statement, Texts},
    unavailable,
};

/// A [`KeyValueStore`] in a table `logto_sessions` of an SQLite file, for the processes of one machine.
///
/// What is written survives the end of the process; a power failure may take the last writes back. A
/// call that takes longer than five seconds fails. Expired entries are deleted whenever new ones come
/// in.
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// Opens a file, which is created if it is not there.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when it cannot be opened or is no database.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(sql::TIMEOUT);
        let options = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(sql::TIMEOUT);
        let pool = async {
            loop {
                match options.clone().connect_with(file.clone()).await {
                    Err(error) if is_locked(&error) => tokio::time::sleep(PAUSE).await,
                    outcome => return outcome.map_err(unavailable),
                }
            }
        };
        match tokio::time::timeout(sql::TIMEOUT, pool).await {
            Ok(pool) => Ok(Self { pool: pool? }),
            Err(elapsed) => Err(StorageError::Unavailable(Box::new(elapsed))),
        }
    }

    /// Creates the table and its indexes where they are missing. Run it at every start, or give
    /// [`SqliteStore::SCHEMA`] to a migration tool of yours.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the file cannot be written.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let schema = sqlx::raw_sql(Self::SCHEMA).execute(&self.pool);
        sql::in_time(schema).await.map(|_| ()).map_err(unavailable)
    }

    /// The table, as SQL that may be run any number of times.
    pub const SCHEMA: &'static str = include_str!("sqlite.sql");
}

/// How long to wait for whoever has the file locked.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether the file is locked: another process opens it at this moment, or recovers it after a crash. For
/// that SQLite does not wait by itself.
fn is_locked(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    let code = error.as_database_error().and_then(|error| error.code());
    // The lowest byte of an extended code is the primary one.
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xFF == SQLITE_BUSY)
}

#[async_trait]
impl Database for SqliteStore {
    const TEXTS: Texts = sql::texts!(
        now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        lock = ""
    );

    async fn row(&self, statement: Statement) -> Result<Option<Row>, StorageError> {
        let row = async {
            let row = statement
                .query::<Sqlite>()
                .fetch_optional(&self.pool)
                .await?;
            row.map(|row| Row::from_row(&row)).transpose()
        };
        sql::in_time(row).await.map_err(unavailable)
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StorageError> {
        let changed = async {
            let done = statement.query::<Sqlite>().execute(&self.pool).await?;
            Ok(done.rows_affected())
        };
        sql::in_time(changed).await.map_err(unavailable)
    }
}

#[async_trait]
impl KeyValueStore for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        sql::get(self, key).await
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        sql::put(self, key, expected, entry, ttl).await
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        sql::delete(self, keys, expected).await
    }

    async fn delete_all(&self, owner: &SessionOwner) -> Result<u64, StorageError> {
        sql::delete_all(self, owner).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("connections", &self.pool.size())
            .finish()
    }
}

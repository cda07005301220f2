//! SQLite.

mod refusal;

use std::{fmt, path::Path, sync::Arc, time::Duration};

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
use tokio::sync::Semaphore;

use super::sql::{self, Database, Row, Statement, Texts};

/// How long to wait while another process has the file locked.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A [`KeyValueStore`] in a table `logto_sessions` of an SQLite file, for the processes of one machine.
///
/// Writes survive the end of the process; a power failure may undo the last ones. A call that takes longer than
/// five seconds fails. Expired entries are deleted whenever new ones are written.
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    /// SQLite has one writer at a time, and waiting writers poll for the lock. Within a process they queue
    /// here, so that only one competes with other processes.
    write: Arc<Semaphore>,
}

impl SqliteStore {
    /// Opens a file, which is created if it does not exist.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] when the path cannot be opened, is not a database, or names a database
    /// in memory (`:memory:`) or a temporary one (an empty path), of which every connection has its own;
    /// [`StorageError::Unavailable`] when the file stays locked.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let path = path.as_ref();
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
                    Err(error) if is_locked(&error) => {
                        tokio::time::sleep(LOCK_RETRY_INTERVAL).await
                    }
                    outcome => return outcome,
                }
            }
        };
        let pool = sql::in_time(pool).await.map_err(refusal::classify)?;
        if !has_write_ahead_log(&pool).await? {
            return Err(StorageError::Misconfigured(format!(
                "`{}` is no file that several connections can share, but a database in memory or a temporary one: give the path of a file, or use `MemoryStorage`",
                path.display()
            )));
        }
        Ok(Self {
            pool,
            write: Arc::new(Semaphore::new(1)),
        })
    }

    /// Creates the table and its indexes where they are missing. Run it at every start, or pass
    /// [`SqliteStore::SCHEMA`] to your migration tool.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] when the file may not be written, [`StorageError::Unavailable`]
    /// when it stays locked.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let schema = sqlx::raw_sql(Self::SCHEMA).execute(&self.pool);
        sql::in_time(schema)
            .await
            .map(|_| ())
            .map_err(refusal::classify)
    }

    /// The table, as SQL that may be run any number of times.
    pub const SCHEMA: &'static str = include_str!("sqlite.sql");
}

/// Whether the file is locked: another process is opening it, or recovering it after a crash. SQLite does not
/// wait for that.
fn is_locked(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    refusal::primary_code(error) == Some(SQLITE_BUSY)
}

/// There are many ways to name a database in memory or a temporary one, of which every connection has its own.
/// SQLite keeps no write-ahead log for any of them.
async fn has_write_ahead_log(pool: &SqlitePool) -> Result<bool, StorageError> {
    let mode = sqlx::query_as("PRAGMA journal_mode").fetch_one(pool);
    let (mode,): (String,) = sql::in_time(mode).await.map_err(refusal::classify)?;
    Ok(mode == "wal")
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
        sql::in_time(row).await.map_err(refusal::classify)
    }

    async fn keys(&self, statement: Statement) -> Result<Vec<String>, StorageError> {
        let keys = async {
            let rows = statement.query::<Sqlite>().fetch_all(&self.pool).await?;
            rows.iter().map(sql::key).collect()
        };
        sql::in_time(keys).await.map_err(refusal::classify)
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StorageError> {
        let changed = async {
            // The semaphore is never closed.
            let _turn = self.write.acquire().await;
            let done = statement.query::<Sqlite>().execute(&self.pool).await?;
            Ok(done.rows_affected())
        };
        sql::in_time(changed).await.map_err(refusal::classify)
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

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        sql::keys_of(self, owner).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("connections", &self.pool.size())
            .finish()
    }
}

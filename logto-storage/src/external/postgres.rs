//! PostgreSQL.

mod connections;
mod options;
mod refusal;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use logto_client::{
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use sqlx::{Executor, FromRow, postgres::Postgres};

use self::connections::{Connections, Kind};
pub use self::options::PostgresOptions;
use super::sql::{self, Database, Row, Statement, Texts};

/// Only checks: `CREATE ... IF NOT EXISTS` needs the right to create even if the table exists.
const IS_MIGRATED: &str = "SELECT to_regclass('logto_sessions') IS NOT NULL
    AND to_regclass('logto_sessions_subject') IS NOT NULL
    AND to_regclass('logto_sessions_provider_session') IS NOT NULL
    AND to_regclass('logto_sessions_expires_at') IS NOT NULL";

const IS_USABLE: &str = "SELECT has_table_privilege('logto_sessions', 'SELECT')
    AND has_table_privilege('logto_sessions', 'INSERT')
    AND has_table_privilege('logto_sessions', 'UPDATE')
    AND has_table_privilege('logto_sessions', 'DELETE')";

const RIGHTS: &str = "let the owner of the schema run `PostgresStore::SCHEMA`, and `GRANT SELECT, INSERT, UPDATE, DELETE ON logto_sessions` to the role of the URL";

/// A [`KeyValueStore`] in a table `logto_sessions` of a PostgreSQL database, version 9.5 or later.
///
/// The table is created by [`migrate`](Self::migrate), or by your own migration with [`SCHEMA`](Self::SCHEMA).
/// The role of the application needs `GRANT SELECT, INSERT, UPDATE, DELETE ON logto_sessions`, and no more once
/// the table is there. Expired entries are deleted whenever new ones are written.
///
/// Up to ten connections are shared by all calls; [`PostgresOptions`] changes that. Reading an entry takes one
/// round trip on a connection that has done so before. Behind PgBouncer, with
/// [`transaction_pooling`](PostgresOptions::transaction_pooling), each call is a transaction and takes four.
///
/// A connection that failed is closed. A call that reads is then retried once on a new connection, including
/// when the server closed the connection, because it was idle or for another reason. Before a call that writes,
/// a ping shows whether the connection works. When the server shuts down, or is a standby after a failover,
/// every call is retried once on a new connection. If the server refuses connections, a call fails at once; no
/// call takes longer than five seconds.
#[derive(Clone)]
pub struct PostgresStore {
    connections: Connections,
}

impl PostgresStore {
    /// Connects to a database with the default [`PostgresOptions`].
    ///
    /// # Errors
    /// As [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        PostgresOptions::new(url).connect().await
    }

    async fn over(connections: Connections) -> Result<Self, StorageError> {
        let probe = connections.call(Kind::Reads, &(), |connection, ()| {
            Box::pin(async move { connection.execute("SELECT 1").await.map(|_| ()) })
        });
        probe.await.map_err(refusal::classify_connecting)?;
        Ok(Self { connections })
    }

    /// Creates the table and its indexes where they are missing, in one transaction. A role without the right
    /// to create tables can run it at every start too: if the table exists, it only checks that the role may
    /// use it.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] when the role lacks rights, and which;
    /// [`StorageError::Unavailable`] when the server does not respond.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        if !self.is_true(IS_MIGRATED).await? {
            let create = self
                .connections
                .call(Kind::Migrates, &(), |connection, ()| {
                    let schema = sqlx::raw_sql(Self::SCHEMA);
                    Box::pin(async move { connection.execute(schema).await.map(|_| ()) })
                });
            create.await.map_err(refusal::classify)?;
        }
        if self.is_true(IS_USABLE).await? {
            Ok(())
        } else {
            Err(StorageError::Misconfigured(RIGHTS.to_owned()))
        }
    }

    async fn is_true(&self, question: &'static str) -> Result<bool, StorageError> {
        let statement = (Statement::new(question), self.is_persistent());
        let answer = self.connections.call(
            Kind::Reads,
            &statement,
            |connection, (statement, persistent)| {
                let query = statement.query::<Postgres>().persistent(*persistent);
                Box::pin(async move {
                    let row = connection.fetch_one(query).await?;
                    <(bool,)>::from_row(&row).map(|(answer,)| answer)
                })
            },
        );
        answer.await.map_err(refusal::classify)
    }

    /// Whether statements may be prepared under a name, to be used again on the same connection.
    fn is_persistent(&self) -> bool {
        !self.connections.transaction_pooling()
    }

    /// The table, as SQL for one transaction that may be run any number of times.
    pub const SCHEMA: &'static str = include_str!("postgres.sql");
}

#[async_trait]
impl Database for PostgresStore {
    const TEXTS: Texts = sql::texts!(
        now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        lock = " FOR UPDATE SKIP LOCKED"
    );

    async fn row(&self, statement: Statement) -> Result<Option<Row>, StorageError> {
        let statement = (statement, self.is_persistent());
        let row = self.connections.call(
            Kind::Reads,
            &statement,
            |connection, (statement, persistent)| {
                let query = statement.query::<Postgres>().persistent(*persistent);
                Box::pin(async move {
                    let row = connection.fetch_optional(query).await?;
                    row.map(|row| Row::from_row(&row)).transpose()
                })
            },
        );
        row.await.map_err(refusal::classify)
    }

    async fn keys(&self, statement: Statement) -> Result<Vec<String>, StorageError> {
        let statement = (statement, self.is_persistent());
        let keys = self.connections.call(
            Kind::Reads,
            &statement,
            |connection, (statement, persistent)| {
                let query = statement.query::<Postgres>().persistent(*persistent);
                Box::pin(async move {
                    let rows = connection.fetch_all(query).await?;
                    rows.iter().map(sql::key).collect()
                })
            },
        );
        keys.await.map_err(refusal::classify)
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StorageError> {
        let statement = (statement, self.is_persistent());
        let changed = self.connections.call(
            Kind::Writes,
            &statement,
            |connection, (statement, persistent)| {
                let query = statement.query::<Postgres>().persistent(*persistent);
                Box::pin(async move {
                    let done = connection.execute(query).await?;
                    Ok(done.rows_affected())
                })
            },
        );
        changed.await.map_err(refusal::classify)
    }
}

#[async_trait]
impl KeyValueStore for PostgresStore {
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

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("connections", &self.connections.len())
            .finish()
    }
}

//! PostgreSQL.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use logto_client::{
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::sql;

/// A [`KeyValueStore`] in a table `logto_sessions` of a PostgreSQL database, version 9.5 or later.
///
/// Ten connections are shared by all calls. A call that takes longer than five seconds fails. Expired
/// entries are deleted whenever new ones come in.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// Connects to a database, `postgres://user:password@host[:port]/database[?sslmode=…]`.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] for a URL that cannot be used, [`StorageError::Unavailable`] when
    /// the server does not answer.
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        let options = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(sql::TIMEOUT);
        options
            .connect(url)
            .await
            .map(|pool| Self { pool })
            .map_err(sql::refused)
    }

    /// Creates the table and its indexes where they are missing. Run it at every start, or give
    /// [`PostgresStore::SCHEMA`] to a migration tool of yours.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the server does not answer or the user may not create tables.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        sql::within(sqlx::raw_sql(Self::SCHEMA).execute(&self.pool))
            .await
            .map(|_| ())
    }

    /// The table, as SQL that may be run any number of times.
    pub const SCHEMA: &'static str = include_str!("postgres.sql");
}

sql::sql_key_value_store!(
    PostgresStore,
    now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    lock = " FOR UPDATE SKIP LOCKED"
);

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("connections", &self.pool.size())
            .finish()
    }
}

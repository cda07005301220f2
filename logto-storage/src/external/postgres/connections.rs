//! Connections to PostgreSQL.
//!
//! A connection returns to the pool only after a call that succeeded. After a failure or a cancelled call, or
//! if the server no longer accepts writes, it is closed, so that the next call never gets an open transaction
//! or a dead connection.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use deadpool::managed::{self, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions, Connection as _, Executor,
    postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgSeverity},
};

use super::super::sql;

/// Firewalls silently drop a connection after some minutes without traffic.
const MAX_IDLE: Duration = Duration::from_secs(180);
/// Old connections are replaced, so that load balancing reaches all servers.
const MAX_AGE: Duration = Duration::from_secs(1_800);
/// How long a connection that was idle may take to show that it still works.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a first attempt to read may take. A statement finds its row by the primary key.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// A call is retried once, on another connection.
const ATTEMPTS: u32 = 2;

/// SQLSTATEs of a server that cannot serve: read-only transaction (a standby), shutting down, crashed,
/// starting.
const NOT_SERVING: [&str; 4] = ["25006", "57P01", "57P02", "57P03"];
/// SQLSTATEs of a transaction that was undone because of others: serialization failure, deadlock.
const UNDONE: [&str; 2] = ["40001", "40P01"];

#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Connector>,
    transaction_pooling: bool,
}

/// The operation of a call on a connection, given its arguments.
pub(super) type Action<A, T> =
    for<'c> fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Result<T, sqlx::Error>>;

/// The effect of a call, which determines whether it can be repeated on a broken connection.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// It can be repeated, so no ping comes first: that would be a second round trip with each request of the
    /// application.
    Reads,
    /// It may have taken effect when the response is lost, so a ping checks the connection first.
    Writes,
    /// As a write, in a transaction of its own. Behind a pooler in transaction mode every call has one.
    Migrates,
}

impl Connections {
    pub(super) fn new(
        options: PgConnectOptions,
        max: usize,
        transaction_pooling: bool,
    ) -> Result<Self, managed::BuildError> {
        let connector = Connector {
            options,
            generation: AtomicU64::new(0),
        };
        Pool::builder(connector)
            .max_size(max)
            .build()
            .map(|pool| Self {
                pool,
                transaction_pooling,
            })
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.pool.status().size
    }

    pub(super) fn transaction_pooling(&self) -> bool {
        self.transaction_pooling
    }

    /// Runs a call, and once more on another connection if the first attempt certainly had no effect, or if the
    /// connection is lost and the call only reads.
    pub(super) async fn call<A, T>(
        &self,
        kind: Kind,
        arguments: &A,
        action: Action<A, T>,
    ) -> Result<T, sqlx::Error> {
        let attempts = async {
            let mut attempt = 1;
            loop {
                let mut connection = self.connection(kind).await?;
                let call = self.attempt(kind, &mut connection, arguments, action);
                let result = match kind == Kind::Reads && attempt < ATTEMPTS {
                    true => sql::within(READ_TIMEOUT, call).await,
                    false => call.await,
                };
                match result {
                    Err(error) if attempt < ATTEMPTS && may_be_repeated(kind, &error) => {
                        if lost_connection(&error) || has_code(&error, &NOT_SERVING) {
                            self.pool.manager().distrust();
                        }
                        attempt += 1;
                    }
                    result => return result,
                }
            }
        };
        sql::in_time(attempts).await
    }

    /// A connection for such a call: tested by a ping, unless the call only reads or the connection is new.
    async fn connection(&self, kind: Kind) -> Result<Object<Connector>, sqlx::Error> {
        loop {
            let mut connection = self.pool.get().await.map_err(|error| match error {
                PoolError::Backend(error) => error,
                error => sqlx::Error::AnyDriverError(Box::new(error)),
            })?;
            let is_new = Object::metrics(&connection).recycled.is_none();
            if kind == Kind::Reads || is_new {
                return Ok(connection);
            }
            connection.is_clean = false;
            match tokio::time::timeout(PING_TIMEOUT, connection.raw.ping()).await {
                Ok(Ok(())) => return Ok(connection),
                Ok(Err(_)) => {}
                Err(_) => self.pool.manager().distrust(),
            }
        }
    }

    async fn attempt<A, T>(
        &self,
        kind: Kind,
        Connection { raw, is_clean, .. }: &mut Connection,
        arguments: &A,
        action: Action<A, T>,
    ) -> Result<T, sqlx::Error> {
        *is_clean = false;
        let result = if self.transaction_pooling || kind == Kind::Migrates {
            raw.execute("BEGIN").await?;
            let result = action(raw, arguments).await?;
            raw.execute("COMMIT").await?;
            result
        } else {
            action(raw, arguments).await?
        };
        *is_clean = true;
        Ok(result)
    }
}

struct Connector {
    options: PgConnectOptions,
    /// Connections of an earlier generation are closed instead of used.
    generation: AtomicU64,
}

impl Connector {
    /// All connections lead to the same server on the same route, so a failure of one concerns the others.
    fn distrust(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

struct Connection {
    raw: PgConnection,
    generation: u64,
    /// Whether no call is in progress on it and none has failed.
    is_clean: bool,
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Connection, sqlx::Error> {
        // Read first: a connection that is opened while the others are dropped may be broken like them.
        let generation = self.generation();
        Ok(Connection {
            raw: self.options.connect().await?,
            generation,
            is_clean: true,
        })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        let is_trusted = connection.is_clean && connection.generation == self.generation();
        if !is_trusted || metrics.last_used() > MAX_IDLE || metrics.age() > MAX_AGE {
            return Err(RecycleError::message("used up"));
        }
        Ok(())
    }
}

/// Whether another attempt on another connection may succeed without repeating an effect of the first one.
fn may_be_repeated(kind: Kind, error: &sqlx::Error) -> bool {
    has_code(error, &NOT_SERVING)
        || has_code(error, &UNDONE)
        || (kind == Kind::Reads && lost_connection(error))
}

/// Whether the connection can no longer be used. A server that closes a connection, because it was idle for too
/// long or for another reason, sends a last message, which the next call receives as the response to its
/// statement. The severity of the message identifies it, not the code: PgBouncer has one code for all its
/// errors.
fn lost_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        _ => false,
    }
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&&*code))
}

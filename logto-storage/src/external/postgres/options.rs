//! The connection options of PostgreSQL.

use std::{fmt, str::FromStr};

use logto_client::storage::StorageError;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::{PostgresStore, connections::Connections, refusal};

/// Memory for this many is reserved at once.
const MAX_CONNECTIONS: usize = 1_000;

const KNOWN_OPTIONS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The connection options of a [`PostgresStore`].
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use logto_storage::PostgresOptions;
///
/// let store = PostgresOptions::new("postgres://app:password@pgbouncer:6432/app")
///     .transaction_pooling()
///     .max_connections(20)
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    url: String,
    max_connections: usize,
    transaction_pooling: bool,
}

impl PostgresOptions {
    /// Options for a database, `postgres://user:password@host[:port]/database[?option=value]`.
    ///
    /// The URL accepts the options `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host`, `hostaddr`, `port`,
    /// `dbname`, `user`, `password`, `application_name` and `options`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            transaction_pooling: false,
        }
    }

    /// The largest number of open connections: 1 to 1,000. Default: 10.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.clamp(1, MAX_CONNECTIONS);
        self
    }

    /// Supports PgBouncer, or another pooler, in transaction mode: each call is one transaction, and no
    /// statement is prepared under a name. Each call then takes a few more round trips.
    #[must_use]
    pub fn transaction_pooling(mut self) -> Self {
        self.transaction_pooling = true;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] when the URL, the password, the database, TLS or the rights of the
    /// user have to be corrected; [`StorageError::Unavailable`] when the server does not respond.
    pub async fn connect(self) -> Result<PostgresStore, StorageError> {
        refuse_unknown_options(&self.url)?;
        let options = PgConnectOptions::from_str(&self.url)
            .map_err(refusal::classify)?
            // PgBouncer does not know it, and no floating-point number is stored.
            .extra_float_digits(None);
        let connections = Connections::new(options, self.max_connections, self.transaction_pooling)
            .map_err(|error| StorageError::Misconfigured(error.to_string()))?;
        PostgresStore::over(connections).await
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("max_connections", &self.max_connections)
            .field("transaction_pooling", &self.transaction_pooling)
            .finish_non_exhaustive()
    }
}

/// Refuses unknown options, as libpq does: an ignored option, such as `target_session_attrs`, would have no
/// effect.
fn refuse_unknown_options(url: &str) -> Result<(), StorageError> {
    let Ok(url) = Url::parse(url) else {
        // The driver reports what is wrong with it.
        return Ok(());
    };
    let unknown = url.query_pairs().find_map(|(option, _)| {
        let known = KNOWN_OPTIONS.contains(&&*option) || option.starts_with("options[");
        (!known).then(|| option.into_owned())
    });
    match unknown {
        Some(option) => Err(StorageError::Misconfigured(format!(
            "unknown option `{option}` in the URL: known are {}",
            KNOWN_OPTIONS.join(", ")
        ))),
        None => Ok(()),
    }
}

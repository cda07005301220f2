//! Redis, Valkey and what speaks their protocol.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use logto_client::{
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};

use super::unavailable;

/// A [`KeyValueStore`] in Redis 5 or later, or Valkey; a single server or a cluster.
///
/// An entry is a hash that Redis itself expires; comparing and writing is one script. The entries of a
/// user are listed in a sorted set, from which expired ones are taken out whenever one comes in.
///
/// One connection is shared by all calls and made anew when it breaks. A call that takes longer than
/// two seconds fails.
#[derive(Clone)]
pub struct RedisStore {
    connection: Connection,
    prefix: String,
}

impl RedisStore {
    /// Connects to a server, `redis://[user:password@]host[:port][/database]`; `rediss://` with the
    /// feature `tls`.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] for a URL that cannot be used, [`StorageError::Unavailable`] when
    /// the server does not answer.
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        #[cfg(feature = "tls")]
        choose_cryptography();
        let client = redis::Client::open(url).map_err(refused)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(2)
            .set_max_delay(TIMEOUT / 4);
        let connection = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(refused)?;
        Ok(Self {
            connection: Connection::Single(connection),
            prefix: PREFIX.to_owned(),
        })
    }

    /// Connects to a cluster by the URLs of some of its nodes.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_cluster<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
    ) -> Result<Self, StorageError> {
        #[cfg(feature = "tls")]
        choose_cryptography();
        let urls: Vec<String> = urls
            .into_iter()
            .map(|url| url.as_ref().to_owned())
            .collect();
        let client = ClusterClientBuilder::new(urls)
            .connection_timeout(TIMEOUT)
            .response_timeout(TIMEOUT)
            .build()
            .map_err(refused)?;
        let connection = client.get_async_connection().await.map_err(refused)?;
        Ok(Self {
            connection: Connection::Cluster(connection),
            prefix: PREFIX.to_owned(),
        })
    }

    /// Another beginning for all keys than `logto:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn index(&self, field: &str, name: &str) -> String {
        format!("{}{field}:{name}", self.prefix)
    }

    /// Lists an entry among those of its owner. This comes before the entry itself: what is listed and
    /// not there does no harm.
    async fn list(&self, index: &str, key: &str, ttl: i64) -> Result<(), StorageError> {
        self.run(script(LIST).arg(index).arg(key).arg(ttl)).await
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StorageError> {
        let answer = match &self.connection {
            Connection::Single(connection) => command.query_async(&mut connection.clone()).await,
            Connection::Cluster(connection) => command.query_async(&mut connection.clone()).await,
        };
        answer.map_err(unavailable)
    }
}

#[async_trait]
impl KeyValueStore for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        let (fields, ttl): (Fields, i64) = self.run(script(GET).arg(self.key(key))).await?;
        let (version, value, subject, provider_session) = fields;
        Ok(version.zip(value).map(|(version, value)| Found {
            entry: Entry {
                version,
                value,
                subject,
                provider_session,
            },
            expires_in: Duration::from_millis(u64::try_from(ttl).unwrap_or(0)),
        }))
    }

    async fn put(
        &self,
        key: &str,
        expected: Option<u64>,
        entry: Entry,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        let key = self.key(key);
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        let owners = [
            (SUBJECT, &entry.subject),
            (SESSION, &entry.provider_session),
        ];
        for (field, name) in owners {
            if let Some(name) = name {
                self.list(&self.index(field, name), &key, ttl).await?;
            }
        }
        let expected = expected.map_or_else(String::new, |version| version.to_string());
        let mut put = script(PUT);
        put.arg(key).arg(expected).arg(ttl);
        put.arg("v").arg(entry.version).arg("d").arg(entry.value);
        for (field, name) in owners {
            if let Some(name) = name {
                put.arg(field).arg(name);
            }
        }
        self.run(&put).await
    }

    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StorageError> {
        let key = self.key(key);
        let _deleted: bool = match expected {
            None => self.run(redis::cmd("DEL").arg(key)).await?,
            Some(version) => {
                self.run(script(DELETE_IF).arg(key).arg("v").arg(version))
                    .await?
            }
        };
        Ok(())
    }

    async fn delete_all(&self, whose: &SessionOwner) -> Result<u64, StorageError> {
        let (field, name) = match whose {
            SessionOwner::Subject(name) => (SUBJECT, name),
            SessionOwner::ProviderSession(name) => (SESSION, name),
        };
        let index = self.index(field, name);
        let listed: Vec<String> = self
            .run(redis::cmd("ZRANGE").arg(&index).arg(0).arg(-1))
            .await?;
        let mut count: u64 = 0;
        for key in listed {
            // Only if it still belongs to this owner.
            let deleted: bool = self
                .run(script(DELETE_IF).arg(&key).arg(field).arg(name))
                .await?;
            if deleted {
                count = count.saturating_add(1);
                let _removed: bool = self.run(redis::cmd("ZREM").arg(&index).arg(&key)).await?;
            }
        }
        Ok(count)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

type Fields = (Option<u64>, Option<Vec<u8>>, Option<String>, Option<String>);

const PREFIX: &str = "logto:";
const TIMEOUT: Duration = Duration::from_secs(2);

const SUBJECT: &str = "sub";
const SESSION: &str = "sid";

/// A script on one key, so that it runs on any node of a cluster.
fn script(text: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1);
    command
}

const GET: &str = "
return {redis.call('HMGET', KEYS[1], 'v', 'd', 'sub', 'sid'), redis.call('PTTL', KEYS[1])}";

/// Expected version or nothing, milliseconds to live, then the fields.
const PUT: &str = "
local there = redis.call('HGET', KEYS[1], 'v') or ''
if there ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1";

/// A field and what it must be.
const DELETE_IF: &str = "
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])";

/// The key to list and its milliseconds to live.
const LIST: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end";

fn refused(error: RedisError) -> StorageError {
    match error.kind() {
        ErrorKind::InvalidClientConfig => StorageError::Misconfigured(error.to_string()),
        _ => unavailable(error),
    }
}

/// Where several crates bring cryptography for rustls, the `redis` crate would panic for not knowing
/// which to take. The application's own choice stands.
#[cfg(feature = "tls")]
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

//! Redis, Valkey and compatible servers.

mod connection;
mod lists;
mod refusal;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use logto_client::{
    entropy::{Entropy, OsEntropy},
    key_value::{Entry, Found, KeyValueStore},
    storage::{SessionOwner, StorageError},
};
use redis::{Client, Cmd, FromRedisValue, Value, cluster::ClusterClientBuilder, from_redis_value};

use self::{
    connection::{Server, SharedConnection, TIMEOUT},
    lists::KnownLists,
};
use super::unavailable;

const PREFIX: &str = "logto:";
/// A thousand years: adding it to the present does not overflow.
const MAX_TTL_MS: i64 = 1_000 * 366 * 24 * 3_600 * 1_000;

const VERSION: &str = "v";
const VALUE: &str = "d";
/// The id of the call that wrote the entry: the same call, sent again, finds that it has written.
const WRITE: &str = "w";
const SUBJECT: &str = "sub";
const SESSION: &str = "sid";

/// Expected version or nothing, milliseconds to live, then the fields; the first names this write.
const PUT: &str = "
if redis.call('HGET', KEYS[1], ARGV[3]) == ARGV[4] then return 1 end
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

/// The key to list and its milliseconds to live. The entry never outlives its place in the list, also if
/// the write that follows loses against another one.
const LIST: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
redis.call('ZADD', KEYS[1], math.max(score, now + ARGV[2]), ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end";

/// A [`KeyValueStore`] in Redis 5 or later, or Valkey; a single server or a cluster.
///
/// An entry is a hash that Redis itself expires; comparing and writing is one script. The entries of a user,
/// and those of a session at the provider, are listed in a sorted set, from which expired ones are removed
/// whenever an entry is added. An entry that is not in its lists does not count: if Redis evicts a list, those
/// sessions end, and none escapes a logout. Even so, set `maxmemory-policy noeviction`, or users are signed out
/// when memory runs low.
///
/// Reading an entry takes one round trip. The first time that a process reads an entry takes two, because the
/// entry names its lists.
///
/// One connection is shared by all calls. When it breaks, does not respond within two seconds, or leads to a
/// server that does not serve writes (a replica after a failover, a server that loads its data), the command
/// is sent once more on a new connection. A write whose response was lost is recognized as our own. A call
/// takes at most five seconds.
///
/// A user with limited rights needs
/// `+eval +hget +hmget +hset +del +pexpire +pttl +time +zadd +zrange +zrem +zremrangebyscore +zscore`,
/// `+select` for another database than 0, `+cluster` in a cluster, and the keys `~logto:*`, or those of
/// another [`prefix`](Self::prefix).
#[derive(Clone)]
pub struct RedisStore {
    connection: SharedConnection,
    prefix: String,
    lists: Arc<KnownLists>,
}

impl RedisStore {
    /// Connects to a server, `redis://[user:password@]host[:port][/database]`; `rediss://` with the
    /// feature `tls`.
    ///
    /// # Errors
    /// [`StorageError::Misconfigured`] when the URL, the password, the database or the rights of the
    /// user must be corrected; [`StorageError::Unavailable`] if the server does not respond.
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        #[cfg(feature = "tls")]
        choose_cryptography();
        let client = Client::open(url).map_err(refusal::classify)?;
        Self::connect_to(Server::Single(client)).await
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
            .map_err(refusal::classify)?;
        Self::connect_to(Server::Cluster(client)).await
    }

    async fn connect_to(server: Server) -> Result<Self, StorageError> {
        let connection = SharedConnection::new(server);
        // This store consists of scripts. A test with a key would need the prefix, which is set later.
        let probe = redis::cmd("EVAL").arg("return 1").arg(0).take();
        let response: Result<u8, _> = connection.query(&probe).await;
        match response {
            Ok(_) => Ok(Self {
                connection,
                prefix: PREFIX.to_owned(),
                lists: Arc::default(),
            }),
            Err(_) if connection.speaks_plaintext_only().await => Err(refusal::no_tls()),
            Err(error) => Err(refusal::classify_connecting(error)),
        }
    }

    /// Sets the prefix of all keys. Default: `logto:`.
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

    async fn delete_if(&self, key: &str, version: u64) -> Result<(), StorageError> {
        self.run(script(DELETE_IF).arg(key).arg(VERSION).arg(version))
            .await
    }

    /// Adds an entry to the list of its owner, before the entry is written: a listed entry that does not exist
    /// does no harm.
    async fn list(&self, index: &str, key: &str, ttl: i64) -> Result<(), StorageError> {
        self.run(script(LIST).arg(index).arg(key).arg(ttl)).await
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StorageError> {
        let response = self.connection.query(command).await;
        response.map_err(refusal::classify)
    }

    /// Sends commands at once.
    async fn run_all(&self, commands: &[Cmd]) -> Result<Vec<Value>, StorageError> {
        let responses = self.connection.query_all(commands).await;
        responses.map_err(refusal::classify)
    }

    /// The lists in which an entry must be.
    fn lists_of(&self, entry: &Entry) -> Vec<String> {
        let lists = owners(entry).map(|(field, name)| self.index(field, name));
        lists.collect()
    }

    /// Whether an entry is in all these lists. A list may disappear before its entries if Redis evicts keys, or if
    /// they are deleted by hand.
    async fn is_listed(&self, key: &str, lists: &[String]) -> Result<bool, StorageError> {
        if lists.is_empty() {
            return Ok(true);
        }
        let scores: Vec<Cmd> = lists.iter().map(|list| score(list, key)).collect();
        Ok(are_there(&self.run_all(&scores).await?))
    }
}

#[async_trait]
impl KeyValueStore for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Found>, StorageError> {
        let key = self.key(key);
        // The entry names its lists. If they are known from an earlier read, all requests are sent at once.
        let known = self.lists.of(&key);
        let mut commands = vec![fields(&key), redis::cmd("PTTL").arg(&key).take()];
        commands.extend(known.iter().map(|list| score(list, &key)));
        let mut responses = self.run_all(&commands).await?.into_iter();
        let mut response = || responses.next().unwrap_or(Value::Nil);
        let (entry, ttl) = (response(), response());
        let scores: Vec<Value> = responses.collect();
        let (Some(version), Some(value), subject, provider_session) = read::<Fields>(entry)? else {
            return Ok(None);
        };
        let entry = Entry {
            version,
            value,
            subject,
            provider_session,
        };
        let lists = self.lists_of(&entry);
        let was_listed = *known == *lists && are_there(&scores);
        // The nodes of a cluster do not answer at the same moment. So only an answer that is asked for after the entry
        // was read can say that it is not listed.
        if !was_listed && !self.is_listed(&key, &lists).await? {
            #[cfg(feature = "tracing")]
            tracing::warn!("a session has ended because Redis evicted the list of its user");
            let _ = self.delete_if(&key, version).await;
            return Ok(None);
        }
        self.lists.note(key, lists);
        // An entry that expired in between is about to.
        let expires_in = u64::try_from(read::<i64>(ttl)?).unwrap_or(0);
        Ok(Some(Found {
            entry,
            expires_in: Duration::from_millis(expires_in),
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
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let ttl = ttl.clamp(1, MAX_TTL_MS);
        let lists = self.lists_of(&entry);
        for list in &lists {
            self.list(list, &key, ttl).await?;
        }
        let mut id = [0; 8];
        OsEntropy.fill(&mut id).map_err(unavailable)?;
        let mut put = script(PUT);
        put.arg(&key);
        put.arg(expected.map_or_else(String::new, |version| version.to_string()));
        put.arg(ttl);
        put.arg(WRITE).arg(&id);
        put.arg(VERSION).arg(entry.version);
        put.arg(VALUE).arg(&entry.value);
        for (field, name) in owners(&entry) {
            put.arg(field).arg(name);
        }
        let is_written = self.run(&put).await?;
        if is_written {
            self.lists.note(key, lists);
        }
        Ok(is_written)
    }

    async fn delete(&self, keys: &[&str], expected: Option<u64>) -> Result<(), StorageError> {
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let Some(version) = expected else {
            // If a cluster keeps them on several nodes, the connection splits the command.
            return self.run(redis::cmd("DEL").arg(&keys)).await;
        };
        for key in &keys {
            self.delete_if(key, version).await?;
        }
        Ok(())
    }

    async fn keys_of(&self, owner: &SessionOwner) -> Result<Vec<String>, StorageError> {
        let (field, name) = match owner {
            SessionOwner::Subject(name) => (SUBJECT, name),
            SessionOwner::ProviderSession(name) => (SESSION, name),
        };
        let index = self.index(field, name);
        let listed: Vec<String> = self
            .run(redis::cmd("ZRANGE").arg(&index).arg(0).arg(-1))
            .await?;
        let keys = listed
            .iter()
            .filter_map(|key| key.strip_prefix(&self.prefix));
        Ok(keys.map(str::to_owned).collect())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

type Fields = (Option<u64>, Option<Vec<u8>>, Option<String>, Option<String>);

fn fields(key: &str) -> Cmd {
    let mut command = redis::cmd("HMGET");
    command.arg(key).arg(&[VERSION, VALUE, SUBJECT, SESSION]);
    command
}

/// Reads when the membership of an entry in a list ends; nothing if it has none.
fn score(list: &str, key: &str) -> Cmd {
    redis::cmd("ZSCORE").arg(list).arg(key).take()
}

fn are_there(scores: &[Value]) -> bool {
    scores.iter().all(|score| *score != Value::Nil)
}

fn read<T: FromRedisValue>(response: Value) -> Result<T, StorageError> {
    from_redis_value(response).map_err(|error| refusal::classify(error.into()))
}

/// The owners of an entry: the field, and the id in it.
fn owners(entry: &Entry) -> impl Iterator<Item = (&'static str, &str)> {
    let subject = entry.subject.as_deref().map(|name| (SUBJECT, name));
    let session = entry.provider_session.as_deref();
    subject
        .into_iter()
        .chain(session.map(|name| (SESSION, name)))
}

/// A script on one key, so that it runs on any node of a cluster.
fn script(text: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1);
    command
}

/// If several crates provide cryptography for rustls, the `redis` crate panics because it cannot choose. A
/// choice of the application has precedence.
#[cfg(feature = "tls")]
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

//! A connection to Redis that is replaced when it breaks.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError,
    Value, aio::MultiplexedConnection, cluster::ClusterClient, cluster_async::ClusterConnection,
    from_redis_value,
};
use tokio::{sync::Mutex, time::timeout};

/// How long a server may take to accept a connection, or to respond.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call may take in total, including a new connection and a second attempt.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A command is retried once, on a new connection.
const ATTEMPTS: u32 = 2;

/// A replica; one that lost its primary; a server that loads its data; a primary without replicas; parts
/// of a cluster.
const NOT_SERVING: [&str; 6] = [
    "READONLY",
    "MASTERDOWN",
    "LOADING",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "TRYAGAIN",
];

/// The server or cluster to connect to.
pub(super) enum Server {
    Single(Client),
    Cluster(ClusterClient),
}

/// One connection for all calls. Clones share it.
#[derive(Clone)]
pub(super) struct SharedConnection(Arc<ConnectionState>);

struct ConnectionState {
    server: Server,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    connection: Option<Connection>,
    /// Counts connections, so that of several calls that fail on one, only the first drops it.
    number: u64,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl SharedConnection {
    pub(super) fn new(server: Server) -> Self {
        Self(Arc::new(ConnectionState {
            server,
            current: Mutex::default(),
        }))
    }

    /// As [`query_all`](Self::query_all), of one command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut responses = self.query_all(std::slice::from_ref(command)).await?;
        Ok(from_redis_value(responses.pop().unwrap_or(Value::Nil))?)
    }

    /// Sends commands at once and returns the response to each. If the connection is broken, sends them once
    /// more on a new one. They may then have been executed twice: see [`is_of_the_connection`].
    pub(super) async fn query_all(&self, commands: &[Cmd]) -> Result<Vec<Value>, RedisError> {
        let attempts = async {
            let mut attempt = 1;
            loop {
                let (number, connection) = self.connection().await?;
                match connection.query_all(commands).await {
                    Err(error) if is_of_the_connection(&error) => {
                        self.give_up(number).await;
                        if attempt == ATTEMPTS {
                            return Err(error);
                        }
                        attempt += 1;
                    }
                    response => return response,
                }
            }
        };
        timeout(CALL_TIMEOUT, attempts)
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    /// Whether a server that could not be reached with TLS responds without it. Redis reads a TLS greeting as
    /// an unfinished command and waits for the rest.
    pub(super) async fn speaks_plaintext_only(&self) -> bool {
        let Server::Single(client) = &self.0.server else {
            return false;
        };
        let ConnectionAddr::TcpTls { host, port, .. } = client.get_connection_info().addr() else {
            return false;
        };
        let plaintext = ConnectionAddr::Tcp(host.clone(), *port);
        let Ok(client) = Client::open(plaintext) else {
            return false;
        };
        let ping = async {
            let connection = Server::Single(client).connect().await?;
            connection.query_all(&[redis::cmd("PING")]).await
        };
        match ping.await {
            Ok(_) => true,
            // For example, it asks for a password.
            Err(error) => error.code().is_some(),
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), RedisError> {
        let mut current = self.0.current.lock().await;
        let connection = match &current.connection {
            Some(connection) => connection.clone(),
            None => {
                let connection = self.0.server.connect().await?;
                current.number = current.number.wrapping_add(1);
                current.connection.insert(connection).clone()
            }
        };
        Ok((current.number, connection))
    }

    async fn give_up(&self, number: u64) {
        let mut current = self.0.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }
}

impl Server {
    async fn connect(&self) -> Result<Connection, RedisError> {
        match self {
            Self::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(TIMEOUT))
                    .set_response_timeout(Some(TIMEOUT));
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
                    .map(Connection::Single)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    async fn query_all(self, commands: &[Cmd]) -> Result<Vec<Value>, RedisError> {
        match self {
            Self::Single(mut connection) => {
                let mut pipeline = redis::pipe();
                for command in commands {
                    pipeline.add_command(command.clone());
                }
                // Each error on its own, which knows its code.
                let responses = pipeline
                    .ignore_errors()
                    .query_async(&mut connection)
                    .await?;
                Vec::<Result<Value, RedisError>>::into_iter(responses).collect()
            }
            // The keys may be on several nodes.
            Self::Cluster(connection) => {
                let responses = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { command.query_async(&mut connection).await }
                });
                try_join_all(responses).await
            }
        }
    }
}

/// Whether another connection may succeed: this one is broken or silent, or it leads to a server that no longer
/// serves, or does not serve yet. After a failover the same address may lead to another server.
///
/// Without a response, the command may still have been executed.
fn is_of_the_connection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound
    ) || NOT_SERVING.iter().any(|code| has_code(error, code))
}

/// Before Redis 7 the code of an error inside a script is a part of its text only.
pub(super) fn has_code(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code) || error.detail().is_some_and(|text| text.contains(code))
}

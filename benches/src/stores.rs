//! A session from Redis or PostgreSQL, beside the same bytes by the shortest way through the same driver.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use logto_client::{
    LogtoConfig,
    key_value::KeyValueStore,
    seal::{KeyRing, SealKey},
    storage::{Handle, SessionReader, SessionStorage},
};
use logto_storage::{ExternalStorage, PostgresStore, RedisStore};
use redis::AsyncCommands;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPoolOptions;

use crate::cookie_session::{Then, Tokens};

/// Connections of a [`PostgresStore`], and of its peer.
const CONNECTIONS: u32 = 10;

/// One way to load it.
pub struct Contender {
    /// What it is.
    pub name: &'static str,
    /// Loads it once.
    pub load: Box<dyn Fn() -> BoxFuture<'static, ()>>,
}

impl Contender {
    fn new<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        load: impl Fn() -> F + 'static,
    ) -> Self {
        let load = Box::new(move || Box::pin(load()) as BoxFuture<'static, ()>);
        Self { name, load }
    }

    fn ours(name: &'static str, storage: ExternalStorage, handle: Handle) -> Self {
        Self::new(name, move || {
            let (storage, handle) = (storage.clone(), handle.clone());
            async move {
                let found = storage.load(&handle, Then::NOW).await;
                assert!(found.expect("the store is there").is_some());
            }
        })
    }
}

/// A `GET`, and a session from a [`RedisStore`].
pub async fn redis(url: &str) -> [Contender; 2] {
    let store = RedisStore::connect(url).await.expect("a Redis");
    let (storage, handle, bytes) = stored(store).await;
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("a Redis");
    let key = "logto-bench";
    let _: () = connection.set(key, &bytes).await.expect("written");
    let len = bytes.len();
    let bare = Contender::new("GET", move || {
        let mut connection = connection.clone();
        async move {
            let value: Vec<u8> = connection.get(key).await.expect("there");
            assert_eq!(value.len(), len);
        }
    });
    [bare, Contender::ours("`RedisStore`", storage, handle)]
}

/// A prepared `SELECT`, and a session from a [`PostgresStore`].
pub async fn postgres(url: &str) -> [Contender; 2] {
    let store = PostgresStore::connect(url).await.expect("a PostgreSQL");
    store.migrate().await.expect("a table");
    let (storage, handle, bytes) = stored(store).await;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        // That would be a second round trip.
        .test_before_acquire(false);
    let pool = pool.connect(url).await.expect("a PostgreSQL");
    let (key, len) = (key_of(&handle), bytes.len());
    let bare = Contender::new("prepared SELECT", move || {
        let (pool, key) = (pool.clone(), key.clone());
        async move {
            let query = "SELECT value FROM logto_sessions WHERE key = $1";
            let row = sqlx::query_as(query).bind(key).fetch_one(&pool).await;
            let (value,): (Vec<u8>,) = row.expect("there");
            assert_eq!(value.len(), len);
        }
    });
    [bare, Contender::ours("`PostgresStore`", storage, handle)]
}

/// A storage with a session, and the bytes that it keeps of it.
async fn stored(store: impl KeyValueStore + Clone + 'static) -> (ExternalStorage, Handle, Vec<u8>) {
    let config = LogtoConfig::builder("https://tenant.logto.app", "app").build();
    let keys = KeyRing::new(SealKey::new(&[7; 32]));
    let storage = ExternalStorage::new(store.clone(), keys, &config.expect("a configuration"));
    let created = storage
        .create(&Tokens::sample(2).session(), Then::NOW)
        .await;
    let (handle, _) = created.expect("stored");
    let found = store
        .get(&key_of(&handle))
        .await
        .expect("the store is there");
    (storage, handle, found.expect("just stored").entry.value)
}

fn key_of(handle: &Handle) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(handle.value()))
}

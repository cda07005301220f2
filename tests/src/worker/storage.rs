//! The storages of a worker: what several processes share.

use std::{path::PathBuf, sync::Arc};

use logto_client::{
    LogtoConfig,
    seal::{KeyRing, SealKey},
    storage::{SessionStorage, StorageError},
    web::cookies::CookieOptions,
};
#[cfg(feature = "postgres")]
use logto_storage::PostgresStore;
#[cfg(feature = "redis")]
use logto_storage::RedisStore;
use logto_storage::{CookieStorage, ExternalStorage, KeyValueStore, SqliteStore};
use serde::{Deserialize, Serialize};
use url::Url;

/// Where sessions live, or what became of their refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerStorage {
    /// In the browser: processes share nothing.
    Cookie,
    /// In this file.
    Sqlite(PathBuf),
    /// In the Redis of this URL.
    #[cfg(feature = "redis")]
    Redis(String),
    /// In the PostgreSQL of this URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl WorkerStorage {
    /// A storage there.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn storage(
        &self,
        config: &LogtoConfig,
    ) -> Result<Arc<dyn SessionStorage>, StorageError> {
        let Some(store) = self.store().await? else {
            let root = Url::parse(crate::world::BASE_URL).expect("a literal");
            let codec = CookieOptions::new(&root, "worker").build();
            let codec = codec.expect("the cookies are well-formed");
            return Ok(Arc::new(CookieStorage::new(keys(), config, &codec)));
        };
        Ok(Arc::new(ExternalStorage::new(store, keys(), config)))
    }

    /// The store there; none in a browser.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn store(&self) -> Result<Option<Arc<dyn KeyValueStore>>, StorageError> {
        Ok(match self {
            Self::Cookie => None,
            Self::Sqlite(file) => Some(Arc::new(sqlite(file).await?)),
            #[cfg(feature = "redis")]
            Self::Redis(url) => Some(Arc::new(RedisStore::connect(url).await?)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Some(Arc::new(postgres(url).await?)),
        })
    }
}

async fn sqlite(file: &PathBuf) -> Result<SqliteStore, StorageError> {
    let store = SqliteStore::open(file).await?;
    store.migrate().await?;
    Ok(store)
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<PostgresStore, StorageError> {
    let store = PostgresStore::connect(url).await?;
    store.migrate().await?;
    Ok(store)
}

/// All workers have the same key.
fn keys() -> KeyRing {
    KeyRing::new(SealKey::new(&[7; 32]))
}

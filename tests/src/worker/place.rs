//! The places that several processes share, or do not.

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
use logto_storage::{CookieStorage, ExternalLedger, ExternalStorage, SqliteStore};
use serde::{Deserialize, Serialize};
use url::Url;

/// Where sessions live, or what became of their refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
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

impl Place {
    /// A storage there.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn storage(
        &self,
        config: &LogtoConfig,
    ) -> Result<Arc<dyn SessionStorage>, StorageError> {
        Ok(match self {
            Self::Cookie => {
                let root = Url::parse(crate::world::BASE_URL).expect("a literal");
                let codec = CookieOptions::new(&root, "worker").build();
                let codec = codec.expect("the cookies are well-formed");
                Arc::new(CookieStorage::new(keys(), config, &codec))
            }
            Self::Sqlite(file) => {
                Arc::new(ExternalStorage::new(sqlite(file).await?, keys(), config))
            }
            #[cfg(feature = "redis")]
            Self::Redis(url) => Arc::new(ExternalStorage::new(
                RedisStore::connect(url).await?,
                keys(),
                config,
            )),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => {
                Arc::new(ExternalStorage::new(postgres(url).await?, keys(), config))
            }
        })
    }

    /// A ledger there.
    ///
    /// # Errors
    /// When it cannot be reached. A browser holds no ledger.
    pub async fn ledger(&self) -> Result<ExternalLedger, StorageError> {
        Ok(match self {
            Self::Cookie => {
                return Err(StorageError::Misconfigured(
                    "a browser holds no ledger".to_owned(),
                ));
            }
            Self::Sqlite(file) => ExternalLedger::new(sqlite(file).await?),
            #[cfg(feature = "redis")]
            Self::Redis(url) => ExternalLedger::new(RedisStore::connect(url).await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => ExternalLedger::new(postgres(url).await?),
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

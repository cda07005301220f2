//! Where sessions live: here, in the browser, or in a store that several processes share.

use std::{error::Error, sync::Arc};

use logto::{
    LogtoConfig,
    client::{seal::KeyRing, storage::SessionStorage},
    storage::{CookieStorage, MemoryStorage},
    web::cookies::CookieCodec,
};

use crate::args::StorageKind;

/// Opens the storage of this kind. Redis and the databases are where their variables say.
///
/// # Errors
/// When the store does not answer, or this program was built without it.
pub(crate) async fn open(
    kind: StorageKind,
    config: &LogtoConfig,
    cookies: &CookieCodec,
    keys: &KeyRing,
) -> Result<Arc<dyn SessionStorage>, Box<dyn Error + Send + Sync>> {
    match kind {
        StorageKind::Memory => Ok(Arc::new(MemoryStorage::new())),
        StorageKind::Cookie => Ok(Arc::new(CookieStorage::new(keys.clone(), config, cookies))),
        StorageKind::Redis | StorageKind::Postgres | StorageKind::Sqlite => {
            open_external(kind, config, keys.clone())
                .await
                .map_err(|error| format!("{kind} storage: {error}").into())
        }
    }
}

#[cfg_attr(
    not(any(feature = "redis", feature = "postgres", feature = "sqlite")),
    expect(unused_variables)
)]
async fn open_external(
    kind: StorageKind,
    config: &LogtoConfig,
    keys: KeyRing,
) -> Result<Arc<dyn SessionStorage>, Box<dyn Error + Send + Sync>> {
    #[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
    use {logto::storage::ExternalStorage, std::env};

    #[cfg(feature = "redis")]
    if kind == StorageKind::Redis {
        let url = env::var("LOGTO_REDIS_URL");
        let url = url.as_deref().unwrap_or("redis://127.0.0.1:6379/");
        let store = logto::storage::RedisStore::connect(url).await?;
        return Ok(Arc::new(ExternalStorage::new(store, keys, config)));
    }
    #[cfg(feature = "postgres")]
    if kind == StorageKind::Postgres {
        let url = env::var("LOGTO_POSTGRES_URL");
        let default = "postgres://postgres@127.0.0.1:5432/postgres";
        let store =
            logto::storage::PostgresStore::connect(url.as_deref().unwrap_or(default)).await?;
        store.migrate().await?;
        return Ok(Arc::new(ExternalStorage::new(store, keys, config)));
    }
    #[cfg(feature = "sqlite")]
    if kind == StorageKind::Sqlite {
        let path = env::var_os("LOGTO_SQLITE_PATH").map_or_else(
            || env::temp_dir().join("logto-quickstart.sqlite"),
            Into::into,
        );
        let store = logto::storage::SqliteStore::open(path).await?;
        store.migrate().await?;
        return Ok(Arc::new(ExternalStorage::new(store, keys, config)));
    }
    Err(format!(
        "it is not built in: cargo run -p quickstart --features {kind} -- --storage {kind}"
    )
    .into())
}

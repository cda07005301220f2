//! Where sessions live: in this process, in the browser, or in a store that several processes share.

use std::env;

use logto::{LogtoBuilder, storage::MemoryStorage};

use crate::args::StorageKind;

const SESSION_URL: &str = "LOGTO_SESSION_URL";

/// Tells the builder where sessions live. It has a cookie key already.
pub(crate) fn choose(kind: StorageKind, logto: LogtoBuilder) -> LogtoBuilder {
    match kind {
        StorageKind::Memory => logto.storage(MemoryStorage::new()),
        StorageKind::Cookie => logto,
        StorageKind::Redis => logto.session_url(url("redis", "redis://127.0.0.1:6379/")),
        StorageKind::Postgres => {
            let local = "postgres://postgres@127.0.0.1:5432/postgres";
            logto.session_url(url("postgres", local))
        }
        StorageKind::Sqlite => {
            let file = env::temp_dir().join("logto-quickstart.sqlite");
            logto.session_url(url("sqlite", &format!("sqlite:{}", file.display())))
        }
    }
}

/// `LOGTO_SESSION_URL` if it is about this kind of store.
fn url(scheme: &str, default: &str) -> String {
    let url = env::var(SESSION_URL).ok();
    let url = url.filter(|url| url.starts_with(scheme));
    url.unwrap_or_else(|| default.to_owned())
}

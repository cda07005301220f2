//! Sessions in a store of the application's own. The store knows nothing of sessions: what it keeps is sealed, with a
//! key of the application: `LOGTO_COOKIE_KEY=$(openssl rand -base64 32) cargo run -p logto-example-own-store`.

mod store;

use axum::{Router, routing::get};
use logto::axum::{RouterExt, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env()
        .store(store::Store::default())
        .await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let app = Router::new().route("/", get(home)).with_logto(logto);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn home(user: Option<User>) -> String {
    match user {
        Some(user) => format!("Hello, {}", user.sub),
        None => "Nobody is signed in. Go to /sign-in.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use logto::LogtoConfig;
    use logto::client::seal::{KeyRing, SealKey};
    use logto_storage::{ExternalStorage, Lifetimes, conformance};

    #[tokio::test]
    async fn the_store_keeps_what_the_sdk_needs() {
        let config = LogtoConfig::builder("https://tenant.logto.app", "app").build();
        let (config, keys) = (config.unwrap(), KeyRing::new(SealKey::new(&[7; 32])));
        let store = Arc::new(super::store::Store::default());
        let promises = conformance::Promises {
            kind: conformance::StorageKind::Shared,
            lifetimes: Lifetimes::default(),
        };
        let make = async || {
            let store = Arc::clone(&store);
            Arc::new(ExternalStorage::new(store, keys.clone(), &config)) as _
        };
        conformance::run(promises, make).await.unwrap();
    }
}

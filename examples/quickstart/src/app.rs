//! The application: a client, its cookies, and the routes.

use std::error::Error;

use axum::{
    Router,
    routing::{get, post},
};
use logto::{
    LogtoClient, LogtoConfig, ReqwestClient,
    client::{
        clock::Clock,
        seal::{KeyRing, SealKey},
    },
    web::{LogtoWeb, cookies::CookieOptions},
};

use crate::{args::StorageKind, routes, storage};

/// What every route can reach. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) web: LogtoWeb,
    pub(crate) demo_users: Option<&'static str>,
    storage: StorageKind,
}

impl App {
    /// The application of `config`, with its sessions in `storage` and its cookies sealed by `key`.
    ///
    /// # Errors
    /// When the configuration has no base URL, or one that cookies cannot be set for; when the storage
    /// cannot be opened.
    pub async fn new(
        config: LogtoConfig,
        storage: StorageKind,
        key: SealKey,
        clock: impl Clock + 'static,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let base_url = config
            .base_url()
            .ok_or("a web application needs a base URL")?;
        let cookies = CookieOptions::new(base_url, config.app_id()).build()?;
        let keys = KeyRing::new(key);
        let http = ReqwestClient::new()?;
        let sessions = storage::open(storage, &config, &cookies, &keys).await?;
        let client = LogtoClient::builder(config, http, sessions)
            .clock(clock)
            .build()?;
        Ok(Self {
            web: LogtoWeb::new(client, cookies, keys),
            demo_users: None,
            storage,
        })
    }

    /// Says on the page who can sign in.
    #[must_use]
    pub fn with_demo_users(mut self, users: &'static str) -> Self {
        self.demo_users = Some(users);
        self
    }

    /// Where the sessions live.
    pub fn storage(&self) -> StorageKind {
        self.storage
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(routes::home::page))
            .route("/style.css", get(routes::home::style))
            .route("/sign-in", get(routes::sign_in::start))
            .route(
                "/callback",
                get(routes::sign_in::callback).post(routes::sign_in::callback),
            )
            .route(
                "/sign-out",
                get(routes::sign_out::everywhere).post(routes::sign_out::everywhere),
            )
            .route("/sign-out/local", post(routes::sign_out::here))
            .route("/user", get(routes::user::claims))
            .route("/user-info", get(routes::user::user_info))
            .route(
                "/token",
                get(routes::token::usable)
                    .post(routes::token::anew)
                    .delete(routes::token::forget),
            )
            .route("/token/read-only", get(routes::token::read_only))
            .route("/organizations", get(routes::organizations::tokens))
            .with_state(self)
    }
}

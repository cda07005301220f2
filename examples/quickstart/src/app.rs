//! The application: a client, its cookies, and the routes.

use std::error::Error;

use axum::{
    Router,
    routing::{get, post},
};
use logto::{
    LogtoClient, LogtoConfig,
    client::{
        BuildError, Context,
        m2m::M2mClient,
        seal::{KeyRing, SealKey},
    },
    web::{LogtoWeb, cookies::CookieOptions},
};
use logto_testkit::Logto;

use crate::{args::StorageKind, device::Device, routes, storage};

/// What every route can reach. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) web: LogtoWeb,
    pub(crate) demo_users: Option<&'static str>,
    pub(crate) machine: Option<Machine>,
    pub(crate) device: Option<Device>,
    /// The Logto that is part of this program, where devices are approved.
    pub(crate) embedded: Option<Logto>,
    storage: StorageKind,
}

/// The machine-to-machine application.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) client: M2mClient,
    pub(crate) scopes: Vec<String>,
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
        context: Context,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let base_url = config
            .base_url()
            .ok_or("a web application needs a base URL")?;
        let cookies = CookieOptions::new(base_url, config.app_id()).build()?;
        let keys = KeyRing::new(key);
        let sessions = storage::open(storage, &config, &cookies, &keys).await?;
        let client = LogtoClient::builder(config, context, sessions).build()?;
        Ok(Self {
            web: LogtoWeb::new(client, cookies, keys),
            demo_users: None,
            machine: None,
            device: None,
            embedded: None,
            storage,
        })
    }

    /// Says on the page who can sign in.
    #[must_use]
    pub fn with_demo_users(mut self, users: &'static str) -> Self {
        self.demo_users = Some(users);
        self
    }

    /// Shows what the machine-to-machine application of `config` gets.
    ///
    /// # Errors
    /// What the context lacks.
    pub fn with_machine(
        mut self,
        config: LogtoConfig,
        context: Context,
    ) -> Result<Self, BuildError> {
        let scopes = config.scopes().to_vec();
        let client = M2mClient::new(config, context)?;
        self.machine = Some(Machine { client, scopes });
        Ok(self)
    }

    /// Shows a device that signs in as the application of `config`.
    ///
    /// # Errors
    /// What the context lacks.
    pub fn with_device(
        mut self,
        config: LogtoConfig,
        context: Context,
    ) -> Result<Self, BuildError> {
        self.device = Some(Device::new(config, context)?);
        Ok(self)
    }

    /// Lets users approve devices at this Logto without its page for that.
    #[must_use]
    pub fn with_embedded(mut self, logto: Logto) -> Self {
        self.embedded = Some(logto);
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
            .route("/fresh.js", get(routes::home::script))
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
            .route("/machine-token", get(routes::machine::token))
            .route(
                "/device",
                get(routes::device::progress).post(routes::device::start),
            )
            .route("/device/approve", post(routes::device::approve))
            .route("/backchannel-logout", post(routes::sign_out::back_channel))
            .with_state(self)
    }
}

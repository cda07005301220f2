//! The application: a client and its cookies.

use std::error::Error;

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

use crate::{args::StorageKind, device::Device, storage};

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
}

//! The application: the SDK's value, and what the page shows besides.

use std::error::Error;

use logto::{
    LogtoApp, LogtoBuilder, LogtoConfig, StartError,
    client::{BuildError, Context, m2m::M2mClient},
    web::{LinkParameter, Route},
};
use logto_testkit::Logto;

use crate::{args::StorageKind, device::Device, page, storage};

/// What every route can reach. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) logto: LogtoApp,
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
    /// The application that `logto` builds, with its sessions in `storage`.
    ///
    /// # Errors
    /// The first setting that cannot be used; a store that does not respond.
    pub async fn new(
        logto: LogtoBuilder,
        storage: StorageKind,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let logto = storage::choose(storage, logto).routes(|routes| {
            routes
                .path(Route::SignOutLocally, "/sign-out/local")
                .link_parameters([LinkParameter::LoginHint, LinkParameter::Prompt])
                .sign_out_links()
                .error_page(page::problem)
        });
        let logto = logto.await.map_err(|error| match error {
            StartError::StoreNotBuiltIn(_) => format!(
                "{storage} storage is not built in: cargo run -p quickstart --features {storage} -- --storage {storage}"
            ).into(),
            error => Box::<dyn Error + Send + Sync>::from(error),
        })?;
        Ok(Self {
            logto,
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

    /// The configuration.
    pub fn config(&self) -> &LogtoConfig {
        self.logto.client().config()
    }

    /// Where the sessions live.
    pub fn storage(&self) -> StorageKind {
        self.storage
    }
}

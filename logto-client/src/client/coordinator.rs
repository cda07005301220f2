//! What the clients of one application share within a process.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use logto_core::LogtoConfig;

use super::{
    CompletedSignIn,
    device::{Completed, Polled},
};
use crate::{
    context::BuildError,
    error::Error,
    ledger::LedgerLimits,
    provider::{Interrupted, ProviderCache},
    refresh::Memory,
    single_flight::SingleFlight,
    ttl_map::TtlMap,
};

/// How many sign-ins on devices wait for their callers.
const MAX_DEVICES: usize = 1_000;
/// How many redeemed callbacks and used logout tokens are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// What the clients of one application share within a process: refreshes under way, one mutex for each session,
/// the ledger of spent refresh tokens, sessions that ended, redeemed callbacks, and the provider's metadata and
/// keys.
///
/// Every client has one and shares it with its clones. Only a program that builds a client for each request
/// needs this type: it creates one coordinator and passes it to all of them. Otherwise each client would
/// refresh on its own, and Logto ends a session if a spent refresh token is used again after three seconds.
///
/// ```
/// use logto_client::{
///     BuildError, Coordinator, LogtoClient, LogtoConfig, http::HttpClient, storage::SessionStorage,
/// };
///
/// fn client_of_a_request(
///     coordinator: &Coordinator,
///     config: LogtoConfig,
///     http: impl HttpClient + 'static,
///     storage: impl SessionStorage + 'static,
/// ) -> Result<LogtoClient, BuildError> {
///     let builder = LogtoClient::builder(config, http, storage);
///     builder.coordinator(coordinator.clone()).build()
/// }
/// ```
#[derive(Clone)]
pub struct Coordinator(Arc<SharedState>);

pub(super) struct SharedState {
    /// Issuer and id of the application.
    application: OnceLock<(String, String)>,
    pub(super) provider_cache: Arc<ProviderCache>,
    pub(super) memory: Arc<Memory>,
    /// Callbacks whose code is being redeemed, by the hash of their `state`.
    pub(super) sign_ins: SingleFlight<[u8; 32], Result<CompletedSignIn, Interrupted>>,
    /// Callbacks whose code was sent to the provider, and may be spent.
    pub(super) redeemed: TtlMap<[u8; 32], ()>,
    /// Polls of devices under way, by the hash of the device code.
    pub(super) device_polls: SingleFlight<[u8; 32], Result<Polled, Error>>,
    /// Sign-ins on devices whose code is spent; `None` when a caller has received the result.
    pub(super) approved_devices: TtlMap<[u8; 32], Option<Completed>>,
    /// Logout tokens that were used, by their `jti`.
    pub(super) logout_tokens: TtlMap<String, ()>,
}

impl Coordinator {
    /// A coordinator with a ledger of the default size.
    pub fn new() -> Self {
        Self::with_ledger(LedgerLimits::default())
    }

    /// A coordinator with a ledger of the given size.
    pub fn with_ledger(limits: LedgerLimits) -> Self {
        Self(Arc::new(SharedState {
            application: OnceLock::new(),
            provider_cache: Arc::default(),
            memory: Arc::new(Memory::new(limits)),
            sign_ins: SingleFlight::default(),
            redeemed: TtlMap::new(MAX_REMEMBERED),
            device_polls: SingleFlight::default(),
            approved_devices: TtlMap::new(MAX_DEVICES),
            logout_tokens: TtlMap::new(MAX_REMEMBERED),
        }))
    }

    /// The shared state, for a client of the application of `config`. The first client decides which
    /// application that is.
    pub(super) fn shared(&self, config: &LogtoConfig) -> Result<Arc<SharedState>, BuildError> {
        let own = (config.issuer().to_owned(), config.app_id().to_owned());
        if *self.0.application.get_or_init(|| own.clone()) != own {
            return Err(BuildError::OtherApplication);
        }
        Ok(Arc::clone(&self.0))
    }
}

impl Default for Coordinator {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinator")
            .field("application", &self.0.application.get())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedState").finish_non_exhaustive()
    }
}

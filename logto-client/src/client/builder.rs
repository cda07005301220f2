//! The builder of a client.

use std::{sync::Arc, time::Duration};

use logto_core::{LogtoConfig, refresh::REFRESH_TOKEN_LIFETIME};

use super::{ClientState, Coordinator, LogtoClient};
use crate::{
    clock::Clock,
    context::{BuildError, Context},
    event::Observer,
    key_value::KeyValueStore,
    ledger::SharedLedger,
    provider::Provider,
    refresh::{RefreshOptions, Refresher},
    seal::KeyRing,
    storage::SessionStorage,
};

const DEFAULT_ENDS_KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// Builds a [`LogtoClient`]. Everything except the configuration, the HTTP client and the storage has a default.
#[derive(Debug)]
#[must_use]
pub struct LogtoClientBuilder {
    config: LogtoConfig,
    context: Context,
    storage: Arc<dyn SessionStorage>,
    coordinator: Coordinator,
    shared_ledger: Option<(Arc<dyn KeyValueStore>, KeyRing)>,
    options: RefreshOptions,
}

impl LogtoClientBuilder {
    pub(super) fn new(
        config: LogtoConfig,
        context: Context,
        storage: Arc<dyn SessionStorage>,
    ) -> Self {
        Self {
            config,
            context,
            storage,
            coordinator: Coordinator::new(),
            shared_ledger: None,
            options: RefreshOptions {
                ends_known_within: DEFAULT_ENDS_KNOWN_WITHIN,
                is_single_process: false,
                refresh_token_lifetime: REFRESH_TOKEN_LIFETIME,
            },
        }
    }

    /// Sets the clock; short for [`Context::clock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.context = self.context.clock(clock);
        self
    }

    /// Timeout for one request to the provider; short for [`Context::request_timeout`].
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.context = self.context.request_timeout(timeout);
        self
    }

    /// How long a caller waits for a refresh; short for [`Context::caller_timeout`].
    pub fn caller_timeout(mut self, timeout: Duration) -> Self {
        self.context = self.context.caller_timeout(timeout);
        self
    }

    /// How long all calls on one session value wait, together; short for [`Context::waiting_budget`].
    pub fn waiting_budget(mut self, budget: Duration) -> Self {
        self.context = self.context.waiting_budget(budget);
        self
    }

    /// How long a refresh listens for its response; short for [`Context::listen_timeout`].
    pub fn listen_timeout(mut self, timeout: Duration) -> Self {
        self.context = self.context.listen_timeout(timeout);
        self
    }

    /// Receives events; short for [`Context::observer`].
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.context = self.context.observer(observer);
        self
    }

    /// Sets the coordinator, for programs that build a client for each request, or to size the ledger of spent
    /// refresh tokens. Default: one of its own.
    pub fn coordinator(mut self, coordinator: Coordinator) -> Self {
        self.coordinator = coordinator;
        self
    }

    /// Shares the ledger of spent refresh tokens with the other processes of the application, in `store`.
    ///
    /// Useful where sessions live in cookies and several processes serve them: each process can then update an
    /// old cookie's session, and a refresh no longer introspects the refresh token first. A storage on the
    /// server always has the newest session and needs no ledger. The same store may also hold sessions. It
    /// receives only hashes and sealed values. If it fails, the client works as if there were no shared ledger.
    ///
    /// The processes also tell each other which sessions have ended, by a sign-out or a back-channel logout;
    /// see [`ends_known_within`](Self::ends_known_within). `keys` hash and seal the entries, because user ids
    /// can be guessed. All processes must have the same keys; the keys of the cookies can be used.
    pub fn shared_ledger(mut self, store: impl KeyValueStore + 'static, keys: KeyRing) -> Self {
        self.shared_ledger = Some((Arc::new(store), keys));
        self
    }

    /// The longest time until the other processes of a [shared ledger](Self::shared_ledger) refuse a session in
    /// cookies that has ended in one of them. The store is read this often for each session in use, rather than
    /// at each request. Zero reads it at each request. Default: 5 seconds.
    pub fn ends_known_within(mut self, delay: Duration) -> Self {
        self.options.ends_known_within = delay;
        self
    }

    /// Promises that this is the only process that refreshes the sessions of this application.
    ///
    /// It matters where sessions live in cookies and no ledger is shared. An old cookie may then contain a
    /// refresh token that another process has spent, and using it again would end the session. The client
    /// therefore asks the introspection endpoint first, which costs one more request for each refresh. With
    /// this promise it only does so in the first minute after its start, for sessions that began earlier.
    pub fn single_process(mut self) -> Self {
        self.options.is_single_process = true;
        self
    }

    /// How long a refresh token of the application lives, as set in the Console. Default: 14 days, as in Logto.
    ///
    /// A refresh token that is past 70 % of that, and was not spent for a day, is spent the next time its
    /// session can be written, so that it is replaced before it expires. A user of pages that never ask for a
    /// token still has tokens after 14 days. If the value is too long, the tokens expire; if it is too short,
    /// there is one more request a day.
    ///
    /// Zero is an error of [`build`](Self::build).
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.options.refresh_token_lifetime = lifetime;
        self
    }

    /// Builds the client. It sends no request before one is needed.
    ///
    /// # Errors
    /// If a setting is missing or invalid.
    pub fn build(self) -> Result<LogtoClient, BuildError> {
        if self.options.refresh_token_lifetime.is_zero() {
            return Err(BuildError::Zero("refresh_token_lifetime"));
        }
        let shared = self.coordinator.shared(&self.config)?;
        let limits = shared.memory.ledger.limits();
        let entropy = &self.context.entropy;
        let shared_ledger = self.shared_ledger.map(|(store, keys)| {
            SharedLedger::new(store, keys, &self.config, limits, Arc::clone(entropy))
        });
        let cache = Arc::clone(&shared.provider_cache);
        let provider = Arc::new(Provider::new(self.config, self.context, cache)?);
        let refresher = Arc::new(Refresher::new(
            Arc::clone(&provider),
            Arc::clone(&self.storage),
            Arc::clone(&shared.memory),
            shared_ledger,
            self.options,
        ));
        let inner = ClientState {
            shared,
            provider,
            storage: self.storage,
            refresher,
        };
        Ok(LogtoClient {
            inner: Arc::new(inner),
        })
    }
}

//! Putting a client together.

use std::{sync::Arc, time::Duration};

use logto_core::LogtoConfig;

use super::{Inner, LogtoClient};
use crate::{
    clock::Clock,
    event::{DefaultObserver, Observer},
    expiring::Expiring,
    flight::Flights,
    ledger::{Ledger, LedgerLimits, SealedLedger, SharedLedger},
    refresh::{Parts, Refresher},
    storage::SessionStorage,
    wiring::{BuildError, Wiring},
};

/// How many redeemed callbacks and used logout tokens are remembered.
const MOST_BYGONES: usize = 100_000;

/// Builds a [`LogtoClient`]. Everything has a default but configuration, HTTP and storage.
#[derive(Debug)]
#[must_use]
pub struct LogtoClientBuilder {
    config: LogtoConfig,
    wiring: Wiring,
    storage: Arc<dyn SessionStorage>,
    observer: Arc<dyn Observer>,
    ledger: LedgerLimits,
    shared_ledger: Option<Arc<dyn SharedLedger>>,
}

impl LogtoClientBuilder {
    pub(super) fn new(
        config: LogtoConfig,
        wiring: Wiring,
        storage: Arc<dyn SessionStorage>,
    ) -> Self {
        Self {
            config,
            wiring,
            storage,
            observer: Arc::new(DefaultObserver),
            ledger: LedgerLimits::default(),
            shared_ledger: None,
        }
    }

    /// Another clock than the system's; short for [`Wiring::clock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.wiring = self.wiring.clock(clock);
        self
    }

    /// After how long a call to the provider is over; short for [`Wiring::deadline`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.wiring = self.wiring.deadline(deadline);
        self
    }

    /// Who is told what happens to sessions.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// How much the ledger of spent refresh tokens holds.
    pub fn ledger(mut self, limits: LedgerLimits) -> Self {
        self.ledger = limits;
        self
    }

    /// A ledger that several processes share. Worth having where sessions live in cookies.
    pub fn shared_ledger(mut self, ledger: impl SharedLedger + 'static) -> Self {
        self.shared_ledger = Some(Arc::new(ledger));
        self
    }

    /// The client. Nothing is sent before it is needed.
    ///
    /// # Errors
    /// What is missing.
    pub fn build(self) -> Result<LogtoClient, BuildError> {
        let entropy = Arc::clone(&self.wiring.entropy);
        let provider = Arc::new(self.wiring.provider(self.config)?);
        let limits = self.ledger;
        let parts = Parts {
            storage: Arc::clone(&self.storage),
            ledger: Ledger::new(limits),
            shared_ledger: self
                .shared_ledger
                .map(|place| SealedLedger::new(place, limits)),
            entropy: Arc::clone(&entropy),
            observer: self.observer,
        };
        let refresher = Arc::new(Refresher::new(Arc::clone(&provider), parts));
        let inner = Inner {
            sign_ins: Flights::new(Arc::clone(&provider.runtime)),
            redeemed: Expiring::new(MOST_BYGONES),
            logout_tokens: Expiring::new(MOST_BYGONES),
            provider,
            storage: self.storage,
            refresher,
            entropy,
        };
        Ok(LogtoClient {
            inner: Arc::new(inner),
        })
    }
}

//! What a client is wired to: HTTP, time, randomness, a runtime and a verifier.

use std::{sync::Arc, time::Duration};

use logto_core::{
    LogtoConfig,
    config::{ClientAuthentication, ConfigError},
    jwt::JwsVerifier,
};

use crate::{
    clock::{Clock, SystemClock},
    credentials::Credentials,
    entropy::{Entropy, OsEntropy},
    event::{DefaultObserver, Observer},
    http::HttpClient,
    provider::{Known, Provider, Surroundings, Transport},
    runtime::Runtime,
};

/// The seams that every client has. An [`HttpClient`] alone makes one; everything else has a default.
#[derive(Clone, Debug)]
#[must_use]
pub struct Context {
    http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    runtime: Option<Arc<dyn Runtime>>,
    verifier: Option<Arc<dyn JwsVerifier>>,
    observer: Arc<dyn Observer>,
    deadline: Duration,
    at_once: usize,
    other_credentials: Vec<ClientAuthentication>,
}

/// What a client cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A credential to try besides the configured one cannot be used.
    #[error("`fallback_authentication`: {0}")]
    Credentials(#[from] ConfigError),
    /// No feature brings a runtime and none was given.
    #[error("no runtime: switch on the feature `tokio`, or give one with `runtime`")]
    NoRuntime,
    /// No feature brings a verifier and none was given.
    #[error(
        "no verifier: switch on the feature `aws-lc` or `rust-crypto`, or give one with `verifier`"
    )]
    NoVerifier,
    /// A resource server trusts at least one issuer.
    #[error("a resource server needs at least one issuer")]
    NoIssuer,
    /// A deadline of zero ends every call before it begins.
    #[error("`deadline` must not be zero")]
    NoTime,
    /// A coordinator serves the clients of one application.
    #[error("the coordinator belongs to another application or issuer")]
    OtherApplication,
    /// With no call at once nothing can be sent.
    #[error("`max_concurrent_requests` must not be zero")]
    NoCalls,
}

impl Context {
    /// The system's clock and random source, and the runtime and verifier of the features: Tokio;
    /// `aws-lc` if it is on, else `rust-crypto`.
    pub fn new(http: impl HttpClient + 'static) -> Self {
        Self {
            http: Arc::new(http),
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(OsEntropy),
            runtime: default_runtime(),
            verifier: default_verifier(),
            observer: Arc::new(DefaultObserver),
            deadline: Duration::from_secs(10),
            at_once: 64,
            other_credentials: Vec::new(),
        }
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Another random source than the system's. For tests.
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Another runtime than Tokio.
    pub fn runtime(mut self, runtime: impl Runtime + 'static) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Another verifier than that of the features.
    pub fn verifier(mut self, verifier: impl JwsVerifier + 'static) -> Self {
        self.verifier = Some(Arc::new(verifier));
        self
    }

    /// Who is told what happens; nobody unless given, or `tracing` with that feature.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// After how long a call to the provider is over; 10 seconds unless changed.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many calls to the provider may be under way at once; 64 unless changed. More wait.
    pub fn max_concurrent_requests(mut self, calls: usize) -> Self {
        self.at_once = calls;
        self
    }

    /// A way to prove who we are that is tried when the configured one, or the one before this, is
    /// refused: the other secret while one is being replaced.
    pub fn fallback_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.other_credentials.push(authentication);
        self
    }

    /// The provider of `config`, wired like this.
    pub(crate) fn provider(
        &self,
        config: LogtoConfig,
        known: Arc<Known>,
    ) -> Result<Provider, BuildError> {
        if self.deadline.is_zero() {
            return Err(BuildError::NoTime);
        }
        if self.at_once == 0 {
            return Err(BuildError::NoCalls);
        }
        let transport = Transport {
            http: Arc::clone(&self.http),
            deadline: self.deadline,
            at_once: self.at_once,
            credentials: Credentials::new(&config, self.other_credentials.clone())?,
        };
        let surroundings = Surroundings {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            runtime: self.runtime.clone().ok_or(BuildError::NoRuntime)?,
            verifier: self.verifier.clone().ok_or(BuildError::NoVerifier)?,
            observer: Arc::clone(&self.observer),
        };
        Ok(Provider::new(config, transport, surroundings, known))
    }
}

impl<H: HttpClient + 'static> From<H> for Context {
    fn from(http: H) -> Self {
        Self::new(http)
    }
}

fn default_runtime() -> Option<Arc<dyn Runtime>> {
    #[cfg(feature = "tokio")]
    return Some(Arc::new(crate::runtime::TokioRuntime));
    #[cfg(not(feature = "tokio"))]
    None
}

fn default_verifier() -> Option<Arc<dyn JwsVerifier>> {
    #[cfg(feature = "aws-lc")]
    return Some(Arc::new(logto_core::jwt::AwsLcVerifier));
    #[cfg(all(not(feature = "aws-lc"), feature = "rust-crypto"))]
    return Some(Arc::new(logto_core::jwt::RustCryptoVerifier));
    #[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
    None
}

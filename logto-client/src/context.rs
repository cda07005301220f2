//! The dependencies of a client: HTTP, clock, random source, runtime, verifier and observer.

use std::{sync::Arc, time::Duration};

use logto_core::{config::ClientAuthentication, error::ConfigError, jwt::JwsVerifier};

use crate::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, OsEntropy},
    event::{DefaultObserver, Observer},
    http::HttpClient,
    runtime::Runtime,
};

const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_CALLER_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_WAITING_BUDGET: Duration = Duration::from_secs(15);
const DEFAULT_LISTEN_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_MAX_CONCURRENT_REQUESTS: usize = 64;
const DEFAULT_MAX_LISTENERS: usize = 256;

/// Longer timeouts are shortened to this, so that no sum or product of them overflows, and no timer
/// is asked for a moment that it cannot represent.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The most permits that a semaphore can have.
const MAX_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;

/// HTTP, clock, random source, runtime, verifier and observer of a client, with its timeouts and
/// limits.
///
/// Only the [`HttpClient`] has no default, so an `HttpClient` alone converts into a `Context`:
///
/// ```
/// use std::time::Duration;
/// use logto_client::{Context, http::HttpClient};
///
/// fn impatient(http: impl HttpClient + 'static) -> Context {
///     Context::new(http).request_timeout(Duration::from_secs(3))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Context {
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    runtime: Option<Arc<dyn Runtime>>,
    verifier: Option<Arc<dyn JwsVerifier>>,
    observer: Arc<dyn Observer>,
    limits: Limits,
    fallback_authentication: Vec<ClientAuthentication>,
}

/// A context with all that it needs.
#[derive(Debug)]
pub(crate) struct BuiltContext {
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) verifier: Arc<dyn JwsVerifier>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) limits: Limits,
}

/// Timeouts and limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) request_timeout: Duration,
    pub(crate) caller_timeout: Duration,
    pub(crate) waiting_budget: Duration,
    pub(crate) listen_timeout: Duration,
    pub(crate) max_concurrent_requests: usize,
    pub(crate) max_listeners: usize,
}

/// Why a client cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A [fallback authentication](Context::fallback_authentication) cannot be used.
    #[error("`fallback_authentication`: {0}")]
    Credentials(#[from] ConfigError),
    /// No enabled feature includes a runtime, and none was given.
    #[error("no runtime: enable the feature `tokio`, or set one with `Context::runtime`")]
    NoRuntime,
    /// No enabled feature includes a verifier, and none was given.
    #[error(
        "no verifier: enable the feature `aws-lc` or `rust-crypto`, or set one with `Context::verifier`"
    )]
    NoVerifier,
    /// A resource server trusts at least one issuer.
    #[error("a resource server needs at least one issuer")]
    NoIssuer,
    /// A timeout or a limit is zero, with which no request could succeed.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
    /// A coordinator serves the clients of one application only.
    #[error("the coordinator belongs to another application or issuer")]
    OtherApplication,
}

impl Context {
    /// A context with the system's clock and random source, and the runtime and verifier of the enabled
    /// features: Tokio; `aws-lc` if it is enabled, else `rust-crypto`.
    pub fn new(http: impl HttpClient + 'static) -> Self {
        Self {
            http: Arc::new(http),
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(OsEntropy),
            runtime: default_runtime(),
            verifier: default_verifier(),
            observer: Arc::new(DefaultObserver),
            limits: Limits::default(),
            fallback_authentication: Vec::new(),
        }
    }

    /// Sets the clock. Default: the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the random source, for tests. Default: the system's.
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets the runtime. Default: Tokio, with the feature `tokio`.
    pub fn runtime(mut self, runtime: impl Runtime + 'static) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Sets what verifies signatures. Default: the one of the feature `aws-lc`, else of `rust-crypto`.
    pub fn verifier(mut self, verifier: impl JwsVerifier + 'static) -> Self {
        self.verifier = Some(Arc::new(verifier));
        self
    }

    /// Receives events. Default: none, or `tracing` with that feature.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Timeout for one request to the provider. Default: 10 seconds.
    ///
    /// A request waits at most this long for a permit (see
    /// [`max_concurrent_requests`](Self::max_concurrent_requests)), and then at most this long for the
    /// response. Only a refresh and the redemption of a code [listen longer](Self::listen_timeout), because
    /// their response may hold the only copy of a refresh token.
    ///
    /// Zero is an error when the client is built; more than a day counts as a day. Both apply to every timeout
    /// of a context.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.limits.request_timeout = timeout;
        self
    }

    /// How long a caller waits for a refresh. Default: 10 seconds.
    ///
    /// The caller then gets a transient error. The refresh itself [continues to
    /// listen](Self::listen_timeout), and the next caller finds its result.
    pub fn caller_timeout(mut self, timeout: Duration) -> Self {
        self.limits.caller_timeout = timeout;
        self
    }

    /// How long all calls on one session value wait for the provider, together. Default: 15 seconds.
    ///
    /// An application opens a session once for each of its own requests. When Logto hangs, a page that needs
    /// eight tokens gets its eight errors within this time, and not after eight caller timeouts: what is left
    /// of it limits every wait of [`WritableSession`](crate::WritableSession), its clones, and
    /// [`ReadOnlySession`](crate::ReadOnlySession). When nothing is left, calls that need the provider send
    /// nothing and return [`Error::WaitingBudgetSpent`](crate::Error::WaitingBudgetSpent). Tokens that can
    /// still be used are returned as usual.
    ///
    /// Calls that run at the same time share the time that passes. Only waiting counts; in ten seconds
    /// without it, one second comes back, so that a program may keep a session open for days. Sign-outs are
    /// not limited: they wait for few seconds and should not fail.
    pub fn waiting_budget(mut self, budget: Duration) -> Self {
        self.limits.waiting_budget = budget;
        self
    }

    /// How long a refresh or the redemption of a code listens for its response, also after its callers were
    /// cancelled. Default: 60 seconds; never less than the [request timeout](Self::request_timeout).
    ///
    /// Logto may have replaced the refresh token although the response is late. A client that stops listening
    /// loses the new one, and with it the session.
    pub fn listen_timeout(mut self, timeout: Duration) -> Self {
        self.limits.listen_timeout = timeout;
        self
    }

    /// How many requests to the provider may run at once; further ones wait. Default: 64.
    ///
    /// Zero is an error when the client is built.
    pub fn max_concurrent_requests(mut self, requests: usize) -> Self {
        self.limits.max_concurrent_requests = requests;
        self
    }

    /// How many requests may [listen](Self::listen_timeout) beyond the
    /// [request timeout](Self::request_timeout). Default: 256.
    ///
    /// Such a request no longer counts as one of the [concurrent requests](Self::max_concurrent_requests), so
    /// that slow responses do not keep new requests waiting. Zero is an error when the client is built.
    pub fn max_listeners(mut self, listeners: usize) -> Self {
        self.limits.max_listeners = listeners;
        self
    }

    /// Adds a client authentication that is tried when the configured one, or the one added before, is
    /// refused: the other secret while a secret is being replaced.
    pub fn fallback_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.fallback_authentication.push(authentication);
        self
    }

    /// Checks that nothing is missing. The fallback authentications come apart, because they need a
    /// configuration.
    pub(crate) fn build(self) -> Result<(BuiltContext, Vec<ClientAuthentication>), BuildError> {
        let built = BuiltContext {
            http: self.http,
            clock: self.clock,
            entropy: self.entropy,
            runtime: self.runtime.ok_or(BuildError::NoRuntime)?,
            verifier: self.verifier.ok_or(BuildError::NoVerifier)?,
            observer: self.observer,
            limits: self.limits.checked()?,
        };
        Ok((built, self.fallback_authentication))
    }
}

impl<H: HttpClient + 'static> From<H> for Context {
    fn from(http: H) -> Self {
        Self::new(http)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            caller_timeout: DEFAULT_CALLER_TIMEOUT,
            waiting_budget: DEFAULT_WAITING_BUDGET,
            listen_timeout: DEFAULT_LISTEN_TIMEOUT,
            max_concurrent_requests: DEFAULT_MAX_CONCURRENT_REQUESTS,
            max_listeners: DEFAULT_MAX_LISTENERS,
        }
    }
}

impl Limits {
    /// Checks the limits: refuses values that cannot work, and reduces values that no timer or semaphore can
    /// represent.
    fn checked(mut self) -> Result<Self, BuildError> {
        for (option, timeout) in [
            ("request_timeout", &mut self.request_timeout),
            ("caller_timeout", &mut self.caller_timeout),
            ("waiting_budget", &mut self.waiting_budget),
            ("listen_timeout", &mut self.listen_timeout),
        ] {
            if timeout.is_zero() {
                return Err(BuildError::Zero(option));
            }
            *timeout = MAX_TIMEOUT.min(*timeout);
        }
        for (option, permits) in [
            ("max_concurrent_requests", &mut self.max_concurrent_requests),
            ("max_listeners", &mut self.max_listeners),
        ] {
            if *permits == 0 {
                return Err(BuildError::Zero(option));
            }
            *permits = MAX_PERMITS.min(*permits);
        }
        self.listen_timeout = self.listen_timeout.max(self.request_timeout);
        Ok(self)
    }
}

fn default_runtime() -> Option<Arc<dyn Runtime>> {
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    return Some(Arc::new(crate::runtime::JsRuntime::new()));
    #[cfg(all(
        feature = "tokio",
        not(all(target_family = "wasm", target_os = "unknown"))
    ))]
    return Some(Arc::new(crate::runtime::TokioRuntime));
    #[cfg(not(any(feature = "tokio", all(target_family = "wasm", target_os = "unknown"))))]
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

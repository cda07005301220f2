//! What an application says once: where its Logto is, who it is, and what it asks for.

mod builder;
mod client_authentication;
mod env;
pub(crate) mod rules;

use std::{fmt, sync::Arc, time::Duration};

use url::{Origin, Url};

pub use self::{builder::LogtoConfigBuilder, client_authentication::ClientAuthentication};
use crate::{
    error::{ConfigError, ConfigProblem},
    vocabulary::Prompt,
};

/// The tolerated difference between our clock and the provider's, unless configured.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The largest clock skew a configuration may ask for.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// How long before its expiry an access token is no longer handed out, unless configured.
const DEFAULT_EXPIRY_LEEWAY: Duration = Duration::from_secs(60);

/// Where Logto sends the browser back to, below the base URL, unless configured.
const DEFAULT_CALLBACK_PATH: &str = "/callback";

/// A checked, immutable configuration. Clones share one allocation.
///
/// ```
/// use logto_core::{config::LogtoConfig, vocabulary::UserScope};
///
/// let config = LogtoConfig::builder("https://tenant.logto.app", "my-app-id")
///     .app_secret("my-app-secret")
///     .base_url("https://shop.example.com")
///     .scopes([UserScope::Email, UserScope::Organizations])
///     .scope("read:products")
///     .resource("https://shop.example.com/api")
///     .build()?;
///
/// assert_eq!(config.issuer(), "https://tenant.logto.app/oidc");
/// assert_eq!(config.redirect_uri()?.as_str(), "https://shop.example.com/callback");
/// # Ok::<(), logto_core::error::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LogtoConfig {
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
struct Settings {
    endpoint: Url,
    issuer: String,
    discovery_url: Url,
    app_id: String,
    client_authentication: ClientAuthentication,
    base_url: Option<Url>,
    callback_path: String,
    redirect_uri: Option<Url>,
    post_sign_out_redirect_uri: Option<Url>,
    scopes: Vec<String>,
    resources: Vec<String>,
    prompts: Vec<Prompt>,
    clock_skew: Duration,
    expiry_leeway: Duration,
    trusted_audiences: Vec<String>,
    trusted_endpoint_origins: Vec<Origin>,
    allow_http: bool,
}

impl LogtoConfig {
    /// Starts a configuration.
    ///
    /// `endpoint` is the Logto endpoint shown in the Console, without `/oidc`; a path prefix is kept
    /// and a trailing slash makes no difference. `app_id` is the application's id.
    pub fn builder(endpoint: impl AsRef<str>, app_id: impl Into<String>) -> LogtoConfigBuilder {
        LogtoConfigBuilder::new(endpoint.as_ref(), app_id.into())
    }

    /// The configuration in the environment; see [`LogtoConfigBuilder::from_env`] for the variables.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`], with the name of the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        LogtoConfigBuilder::from_env()?.build()
    }

    /// The Logto endpoint; its path ends with a slash only if it is the root.
    pub fn endpoint(&self) -> &Url {
        &self.settings.endpoint
    }

    /// The issuer every token must name, compared byte for byte: `<endpoint>/oidc` unless configured.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where the provider's metadata is: `<issuer>/.well-known/openid-configuration`
    /// ([OpenID Connect Discovery 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)).
    pub fn discovery_url(&self) -> &Url {
        &self.settings.discovery_url
    }

    /// The application's id, the `client_id` of OAuth.
    pub fn app_id(&self) -> &str {
        &self.settings.app_id
    }

    /// How the application proves who it is.
    pub fn client_authentication(&self) -> &ClientAuthentication {
        &self.settings.client_authentication
    }

    /// The root of the application as browsers see it, if configured; its path ends with a slash only
    /// if it is the root.
    pub fn base_url(&self) -> Option<&Url> {
        self.settings.base_url.as_ref()
    }

    /// The path of the callback below the base URL.
    pub fn callback_path(&self) -> &str {
        &self.settings.callback_path
    }

    /// Where Logto sends the browser back to after sign-in: base URL and callback path. Must be
    /// registered in the Console.
    ///
    /// # Errors
    ///
    /// When no base URL is configured: a machine-to-machine or device application needs none, a
    /// sign-in does.
    pub fn redirect_uri(&self) -> Result<&Url, ConfigError> {
        self.settings
            .redirect_uri
            .as_ref()
            .ok_or_else(|| ConfigError::new("base_url", ConfigProblem::Missing))
    }

    /// Where Logto sends the browser back to after sign-out: the base URL unless configured. Must be
    /// registered in the Console. `None` without a base URL: the browser then stays at Logto.
    pub fn post_sign_out_redirect_uri(&self) -> Option<&Url> {
        self.settings.post_sign_out_redirect_uri.as_ref()
    }

    /// The scopes of a sign-in, without duplicates: the reserved ones first, then in the order given.
    pub fn scopes(&self) -> &[String] {
        &self.settings.scopes
    }

    /// The resource indicators of a sign-in, without duplicates and exactly as they were given,
    /// followed by the organization resource if the scopes ask for organizations.
    pub fn resources(&self) -> &[String] {
        &self.settings.resources
    }

    /// The prompts of a sign-in; empty means that no `prompt` is sent.
    pub fn prompts(&self) -> &[Prompt] {
        &self.settings.prompts
    }

    /// The tolerated difference between our clock and the provider's.
    pub fn clock_skew(&self) -> Duration {
        self.settings.clock_skew
    }

    /// How long before its expiry an access token is replaced.
    pub fn expiry_leeway(&self) -> Duration {
        self.settings.expiry_leeway
    }

    /// Audiences that an ID token may name besides the application.
    pub fn trusted_audiences(&self) -> &[String] {
        &self.settings.trusted_audiences
    }

    /// Whether an endpoint of the provider may be at `url`: at the issuer's origin or at one of the
    /// [`trusted_endpoint_origins`](LogtoConfigBuilder::trusted_endpoint_origins).
    pub(crate) fn trusts_origin_of(&self, url: &Url) -> bool {
        let origin = url.origin();
        origin == self.settings.discovery_url.origin()
            || self.settings.trusted_endpoint_origins.contains(&origin)
    }

    /// Whether requests and browsers may be sent to `url`: over https anywhere, over plain http to
    /// this machine, and over plain http elsewhere only after
    /// [`dangerously_allow_http`](LogtoConfigBuilder::dangerously_allow_http).
    pub fn allows_transport(&self, url: &Url) -> bool {
        rules::is_allowed_transport(url, self.settings.allow_http)
    }
}

impl fmt::Debug for LogtoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogtoConfig").field(&self.settings).finish()
    }
}

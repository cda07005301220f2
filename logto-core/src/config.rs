//! The configuration of an application: where its Logto is, how it authenticates, and what it requests.

mod builder;
mod client_authentication;
mod env;
mod hosts;
pub(crate) mod rules;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use url::{Origin, Url};

pub use self::{builder::LogtoConfigBuilder, client_authentication::ClientAuthentication};
use crate::{
    error::{ConfigError, ConfigProblem},
    vocabulary::Prompt,
};

/// The default tolerated difference between our clock and the provider's.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The largest clock skew that a configuration may set.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// By default, an access token is replaced this long before it expires.
const DEFAULT_EXPIRY_LEEWAY: Duration = Duration::from_secs(60);

/// The default path of the callback, below the base URL.
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
    other_hosts: Vec<String>,
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

    /// Reads the configuration from the environment; see [`LogtoConfigBuilder::from_env`] for the variables.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`], which names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        LogtoConfigBuilder::from_env()?.build()
    }

    /// The Logto endpoint. Its path ends with a slash only if it is the root.
    pub fn endpoint(&self) -> &Url {
        &self.settings.endpoint
    }

    /// The issuer that every token must name, compared byte for byte. Default: `<endpoint>/oidc`.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where the provider's metadata is: `<issuer>/.well-known/openid-configuration`
    /// ([OpenID Connect Discovery 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)).
    pub fn discovery_url(&self) -> &Url {
        &self.settings.discovery_url
    }

    /// The application's id: the `client_id` of OAuth.
    pub fn app_id(&self) -> &str {
        &self.settings.app_id
    }

    /// How the application authenticates.
    pub fn client_authentication(&self) -> &ClientAuthentication {
        &self.settings.client_authentication
    }

    /// The root of the application as browsers see it, if configured. Its path ends with a slash only if it
    /// is the root.
    pub fn base_url(&self) -> Option<&Url> {
        self.settings.base_url.as_ref()
    }

    /// The hosts at which browsers reach the application besides the base URL's, in lower case, as
    /// [`other_hosts`](LogtoConfigBuilder::other_hosts) takes them.
    pub fn other_hosts(&self) -> &[String] {
        &self.settings.other_hosts
    }

    /// The configuration for a request to `host`: the same, with that host in the base URL, the redirect URI and
    /// the post sign-out redirect URI, if it is one of the [`other_hosts`](Self::other_hosts).
    ///
    /// `host` is the host of the request: the value of its `Host` header, or of `:authority` in HTTP/2, with
    /// the port unless that is the default one. It may be any text. Unless it is an allowed host and has the
    /// port of the base URL, the configuration is returned unchanged. A post sign-out redirect URI that differs
    /// from the base URL does not change.
    pub fn for_host(&self, host: &str) -> Cow<'_, Self> {
        let settings = &self.settings;
        let base_url = settings.base_url.as_ref();
        let other = base_url.and_then(|url| hosts::base_url_at(url, &settings.other_hosts, host));
        let Some(other) = other else {
            return Cow::Borrowed(self);
        };
        let mut settings = Settings::clone(settings);
        settings.redirect_uri = Some(rules::join(&other, &settings.callback_path));
        if settings.post_sign_out_redirect_uri == settings.base_url {
            settings.post_sign_out_redirect_uri = Some(other.clone());
        }
        settings.base_url = Some(other);
        Cow::Owned(Self {
            settings: Arc::new(settings),
        })
    }

    /// The path of the callback below the base URL.
    pub fn callback_path(&self) -> &str {
        &self.settings.callback_path
    }

    /// The URI that Logto redirects to after sign-in: base URL and callback path. It must be registered in
    /// the Console.
    ///
    /// # Errors
    ///
    /// No base URL is configured. Sign-in requires one; machine-to-machine and device applications do not.
    pub fn redirect_uri(&self) -> Result<&Url, ConfigError> {
        self.settings
            .redirect_uri
            .as_ref()
            .ok_or_else(|| ConfigError::new("base_url", ConfigProblem::Missing))
    }

    /// The URI that Logto redirects to after sign-out. Default: the base URL. It must be registered in the
    /// Console. Without a base URL it is `None`, and the browser stays at Logto.
    pub fn post_sign_out_redirect_uri(&self) -> Option<&Url> {
        self.settings.post_sign_out_redirect_uri.as_ref()
    }

    /// The scopes that a sign-in requests, without duplicates: the reserved ones first, then in the order
    /// given.
    pub fn scopes(&self) -> &[String] {
        &self.settings.scopes
    }

    /// The resource indicators that a sign-in requests, without duplicates and exactly as given, followed by
    /// the organization resource if the scopes include organizations.
    pub fn resources(&self) -> &[String] {
        &self.settings.resources
    }

    /// The prompts of a sign-in. If empty, no `prompt` is sent.
    pub fn prompts(&self) -> &[Prompt] {
        &self.settings.prompts
    }

    /// The tolerated difference between our clock and the provider's.
    pub fn clock_skew(&self) -> Duration {
        self.settings.clock_skew
    }

    /// How long before it expires an access token is replaced.
    pub fn expiry_leeway(&self) -> Duration {
        self.settings.expiry_leeway
    }

    /// Audiences that an ID token may have besides the application.
    pub fn trusted_audiences(&self) -> &[String] {
        &self.settings.trusted_audiences
    }

    /// Whether `url` may be an endpoint of the provider: it has the issuer's origin or one of the
    /// [`trusted_endpoint_origins`](LogtoConfigBuilder::trusted_endpoint_origins).
    pub(crate) fn trusts_origin_of(&self, url: &Url) -> bool {
        let origin = url.origin();
        origin == self.settings.discovery_url.origin()
            || self.settings.trusted_endpoint_origins.contains(&origin)
    }

    /// Whether requests and browsers may be sent to `url`: over https to any host, over plain http to this
    /// machine, and over plain http to other hosts only with
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

//! The builder, and the checks of its settings.

use std::{fmt, sync::Arc, time::Duration};

use url::Url;

use super::{
    ClientAuthentication, DEFAULT_CALLBACK_PATH, DEFAULT_CLOCK_SKEW, DEFAULT_EXPIRY_LEEWAY,
    LogtoConfig, MAX_CLOCK_SKEW, Settings, hosts, rules,
};
use crate::{
    error::{ConfigError, ConfigProblem},
    secret::Secret,
    vocabulary::{DEFAULT_SCOPES, Prompt, ReservedResource, UserScope},
};

/// Collects the settings of a [`LogtoConfig`]. [`build`](Self::build) checks them.
#[derive(Clone)]
#[must_use]
pub struct LogtoConfigBuilder {
    endpoint: Given<String>,
    issuer: Option<String>,
    app_id: Given<String>,
    pub(super) client_authentication: Given<ClientAuthentication>,
    pub(super) base_url: Option<Given<String>>,
    pub(super) other_hosts: Vec<Given<String>>,
    callback_path: String,
    post_sign_out_redirect_uri: Option<String>,
    pub(super) scopes: Vec<Given<String>>,
    include_reserved_scopes: bool,
    pub(super) resources: Vec<Given<String>>,
    prompts: Vec<Prompt>,
    clock_skew: Duration,
    expiry_leeway: Duration,
    trusted_audiences: Vec<String>,
    trusted_endpoint_origins: Vec<String>,
    allow_http: bool,
}

/// A setting and the environment variable it came from.
#[derive(Clone)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) variable: Option<&'static str>,
}

impl<T> Given<T> {
    const fn in_code(value: T) -> Self {
        Self {
            value,
            variable: None,
        }
    }

    /// Applies `rule`; on failure names the setting and its variable.
    fn check<U>(
        &self,
        field: &'static str,
        rule: impl FnOnce(&T) -> Result<U, ConfigProblem>,
    ) -> Result<U, ConfigError> {
        rule(&self.value).map_err(|problem| ConfigError {
            field,
            variable: self.variable,
            problem,
        })
    }
}

impl LogtoConfigBuilder {
    pub(super) fn new(endpoint: &str, app_id: String) -> Self {
        Self::with(Given::in_code(endpoint.to_owned()), Given::in_code(app_id))
    }

    pub(super) fn with(endpoint: Given<String>, app_id: Given<String>) -> Self {
        Self {
            endpoint,
            issuer: None,
            app_id,
            client_authentication: Given::in_code(ClientAuthentication::None),
            base_url: None,
            other_hosts: Vec::new(),
            callback_path: DEFAULT_CALLBACK_PATH.to_owned(),
            post_sign_out_redirect_uri: None,
            scopes: Vec::new(),
            include_reserved_scopes: true,
            resources: Vec::new(),
            prompts: vec![Prompt::Consent],
            clock_skew: DEFAULT_CLOCK_SKEW,
            expiry_leeway: DEFAULT_EXPIRY_LEEWAY,
            trusted_audiences: Vec::new(),
            trusted_endpoint_origins: Vec::new(),
            allow_http: false,
        }
    }

    /// The issuer, exactly as the provider writes it. Default: `<endpoint>/oidc`. Set it for a provider other
    /// than Logto, or for a Logto whose tokens name another domain than the endpoint. The metadata is then
    /// read from `<issuer>/.well-known/openid-configuration`.
    pub fn issuer(mut self, issuer: impl AsRef<str>) -> Self {
        self.issuer = Some(issuer.as_ref().to_owned());
        self
    }

    /// The application's secret, sent in the `Authorization` header. An application without a secret is a
    /// public client.
    pub fn app_secret(self, app_secret: impl Into<Secret>) -> Self {
        self.client_authentication(ClientAuthentication::Basic(app_secret.into()))
    }

    /// How the application authenticates. Replaces [`app_secret`](Self::app_secret).
    pub fn client_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.client_authentication = Given::in_code(authentication);
        self
    }

    /// The root of the application as browsers see it, for example `http://localhost:3000`. A path prefix is
    /// kept, and a trailing slash makes no difference. Required for sign-in only.
    pub fn base_url(mut self, base_url: impl AsRef<str>) -> Self {
        self.base_url = Some(Given::in_code(base_url.as_ref().to_owned()));
        self
    }

    /// Adds hosts at which browsers reach the application too, such as `app.example.de`. Scheme, port and path
    /// are those of the base URL. `*.preview.example.com` matches all hosts with exactly one label in place of
    /// the `*`.
    ///
    /// A request to one of these hosts signs in and out there: see [`LogtoConfig::for_host`]. Register the
    /// redirect URI and the post sign-out redirect URI of each. An attacker who controls one of these hosts can
    /// take over sessions of the application, so list no host, and no `*`, below a domain in which others get
    /// names, such as that of a hosting platform.
    pub fn other_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        let hosts = hosts.into_iter().map(|host| Given::in_code(host.into()));
        self.other_hosts.extend(hosts);
        self
    }

    /// The path of the callback, below the base URL. Default: `/callback`.
    pub fn callback_path(mut self, path: impl Into<String>) -> Self {
        self.callback_path = path.into();
        self
    }

    /// The URI that Logto redirects to after sign-out. Default: the base URL. It may have a query.
    pub fn post_sign_out_redirect_uri(mut self, uri: impl AsRef<str>) -> Self {
        self.post_sign_out_redirect_uri = Some(uri.as_ref().to_owned());
        self
    }

    /// Adds a scope: a [`UserScope`], or a permission of an API resource or of an organization. Each scope
    /// applies to every resource that defines it.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(Given::in_code(scope.into()));
        self
    }

    /// Adds scopes.
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        scopes.into_iter().fold(self, Self::scope)
    }

    /// Whether to add the scopes `openid`, `offline_access` and `profile`. Default: `true`.
    pub fn include_reserved_scopes(mut self, include: bool) -> Self {
        self.include_reserved_scopes = include;
        self
    }

    /// Adds an API resource by its indicator, exactly as registered in the Console.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(Given::in_code(resource.into()));
        self
    }

    /// Adds API resources.
    pub fn resources<R: Into<String>>(self, resources: impl IntoIterator<Item = R>) -> Self {
        resources.into_iter().fold(self, Self::resource)
    }

    /// The prompts of a sign-in. Default: `consent`. Without `consent` Logto issues no refresh token. With an
    /// empty list no `prompt` is sent.
    pub fn prompts(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.prompts = prompts.into_iter().collect();
        self
    }

    /// The tolerated difference between our clock and the provider's. Default: 60 seconds; at most
    /// [`MAX_CLOCK_SKEW`].
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// How long before it expires an access token is replaced. Default: 60 seconds. For a short-lived token
    /// the leeway is shortened, so that a fresh token is always usable.
    pub fn expiry_leeway(mut self, leeway: Duration) -> Self {
        self.expiry_leeway = leeway;
        self
    }

    /// Audiences that an ID token may have besides the application. Logto never adds any.
    pub fn trusted_audiences<A: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = A>,
    ) -> Self {
        self.trusted_audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// Origins, besides the issuer's own, that may host endpoints of the provider, for example
    /// `https://login.example.com`. Logto needs none: all its endpoints have the issuer's origin. These
    /// origins receive the client secret and tokens.
    pub fn trusted_endpoint_origins<O: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = O>,
    ) -> Self {
        self.trusted_endpoint_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Allows plain http for hosts other than this machine. Anyone on the network can then read and change
    /// everything, including the client secret and the tokens: only for closed test networks.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Checks all settings.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
    pub fn build(self) -> Result<LogtoConfig, ConfigError> {
        let root_url = |text: &String| rules::root_url(text, self.allow_http);

        let endpoint = self.endpoint.check("endpoint", root_url)?;
        let issuer = self
            .issuer
            .unwrap_or_else(|| rules::join(&endpoint, "/oidc").into());
        let issuer_url = rules::root_url(&issuer, self.allow_http)
            .map_err(|problem| ConfigError::new("issuer", problem))?;
        self.app_id.check("app_id", |id| rules::token(id))?;
        self.client_authentication
            .check("app_secret", ClientAuthentication::check)?;

        let base_url = self
            .base_url
            .map(|base_url| base_url.check("base_url", root_url))
            .transpose()?;
        let other_hosts = other_hosts(self.other_hosts, base_url.as_ref())?;
        rules::path(&self.callback_path)
            .map_err(|problem| ConfigError::new("callback_path", problem))?;
        let post_sign_out_redirect_uri = match self.post_sign_out_redirect_uri {
            Some(uri) => Some(
                rules::web_url(&uri, self.allow_http)
                    .map_err(|problem| ConfigError::new("post_sign_out_redirect_uri", problem))?,
            ),
            None => base_url.clone(),
        };

        let scopes = scopes(self.scopes, self.include_reserved_scopes)?;
        let resources = resources(self.resources, &scopes)?;
        let settings = Settings {
            discovery_url: rules::join(&issuer_url, "/.well-known/openid-configuration"),
            redirect_uri: base_url
                .as_ref()
                .map(|root| rules::join(root, &self.callback_path)),
            prompts: prompts(self.prompts)?,
            clock_skew: clock_skew(self.clock_skew)?,
            trusted_audiences: trusted_audiences(self.trusted_audiences)?,
            trusted_endpoint_origins: self
                .trusted_endpoint_origins
                .iter()
                .map(|origin| rules::origin(origin, self.allow_http))
                .collect::<Result<_, _>>()
                .map_err(|problem| ConfigError::new("trusted_endpoint_origins", problem))?,
            endpoint,
            issuer,
            app_id: self.app_id.value,
            client_authentication: self.client_authentication.value,
            base_url,
            other_hosts,
            callback_path: self.callback_path,
            post_sign_out_redirect_uri,
            scopes,
            resources,
            expiry_leeway: self.expiry_leeway,
            allow_http: self.allow_http,
        };
        Ok(LogtoConfig {
            settings: Arc::new(settings),
        })
    }
}

/// Shows the application id only: unchecked settings may hold anything.
impl fmt::Debug for LogtoConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogtoConfigBuilder")
            .field("app_id", &self.app_id.value)
            .finish_non_exhaustive()
    }
}

fn other_hosts(
    given: Vec<Given<String>>,
    base_url: Option<&Url>,
) -> Result<Vec<String>, ConfigError> {
    let mut other_hosts = Vec::with_capacity(given.len());
    for host in given {
        let base_url =
            base_url.ok_or_else(|| ConfigError::new("base_url", ConfigProblem::Missing))?;
        let host = host.check("other_hosts", |host| hosts::host(host, base_url))?;
        push_new(&mut other_hosts, host);
    }
    Ok(other_hosts)
}

fn scopes(given: Vec<Given<String>>, include_reserved: bool) -> Result<Vec<String>, ConfigError> {
    let mut scopes = Vec::with_capacity(DEFAULT_SCOPES.len() + given.len());
    if include_reserved {
        scopes.extend(DEFAULT_SCOPES.map(str::to_owned));
    }
    for scope in given {
        scope.check("scopes", |scope| rules::scope(scope))?;
        push_new(&mut scopes, scope.value);
    }
    Ok(scopes)
}

fn resources(given: Vec<Given<String>>, scopes: &[String]) -> Result<Vec<String>, ConfigError> {
    let mut resources = Vec::with_capacity(given.len() + 1);
    for resource in given {
        resource.check("resources", |resource| rules::resource(resource))?;
        push_new(&mut resources, resource.value);
    }
    if scopes
        .iter()
        .any(|scope| scope == UserScope::Organizations.as_str())
    {
        push_new(&mut resources, ReservedResource::Organizations.into());
    }
    Ok(resources)
}

fn prompts(given: Vec<Prompt>) -> Result<Vec<Prompt>, ConfigError> {
    let mut prompts = Vec::with_capacity(given.len());
    for prompt in given {
        push_new(&mut prompts, prompt);
    }
    if prompts.len() > 1 && prompts.contains(&Prompt::None) {
        return Err(ConfigError::new("prompts", ConfigProblem::NoneWithOthers));
    }
    Ok(prompts)
}

fn clock_skew(given: Duration) -> Result<Duration, ConfigError> {
    if given > MAX_CLOCK_SKEW {
        let problem = ConfigProblem::TooLong {
            maximum: MAX_CLOCK_SKEW,
        };
        return Err(ConfigError::new("clock_skew", problem));
    }
    Ok(given)
}

fn trusted_audiences(given: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let mut audiences = Vec::with_capacity(given.len());
    for audience in given {
        rules::token(&audience)
            .map_err(|problem| ConfigError::new("trusted_audiences", problem))?;
        push_new(&mut audiences, audience);
    }
    Ok(audiences)
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

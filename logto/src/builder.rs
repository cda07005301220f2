//! The builder of an application: configuration, keys, storage, HTTP client and routes, assembled and checked
//! once.

use std::{ffi::OsString, fmt, future::IntoFuture, sync::Arc};

use logto_client::{
    BuildError, Context, LogtoClient, LogtoClientBuilder,
    entropy::{Entropy, EntropyError, OsEntropy},
    http::TransportError,
    key_value::KeyValueStore,
    runtime::BoxFuture,
    seal::{KeyRing, SealKey, WeakSecret},
    storage::{SessionStorage, StorageError},
    web::{
        LogtoApp, LogtoAppBuilder, LogtoWeb,
        cookies::{CookieConfigError, CookieOptions},
    },
};
use logto_core::{
    config::LogtoConfigBuilder,
    error::{ConfigError, ConfigProblem},
};
use logto_storage::{CookieStorage, ExternalStorage, MemoryStorage};

const BASE_URL: &str = "LOGTO_BASE_URL";
const COOKIE_KEY: &str = "LOGTO_COOKIE_KEY";
const SESSION_URL: &str = "LOGTO_SESSION_URL";

/// Builds a [`LogtoApp`] when it is awaited. Created by [`from_env`](crate::from_env) and
/// [`builder`](crate::builder).
///
/// Sessions live
///
/// - where [`storage`](Self::storage) or [`store`](Self::store) says; otherwise
/// - in the store at the [session URL](Self::session_url), if there is one; otherwise
/// - in encrypted cookies, if there is a [cookie key](Self::cookie_key); otherwise
/// - in memory, and end with the process.
///
/// ```no_run
/// # #[cfg(feature = "reqwest-0-13")]
/// # async fn start() -> Result<(), logto::StartError> {
/// let logto = logto::from_env()
///     .config(|config| config.scopes(["email"]).resource("https://shop.example.com/api"))
///     .routes(|routes| routes.sign_out_links())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "await it"]
pub struct LogtoBuilder {
    config: Result<LogtoConfigBuilder, StartError>,
    keys: Keys,
    session_url: Option<String>,
    store: Option<Arc<dyn KeyValueStore>>,
    storage: Option<Arc<dyn SessionStorage>>,
    context: Option<Context>,
    cookies: Change<CookieOptions>,
    client: Change<LogtoClientBuilder>,
    routes: Change<LogtoAppBuilder>,
}

type Change<T> = Box<dyn FnOnce(T) -> T + Send>;

enum Keys {
    /// Sealed values are only read by this process.
    Random,
    Secret(String),
    Ring(Box<KeyRing>),
}

impl LogtoBuilder {
    pub(crate) fn new(config: Result<LogtoConfigBuilder, StartError>) -> Self {
        Self {
            config,
            keys: Keys::Random,
            session_url: None,
            store: None,
            storage: None,
            context: None,
            cookies: Box::new(|cookies| cookies),
            client: Box::new(|client| client),
            routes: Box::new(|routes| routes),
        }
    }

    pub(crate) fn from_lookup<V: Into<OsString>>(
        lookup: impl Fn(&'static str) -> Option<V>,
    ) -> Self {
        let text = |variable| {
            let value = lookup(variable).map(Into::into);
            value.map(|value: OsString| value.to_string_lossy().into_owned())
        };
        let config = LogtoConfigBuilder::from_lookup(&lookup);
        let mut builder = Self::new(config.map_err(Into::into));
        if let Some(secret) = text(COOKIE_KEY) {
            builder.keys = Keys::Secret(secret);
        }
        builder.session_url = text(SESSION_URL);
        builder
    }

    /// Changes the configuration: scopes, resources, paths.
    pub fn config(mut self, change: impl FnOnce(LogtoConfigBuilder) -> LogtoConfigBuilder) -> Self {
        self.config = self.config.map(change);
        self
    }

    /// Sets the key that seals cookies: at least 43 random characters, the same in all processes and after
    /// every restart. `openssl rand -base64 32` generates one.
    pub fn cookie_key(mut self, secret: impl Into<String>) -> Self {
        self.keys = Keys::Secret(secret.into());
        self
    }

    /// Sets the keys for cookies, including previous ones that still open older cookies.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Keys::Ring(Box::new(keys));
        self
    }

    /// Keeps sessions in the store at this URL: `redis://`, `rediss://`, `postgres://`, or `sqlite:` and a path,
    /// each with the feature of that name. The tables are created if they are missing.
    pub fn session_url(mut self, url: impl Into<String>) -> Self {
        self.session_url = Some(url.into());
        self
    }

    /// Keeps sessions, sealed, in a store of the application. Like every store, it needs a [cookie
    /// key](Self::cookie_key).
    pub fn store(mut self, store: impl KeyValueStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps sessions in a storage of the application, which also decides how they are written.
    pub fn storage(mut self, storage: impl SessionStorage + 'static) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Sets the context: HTTP client, clock, randomness, observer, timeouts. An
    /// [`HttpClient`](logto_client::http::HttpClient) alone is a context.
    pub fn context(mut self, context: impl Into<Context>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Changes how cookies are set.
    pub fn cookies(
        mut self,
        change: impl FnOnce(CookieOptions) -> CookieOptions + Send + 'static,
    ) -> Self {
        self.cookies = after(self.cookies, change);
        self
    }

    /// Changes the client: coordinator, shared ledger, observer.
    pub fn client(
        mut self,
        change: impl FnOnce(LogtoClientBuilder) -> LogtoClientBuilder + Send + 'static,
    ) -> Self {
        self.client = after(self.client, change);
        self
    }

    /// Changes the routes: paths, sign-in options, hooks, the error page.
    pub fn routes(
        mut self,
        change: impl FnOnce(LogtoAppBuilder) -> LogtoAppBuilder + Send + 'static,
    ) -> Self {
        self.routes = after(self.routes, change);
        self
    }

    /// Checks all settings, connects to the store if there is one, and builds the application. Awaiting the
    /// builder does the same. No request is sent to Logto before the first one of a browser.
    ///
    /// # Errors
    /// The first setting that cannot be used, or the store if it does not respond.
    pub async fn build(self) -> Result<LogtoApp, StartError> {
        let config = self.config?.build()?;
        let Some(base_url) = config.base_url() else {
            return Err(StartError::NoBaseUrl);
        };
        let cookies =
            CookieOptions::new(base_url, config.app_id()).other_hosts(config.other_hosts());
        let cookies = (self.cookies)(cookies).build()?;
        let is_given = !matches!(self.keys, Keys::Random);
        let keys = self.keys.open()?;
        let store = match (&self.storage, self.store, &self.session_url) {
            (None, Some(store), _) => Some(store),
            (None, None, Some(_)) if !is_given => return Err(StartError::NoCookieKey),
            (None, None, Some(url)) => Some(open_store(url).await?),
            _ => None,
        };
        let storage: Arc<dyn SessionStorage> = match (self.storage, store) {
            (Some(storage), _) => storage,
            (None, Some(_)) if !is_given => return Err(StartError::NoCookieKey),
            (None, Some(store)) => Arc::new(ExternalStorage::new(store, keys.clone(), &config)),
            (None, None) if is_given => {
                Arc::new(CookieStorage::new(keys.clone(), &config, &cookies))
            }
            (None, None) => Arc::new(MemoryStorage::new()),
        };
        let context = match self.context {
            Some(context) => context,
            None => default_context()?,
        };
        let client = (self.client)(LogtoClient::builder(config, context, storage)).build()?;
        let web = LogtoWeb::new(client, cookies, keys);
        Ok((self.routes)(LogtoApp::builder(web)).build())
    }
}

impl IntoFuture for LogtoBuilder {
    type Output = Result<LogtoApp, StartError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}

impl Keys {
    fn open(self) -> Result<KeyRing, StartError> {
        match self {
            Self::Ring(keys) => Ok(*keys),
            Self::Secret(secret) => Ok(KeyRing::new(SealKey::from_secret(&secret)?)),
            Self::Random => {
                let mut key = [0; 32];
                OsEntropy.fill(&mut key)?;
                Ok(KeyRing::new(SealKey::new(&key)))
            }
        }
    }
}

fn after<T: 'static>(first: Change<T>, then: impl FnOnce(T) -> T + Send + 'static) -> Change<T> {
    Box::new(move |value| then(first(value)))
}

fn default_context() -> Result<Context, StartError> {
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    return Ok(Context::new(logto_client::http::FetchClient));
    #[cfg(all(
        feature = "reqwest-0-13",
        not(all(target_family = "wasm", target_os = "unknown"))
    ))]
    return Ok(Context::new(logto_client::http::ReqwestClient::new()?));
    #[cfg(not(any(
        feature = "reqwest-0-13",
        all(target_family = "wasm", target_os = "unknown")
    )))]
    Err(StartError::NoHttpClient)
}

async fn open_store(url: &str) -> Result<Arc<dyn KeyValueStore>, StartError> {
    match url.split(':').next().unwrap_or_default() {
        #[cfg(feature = "redis")]
        "redis" | "rediss" => Ok(Arc::new(logto_storage::RedisStore::connect(url).await?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let store = logto_storage::PostgresStore::connect(url).await?;
            store.migrate().await?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let path = url.trim_start_matches("sqlite:");
            let path = path.strip_prefix("//").unwrap_or(path);
            let store = logto_storage::SqliteStore::open(path).await?;
            store.migrate().await?;
            Ok(Arc::new(store))
        }
        #[cfg(not(feature = "redis"))]
        "redis" | "rediss" => Err(StartError::StoreNotBuiltIn("redis")),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(StartError::StoreNotBuiltIn("postgres")),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(StartError::StoreNotBuiltIn("sqlite")),
        _ => Err(StartError::UnknownStore),
    }
}

/// Why an application cannot start. The message names the setting and says what to change, and `Debug` shows
/// the same, so that a `main` that returns it prints a readable line. It holds no secret and no URL.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no base URL, which a web application needs.
    #[error(
        "Logto configuration: base_url (environment variable {BASE_URL}) {}: it is the URL at which browsers find the application, such as http://localhost:3000",
        ConfigProblem::Missing
    )]
    NoBaseUrl,
    /// The cookie key is too weak.
    #[error("{COOKIE_KEY}: {0}")]
    WeakCookieKey(#[from] WeakSecret),
    /// A store needs a cookie key, which seals the sessions in it too.
    #[error(
        "sessions in a store are sealed: set {COOKIE_KEY} to the output of `openssl rand -base64 32`, the same in all processes"
    )]
    NoCookieKey,
    /// The cookies cannot be set like this.
    #[error(transparent)]
    Cookies(#[from] CookieConfigError),
    /// The session URL is none of the known ones.
    #[error("{SESSION_URL}: it has to begin with redis:, rediss:, postgres: or sqlite:")]
    UnknownStore,
    /// The program was built without the store of the session URL.
    #[error("{SESSION_URL}: this program was built without the feature `{0}` of the crate `logto`")]
    StoreNotBuiltIn(&'static str),
    /// The store does not respond, or cannot be used.
    #[error("{SESSION_URL}: {0}")]
    Store(#[from] StorageError),
    /// There is no HTTP client: enable `reqwest-0-13`, or give one.
    #[error(
        "no HTTP client: enable the feature `reqwest-0-13` of the crate `logto`, or give one with `context`"
    )]
    NoHttpClient,
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    HttpClient(#[from] TransportError),
    /// The context lacks something.
    #[error(transparent)]
    Context(#[from] BuildError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The Logto of [`demo_or_env`](crate::test::demo_or_env) cannot listen.
    #[cfg(feature = "test")]
    #[error("the embedded Logto cannot start: {0}")]
    EmbeddedLogto(String),
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for LogtoBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogtoBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5";

    fn lookup(
        settings: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&'static str) -> Option<&'static str> {
        move |name| {
            let mut settings = settings.iter();
            settings.find_map(|(known, value)| (*known == name).then_some(*value))
        }
    }

    async fn failure(settings: &'static [(&'static str, &'static str)]) -> String {
        let error = LogtoBuilder::from_lookup(lookup(settings))
            .await
            .unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string());
        error.to_string()
    }

    #[tokio::test]
    async fn an_error_names_the_variable_and_never_its_value() {
        for (settings, expected) in [
            (&[("LOGTO_APP_SECRET", "hush")][..], "LOGTO_ENDPOINT"),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                ],
                BASE_URL,
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    (BASE_URL, "https://app.example.com"),
                    ("LOGTO_OTHER_HOSTS", "app.example.de, https://hush.example"),
                ],
                "other_hosts (environment variable LOGTO_OTHER_HOSTS) contains a scheme",
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    (BASE_URL, "https://app.example.com"),
                    ("LOGTO_OTHER_HOSTS", "*.hush"),
                ],
                "*.preview.example.com for all names with one more label",
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    ("LOGTO_OTHER_HOSTS", "app.example.de"),
                ],
                "base_url",
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    (BASE_URL, "http://localhost:3000"),
                    (COOKIE_KEY, "hushed"),
                ],
                COOKIE_KEY,
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    (BASE_URL, "http://localhost:3000"),
                    (SESSION_URL, "redis://user:hush@cache"),
                ],
                COOKIE_KEY,
            ),
            (
                &[
                    ("LOGTO_ENDPOINT", "https://t.logto.app"),
                    ("LOGTO_APP_ID", "app"),
                    (BASE_URL, "http://localhost:3000"),
                    (COOKIE_KEY, KEY),
                    (SESSION_URL, "mysql://user:hush@cache"),
                ],
                SESSION_URL,
            ),
        ] {
            let error = failure(settings).await;
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}

//! Which Logto signs the users in: a real one, or one that lives in this process.

use std::{env, error::Error, net::Ipv4Addr};

use http::Uri;
use logto::{
    LogtoBuilder, LogtoConfig,
    client::{
        entropy::{Entropy as _, EntropyError, OsEntropy},
        seal::{KeyRing, SealKey},
    },
    core::{config::LogtoConfigBuilder, error::ConfigError, vocabulary::UserScope},
};
use logto_testkit::{App, Logto, Server, demo};
use tokio::net::TcpListener;

use crate::args::StorageKind;

/// Who can sign in at the embedded Logto.
pub const DEMO_USERS: &str = "alice or bob, password \"password\"";

const DEFAULT_PORT: u16 = 3000;
const APP_ID: &str = "quickstart";
const APP_SECRET: &str = "quickstart-secret";
const MACHINE_ID: &str = "quickstart-machine";
const MACHINE_SECRET: &str = "quickstart-machine-secret";
const DEVICE_ID: &str = "quickstart-device";

/// The Logto to sign in at, and the application that is registered there.
#[derive(Debug)]
pub struct Tenant {
    base_url: String,
    port: u16,
    machine: Option<LogtoConfig>,
    device: Option<LogtoConfig>,
    /// Answers until it is dropped.
    embedded: Option<Server>,
}

impl Tenant {
    /// The Logto of `LOGTO_ENDPOINT`, or an embedded one when nothing is said about a real one.
    ///
    /// # Errors
    /// What is wrong with which variable; no free port for the embedded one.
    pub async fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        if let Some(real) = Self::real_from_env()? {
            return Ok(real);
        }
        let (base_url, port) = address_from_env()?;
        let server = embedded(&base_url).listen(0).await?;
        Ok(Self {
            base_url,
            port,
            machine: Some(embedded_machine(server.logto())?),
            device: Some(embedded_device(server.logto())?),
            embedded: Some(server),
        })
    }

    /// The Logto of `LOGTO_ENDPOINT`; `None` when nothing is said about a real one.
    ///
    /// # Errors
    /// What is wrong with which variable.
    pub fn real_from_env() -> Result<Option<Self>, Box<dyn Error + Send + Sync>> {
        let is_real = ["LOGTO_ENDPOINT", "LOGTO_APP_ID"]
            .iter()
            .any(|name| env::var_os(name).is_some());
        if !is_real {
            return Ok(None);
        }
        let (base_url, port) = address_from_env()?;
        Ok(Some(Self {
            base_url,
            port,
            machine: machine_from_env()?,
            device: device_from_env()?,
            embedded: None,
        }))
    }

    /// The application. Without `LOGTO_COOKIE_KEY` its cookies are sealed with a new key, and all sessions end
    /// when the program does.
    ///
    /// # Errors
    /// When there is no random number for the key.
    pub fn logto(&self) -> Result<LogtoBuilder, EntropyError> {
        if let Some(server) = &self.embedded {
            return embedded_logto(server.logto(), &self.base_url);
        }
        let logto = logto::from_env().config(|config| config.base_url(&self.base_url));
        match env::var_os("LOGTO_COOKIE_KEY") {
            Some(_) => Ok(logto),
            None => Ok(logto.keys(random_keys()?)),
        }
    }

    /// The configuration of the machine-to-machine application, if there is one.
    pub fn machine(&self) -> Option<&LogtoConfig> {
        self.machine.as_ref()
    }

    /// The configuration of the device's application, if there is one.
    pub fn device(&self) -> Option<&LogtoConfig> {
        self.device.as_ref()
    }

    /// The Logto in this process, if it is that.
    pub fn embedded(&self) -> Option<&Logto> {
        self.embedded.as_ref().map(Server::logto)
    }

    /// Who can sign in, if that is known.
    pub fn demo_users(&self) -> Option<&'static str> {
        self.embedded.as_ref().map(|_| DEMO_USERS)
    }

    /// The port of the application, on this machine only.
    ///
    /// # Errors
    /// When it is taken.
    pub async fn bind(&self) -> Result<TcpListener, String> {
        let port = self.port;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| format!("port {port}: {error}; choose another with PORT"))
    }

    /// What to tell the person who started the program.
    pub fn greeting(&self, config: &LogtoConfig, storage: StorageKind) -> String {
        let open = config.base_url().map_or("/", url::Url::as_str);
        let who = match &self.embedded {
            Some(server) => {
                format!(
                    "Sign in as {DEMO_USERS}.\nAn embedded Logto answers at {}",
                    server.logto().endpoint()
                )
            }
            None => format!(
                "Signs in at {}; register there {} as redirect URI and {open} as post sign-out redirect URI",
                config.endpoint(),
                config.redirect_uri().map_or("", url::Url::as_str),
            ),
        };
        format!("\n  Open {open}\n\n{who}; sessions live in {storage} storage. Ctrl-C ends.")
    }
}

/// A tenant with alice, bob, two organizations and a shopping API, whose application lives at
/// `base_url`.
pub(crate) fn embedded(base_url: &str) -> logto_testkit::LogtoBuilder {
    let root = base_url.trim_end_matches('/');
    Logto::demo()
        .app(
            App::traditional(APP_ID, APP_SECRET)
                .redirect_uri(format!("{root}/callback"))
                .post_logout_redirect_uri(format!("{root}/"))
                .backchannel_logout_uri(format!("{root}/back-channel-logout"))
                .allow_token_exchange(),
        )
        .app(App::machine_to_machine(MACHINE_ID, MACHINE_SECRET).role("shopper"))
        .app(App::native(DEVICE_ID).device_flow())
}

/// The application at the embedded tenant.
pub(crate) fn embedded_logto(logto: &Logto, base_url: &str) -> Result<LogtoBuilder, EntropyError> {
    let builder = logto::builder(logto.endpoint(), APP_ID);
    Ok(builder
        .config(|_| embedded_config(logto, base_url))
        .keys(random_keys()?))
}

/// The configuration of the application at the embedded tenant.
pub(crate) fn embedded_config(logto: &Logto, base_url: &str) -> LogtoConfigBuilder {
    LogtoConfig::builder(logto.endpoint(), APP_ID)
        .app_secret(APP_SECRET)
        .base_url(base_url)
        .scopes([UserScope::Email, UserScope::Roles])
        .scopes([UserScope::Organizations, UserScope::OrganizationRoles])
        .scopes([
            "read:products",
            "write:products",
            "read:shipments",
            "write:shipments",
        ])
        .resource(demo::SHOPPING_API)
}

/// The configuration of the machine-to-machine application at the embedded tenant.
pub(crate) fn embedded_machine(logto: &Logto) -> Result<LogtoConfig, ConfigError> {
    LogtoConfig::builder(logto.endpoint(), MACHINE_ID)
        .app_secret(MACHINE_SECRET)
        .include_reserved_scopes(false)
        .scopes(["read:products", "write:products"])
        .build()
}

/// The configuration of the device's application at the embedded tenant.
pub(crate) fn embedded_device(logto: &Logto) -> Result<LogtoConfig, ConfigError> {
    LogtoConfig::builder(logto.endpoint(), DEVICE_ID).build()
}

/// The machine-to-machine application of `LOGTO_M2M_APP_ID`. It asks for the scopes of
/// `LOGTO_SCOPES`.
fn machine_from_env() -> Result<Option<LogtoConfig>, ConfigError> {
    if env::var_os("LOGTO_M2M_APP_ID").is_none() {
        return Ok(None);
    }
    let variables = |name| match name {
        "LOGTO_APP_ID" => env::var_os("LOGTO_M2M_APP_ID"),
        "LOGTO_APP_SECRET" => env::var_os("LOGTO_M2M_APP_SECRET"),
        "LOGTO_ENDPOINT" | "LOGTO_SCOPES" => env::var_os(name),
        _ => None,
    };
    LogtoConfigBuilder::from_lookup(variables)?
        .include_reserved_scopes(false)
        .build()
        .map(Some)
}

/// The native application of `LOGTO_DEVICE_APP_ID`.
fn device_from_env() -> Result<Option<LogtoConfig>, ConfigError> {
    if env::var_os("LOGTO_DEVICE_APP_ID").is_none() {
        return Ok(None);
    }
    let variables = |name| match name {
        "LOGTO_APP_ID" => env::var_os("LOGTO_DEVICE_APP_ID"),
        "LOGTO_ENDPOINT" => env::var_os(name),
        _ => None,
    };
    LogtoConfigBuilder::from_lookup(variables)?
        .build()
        .map(Some)
}

/// Where browsers find the application, and the port that it takes.
fn address_from_env() -> Result<(String, u16), String> {
    let port = match env::var_os("PORT") {
        None => None,
        Some(port) => Some(parse_port(&port.to_string_lossy())?),
    };
    let base_url = env::var("LOGTO_BASE_URL")
        .unwrap_or_else(|_| format!("http://localhost:{}", port.unwrap_or(DEFAULT_PORT)));
    let port = port
        .or_else(|| local_port(&base_url))
        .unwrap_or(DEFAULT_PORT);
    Ok((base_url, port))
}

/// Keys that nobody else has and that are gone with the process.
fn random_keys() -> Result<KeyRing, EntropyError> {
    let mut key = [0; 32];
    OsEntropy.fill(&mut key)?;
    Ok(KeyRing::new(SealKey::new(&key)))
}

fn parse_port(port: &str) -> Result<u16, String> {
    port.parse()
        .map_err(|_| format!("PORT is {port:?}, which is no port"))
}

/// The port in a base URL on this machine: behind a proxy it is the proxy's.
fn local_port(base_url: &str) -> Option<u16> {
    let uri: Uri = base_url.parse().ok()?;
    let is_local = uri.scheme_str() == Some("http");
    is_local.then(|| uri.port_u16()).flatten()
}

//! The real OpenID engine: `oidc-provider` for Node.js, configured like Logto, as a child process.

use std::{collections::BTreeMap, path::Path, process::Stdio, sync::Once};

use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use url::Url;

use crate::browser::{Browser, VisitOutcome};

/// A confidential client, like Logto's traditional web application.
pub const TRADITIONAL: &str = "traditional";
/// A public client in the browser, like Logto's single-page application.
pub const SPA: &str = "spa";
/// A machine-to-machine client.
pub const M2M: &str = "m2m";
/// A machine-to-machine client that sends [`SECRET`] in the body.
pub const SECRET_POST: &str = "client-secret-post";
/// A machine-to-machine client that signs assertions with [`LONG_SECRET`].
pub const SECRET_JWT: &str = "client-secret-jwt";
/// A machine-to-machine client that signs assertions with [`Engine::client_key`].
pub const PRIVATE_KEY_JWT: &str = "private-key-jwt";
/// The secret of [`SECRET_JWT`].
pub const LONG_SECRET: &str = "a secret of at least thirty-two bytes";
/// A public client for the device flow.
pub const DEVICE: &str = "device";
/// The secret of the confidential clients. In HTTP Basic authentication it has to be form-encoded
/// (RFC 6749 section 2.3.1).
pub const SECRET: &str = "s3cr3t+/ :%";
/// An API resource with the scopes `read:products` and `write:products`.
pub const SHOPPING: &str = "https://shopping.your-app.com/api";
/// The redirect URI that is registered unless the options name others.
pub const REDIRECT_URI: &str = "http://127.0.0.1:4000/callback";
/// The post sign-out redirect URI that is registered unless the options name others.
pub const POST_LOGOUT_REDIRECT_URI: &str = "http://127.0.0.1:4000/";

/// The Node.js that the engine needs, which may be newer than the machine's.
const NODE: &str = "node_modules/node/bin/node";

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/engine");

/// How an engine differs from Logto's defaults.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineOptions {
    /// The redirect URIs of the browser clients; [`REDIRECT_URI`] when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<Url>,
    /// The post sign-out redirect URIs of the browser clients; [`POST_LOGOUT_REDIRECT_URI`] when there
    /// are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<Url>,
    /// Where [`TRADITIONAL`] wants logout tokens; its ID tokens carry `sid` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<Url>,
    /// Shows a page to sign in on, for tests with a real browser.
    pub sign_in_page: bool,
    /// Lifetimes other than Logto's.
    pub ttl: Lifetimes,
    /// API resources by indicator, besides those in `options.mjs`.
    pub resources: BTreeMap<String, Resource>,
}

/// Lifetimes in seconds; `None` is Logto's own.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifetimes {
    /// Opaque access tokens, and those of resources that do not say otherwise: 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<u32>,
    /// ID tokens: 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<u32>,
    /// Refresh tokens: 14 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<u32>,
    /// Authorization codes: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<u32>,
    /// Device codes: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_code: Option<u32>,
    /// Grants, after which every refresh fails: 180 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<u32>,
}

/// An API resource.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its permissions, separated by spaces.
    pub scope: String,
    /// The lifetime of its access tokens in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_ttl: Option<u32>,
}

/// A running engine. It ends when this is dropped.
#[derive(Debug)]
pub struct Engine {
    issuer: Url,
    http: reqwest::Client,
    // Held: the process ends with its standard input, and must not find its output closed.
    _process: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Engine {
    /// Starts an engine on a free loopback port.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or not be fetched with npm the first time.
    pub async fn start(options: EngineOptions) -> Self {
        let mut process = spawn(&options);
        let stdout = process.stdout.take().expect("the engine's output is piped");
        let mut output = BufReader::new(stdout).lines();
        let issuer = loop {
            let line = output
                .next_line()
                .await
                .expect("the engine's output is text");
            let line = line.expect("the engine says that it is ready; see its error output");
            if let Ok(Ready { issuer }) = serde_json::from_str(&line) {
                break issuer;
            }
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a plain HTTP client can be built");
        Self {
            issuer,
            http,
            _process: process,
            _output: output,
        }
    }

    /// The issuer, as discovery and tokens name it: `http://127.0.0.1:<port>/oidc`.
    pub fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// What an application is configured with as Logto's endpoint: the issuer without `/oidc`.
    pub fn endpoint(&self) -> Url {
        self.issuer.join("/").expect("the issuer is a base URL")
    }

    /// A fresh browser for this engine.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.issuer)
    }

    /// Opens an authorization URL in a fresh browser, signs in, consents, and answers the callback URL
    /// that the browser was redirected to.
    ///
    /// # Panics
    ///
    /// When the engine does not redirect to the application.
    pub async fn sign_in(&self, authorization_url: Url) -> Url {
        match self.browser().open(authorization_url).await {
            VisitOutcome::Redirect(callback) => callback,
            outcome => panic!("sign-in did not end in a redirect: {outcome:?}"),
        }
    }

    /// What was asked of the engine since it started or since [`Engine::forget_requests`].
    pub async fn requests(&self) -> Requests {
        Requests(self.control(Method::GET, "requests").await)
    }

    /// Starts counting anew.
    pub async fn forget_requests(&self) {
        let _: serde_json::Value = self.control(Method::DELETE, "requests").await;
    }

    /// Every refresh token that the engine knows, spent ones included.
    pub async fn refresh_tokens(&self) -> Vec<RefreshTokenState> {
        self.control(Method::GET, "refresh-tokens").await
    }

    /// The grants that are alive: one per sign-in that was not revoked.
    pub async fn grants(&self) -> Vec<GrantState> {
        self.control(Method::GET, "grants").await
    }

    /// The private key of [`PRIVATE_KEY_JWT`], for ES256, in PEM.
    pub async fn client_key(&self) -> String {
        self.control(Method::GET, "client-key").await
    }

    /// Makes a new key sign at once. The key before it stays published, older ones are gone.
    pub async fn rotate_keys(&self, key_type: KeyType) {
        let path = match key_type {
            KeyType::Ec => "rotate-keys?type=EC",
            KeyType::Rsa => "rotate-keys?type=RSA",
        };
        let _: serde_json::Value = self.control(Method::POST, path).await;
    }

    async fn control<T: DeserializeOwned>(&self, method: Method, path: &str) -> T {
        let url = self.issuer.join("/test/").and_then(|base| base.join(path));
        let url = url.expect("the path of a control request is valid");
        let response = self.http.request(method, url).send().await;
        let response = response.and_then(reqwest::Response::error_for_status);
        let body = response.expect("the engine answers").bytes().await;
        serde_json::from_slice(&body.expect("the answer is complete")).expect("the answer is JSON")
    }
}

/// The type of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// P-384, signs with ES384: Logto's default.
    Ec,
    /// Signs with RS256.
    Rsa,
}

/// What was asked of an engine.
#[derive(Clone, Debug)]
pub struct Requests(pub Vec<RequestRecord>);

impl Requests {
    /// How many requests an endpoint saw, whatever it answered. Names are those of oidc-provider's routes:
    /// `discovery`, `jwks`, `authorization`, `token`, `userinfo`, `revocation`, `introspection`,
    /// `pushed_authorization_request`, `device_authorization`, `end_session`.
    pub fn to(&self, endpoint: &str) -> usize {
        self.0
            .iter()
            .filter(|request| request.endpoint == endpoint)
            .count()
    }

    /// How many token requests had this `grant_type`.
    pub fn grants(&self, grant_type: &str) -> usize {
        self.0
            .iter()
            .filter(|request| request.grant_type.as_deref() == Some(grant_type))
            .count()
    }
}

/// One request that an engine saw.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// The name of the route.
    pub endpoint: String,
    /// The grant type of a token request.
    pub grant_type: Option<String>,
    /// The client that authenticated, if one did.
    pub client_id: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// A refresh token as an engine has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshTokenState {
    /// The token itself.
    pub id: String,
    /// SessionOwner it is.
    pub client_id: String,
    /// The user it stands for.
    pub account_id: String,
    /// The sign-in it belongs to.
    pub grant_id: String,
    /// Spent, and past the three seconds in which it still works.
    pub consumed: bool,
}

/// A grant as an engine has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantState {
    /// The grant's identifier.
    pub id: String,
    /// The client it was given to.
    pub client_id: String,
    /// The user who gave it.
    pub account_id: String,
}

#[derive(Deserialize)]
struct Ready {
    issuer: Url,
}

/// Fetches the engine and its Node.js with npm, unless they are there.
fn install() {
    let directory = Path::new(DIRECTORY);
    if directory.join(NODE).exists() && directory.join("node_modules/oidc-provider").exists() {
        return;
    }
    let npm = std::process::Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(directory)
        .status()
        .unwrap_or_else(|error| panic!("the OpenID engine of the tests needs npm: {error}"));
    assert!(npm.success(), "`npm ci` in tests/engine failed: {npm}");
}

fn spawn(options: &EngineOptions) -> Child {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(install);
    Command::new(Path::new(DIRECTORY).join(NODE))
        .arg("main.mjs")
        .arg(serde_json::to_string(options).expect("the options are JSON"))
        .current_dir(DIRECTORY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("node in tests/engine does not start ({error}): run `npm ci` there")
        })
}

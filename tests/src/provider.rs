//! Two providers behind one face: the test kit and the real engine. A scenario runs against either and
//! must come out the same.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use logto_client::{
    Context, LogtoClient, LogtoConfig,
    clock::{Clock, SystemClock},
    core::{client_assertion::AwsLcSigner, jwt::Algorithm, sign_in::DeviceAuthorization},
    http::ReqwestClient,
    storage::SessionStorage,
};
use logto_testkit::{App, KeyType, Logto, Resource, Role, Server, TestClock, User};
use url::Url;

use crate::{
    browser::{Browser, VisitOutcome},
    engine::{
        self, DEVICE, Engine, EngineOptions, LONG_SECRET, Lifetimes, M2M, PRIVATE_KEY_JWT,
        SECRET_JWT, SECRET_POST, SHOPPING, SPA, TRADITIONAL,
    },
    world::WorldClock,
};

/// How long a refresh token lives here, so that a rotation can be waited for.
pub const REFRESH_TOKEN_TTL: Duration = Duration::from_secs(10);
/// After this long a confidential client's refresh token rotates: 70 % of its life, and a second.
pub const PAST_ROTATION: Duration = Duration::from_secs(8);

/// Runs scenarios against both providers: each is a function of this name in the module that says
/// `rows!`, takes a [`Provider`] and gives the words that are expected.
#[macro_export]
macro_rules! rows {
    ($($name:ident => $expected:expr;)+) => {
        mod kit {
            $(#[tokio::test]
            async fn $name() {
                let provider = $crate::provider::Provider::kit().await;
                assert_eq!(super::$name(&provider).await, $expected);
            })+
        }

        mod engine {
            $(#[tokio::test]
            async fn $name() {
                let provider = $crate::provider::Provider::engine().await;
                assert_eq!(super::$name(&provider).await, $expected);
            })+
        }
    };
}

const ROOT: &str = "http://127.0.0.1:4000/";

/// A provider with one user, two applications and an API resource.
#[derive(Debug)]
pub enum Provider {
    /// The test kit on a loopback port, with the private key of [`PRIVATE_KEY_JWT`]. Time is moved, not
    /// waited for.
    Kit(Box<Server>, TestClock, Vec<u8>),
    /// The real engine. Time passes.
    Engine(Box<Engine>),
}

impl Provider {
    /// The test kit.
    pub async fn kit() -> Self {
        let clock = TestClock::new();
        let application = |app: App| {
            app.redirect_uri(engine::REDIRECT_URI)
                .post_logout_redirect_uri(ROOT)
                .refresh_token_ttl(REFRESH_TOKEN_TTL)
        };
        let scopes = ["read:products", "write:products"];
        let (client_key, public_key) = client_key();
        let machine = |id: &str, secret: &str| App::machine_to_machine(id, secret).role("shopper");
        let server = Logto::builder()
            .clock(clock.clone())
            .resource(Resource::new(SHOPPING).scopes(scopes))
            .role(Role::new("shopper").permissions(SHOPPING, scopes))
            .user(
                User::new("alice")
                    .role("shopper")
                    .email("alice@example.com"),
            )
            .app(application(App::traditional(TRADITIONAL, engine::SECRET)))
            .app(application(App::spa(SPA)))
            .app(machine(M2M, engine::SECRET))
            .app(machine(SECRET_POST, engine::SECRET))
            .app(machine(SECRET_JWT, LONG_SECRET).client_secret_jwt())
            .app(machine(PRIVATE_KEY_JWT, LONG_SECRET).private_key_jwt(public_key))
            .app(App::native(DEVICE).device_flow())
            .listen(0)
            .await
            .expect("the kit listens");
        Self::Kit(Box::new(server), clock, client_key)
    }

    /// The real engine.
    pub async fn engine() -> Self {
        let ttl = Lifetimes {
            refresh_token: u32::try_from(REFRESH_TOKEN_TTL.as_secs()).ok(),
            ..Lifetimes::default()
        };
        let root = Url::parse(ROOT).expect("a literal");
        let options = EngineOptions {
            ttl,
            post_logout_redirect_uris: vec![root],
            ..EngineOptions::default()
        };
        Self::Engine(Box::new(Engine::start(options).await))
    }

    /// The configuration of the confidential application.
    pub fn traditional(&self) -> LogtoConfig {
        self.config(TRADITIONAL, Some(engine::SECRET))
    }

    /// The configuration of the public application.
    pub fn spa(&self) -> LogtoConfig {
        self.config(SPA, None)
    }

    /// The configuration of an application.
    pub fn config(&self, app_id: &str, secret: Option<&str>) -> LogtoConfig {
        let endpoint = match self {
            Self::Kit(server, ..) => server.logto().endpoint().to_owned(),
            Self::Engine(engine) => engine.endpoint().to_string(),
        };
        let mut builder = LogtoConfig::builder(endpoint, app_id)
            .base_url(ROOT)
            .scopes(["email", "read:products", "write:products"])
            .resource(SHOPPING);
        if let Some(secret) = secret {
            builder = builder.app_secret(secret);
        }
        builder.build().expect("the configuration is well-formed")
    }

    /// The private key of [`PRIVATE_KEY_JWT`], for ES256.
    pub async fn client_key(&self) -> AwsLcSigner {
        match self {
            Self::Kit(_, _, key) => AwsLcSigner::from_pkcs8_der(key, Algorithm::Es256),
            Self::Engine(engine) => {
                AwsLcSigner::from_pkcs8_pem(&engine.client_key().await, Algorithm::Es256)
            }
        }
        .expect("the key is one on P-256")
    }

    /// A client with real HTTP.
    pub fn client(
        &self,
        config: LogtoConfig,
        storage: impl SessionStorage + 'static,
    ) -> LogtoClient {
        let http = ReqwestClient::new().expect("TLS can be set up");
        let builder = LogtoClient::builder(config, http, storage);
        let builder = match self {
            Self::Kit(_, clock, _) => builder.clock(WorldClock(clock.clone())),
            Self::Engine(_) => builder.clock(SystemClock::default()),
        };
        builder.build().expect("the client is complete")
    }

    /// The provider's time.
    pub fn now(&self) -> logto_client::UnixTime {
        match self {
            Self::Kit(_, clock, _) => WorldClock(clock.clone()).now(),
            Self::Engine(_) => SystemClock::default().now(),
        }
    }

    /// Lets the user sign in and consent: the URL that the browser is sent back to.
    pub async fn sign_in(&self, authorization_url: &Url) -> Url {
        match self {
            Self::Kit(server, ..) => server
                .logto()
                .sign_in(authorization_url, "alice")
                .expect("the user consents"),
            Self::Engine(engine) => engine.sign_in(authorization_url.clone()).await,
        }
    }

    /// Lets the user approve the device.
    pub async fn approve(&self, device: &DeviceAuthorization) {
        match self {
            Self::Kit(server, ..) => {
                assert!(server.logto().approve_device(&device.user_code, "alice"));
            }
            Self::Engine(engine) => {
                let page = device.verification_uri_complete.clone();
                let page = engine
                    .browser()
                    .open(page.expect("the engine gives one"))
                    .await;
                assert!(
                    matches!(page, VisitOutcome::Page { status: 200, .. }),
                    "{page:?}"
                );
            }
        }
    }

    /// HTTP and time, for clients that have no sessions.
    pub fn context(&self) -> Context {
        let context = Context::new(ReqwestClient::new().expect("TLS can be set up"));
        match self {
            Self::Kit(_, clock, _) => context.clock(WorldClock(clock.clone())),
            Self::Engine(_) => context,
        }
    }

    /// Opens a URL in a browser that was never here: where does it lead?
    pub async fn open(&self, url: &Url) -> Option<Url> {
        match Browser::new(&self.issuer()).open(url.clone()).await {
            VisitOutcome::Redirect(url) => Some(url),
            _ => None,
        }
    }

    fn issuer(&self) -> Url {
        match self {
            Self::Kit(server, ..) => {
                Url::parse(server.logto().issuer()).expect("an issuer is a URL")
            }
            Self::Engine(engine) => engine.issuer().clone(),
        }
    }

    /// Lets time pass.
    pub async fn wait(&self, duration: Duration) {
        match self {
            Self::Kit(_, clock, _) => clock.advance(duration),
            Self::Engine(_) => tokio::time::sleep(duration).await,
        }
    }

    /// How many requests the token endpoint has seen.
    pub async fn token_calls(&self) -> usize {
        match self {
            Self::Kit(server, ..) => server.logto().count(logto_testkit::Endpoint::Token),
            Self::Engine(engine) => engine.requests().await.to("token"),
        }
    }

    /// Replaces the signing key by one of RSA.
    pub async fn rotate_to_rsa(&self) {
        match self {
            Self::Kit(server, ..) => {
                server
                    .logto()
                    .rotate_keys(KeyType::Rsa)
                    .expect("a key is made");
            }
            Self::Engine(engine) => engine.rotate_keys(engine::KeyType::Rsa).await,
        }
    }
}

/// A private key on P-256 in PKCS#8 and DER, and the JWK of its public half.
pub fn client_key() -> (Vec<u8>, serde_json::Value) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key is made");
    let der = key.to_pkcs8v1().expect("a new key can be written down");
    let point = key.public_key().as_ref();
    let (x, y) = point.split_at(1).1.split_at(32);
    let [x, y] = [x, y].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    (der.as_ref().to_vec(), jwk)
}

/// What a row tells in one piece: the words with spaces between them.
pub fn words<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    words
        .into_iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

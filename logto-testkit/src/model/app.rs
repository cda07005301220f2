use std::{fmt, time::Duration};

use serde_json::Value;

use super::{
    third_party::UserConsentScopes,
    vocabulary::{DEVICE_CODE, TOKEN_EXCHANGE},
};
use crate::clock::Moment;

const DAY: Duration = Duration::from_secs(86_400);

/// The type of an application: decides how it authenticates and how its refresh tokens rotate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AppKind {
    Traditional,
    SinglePage,
    Native,
    MachineToMachine,
}

/// The registered method; no other is accepted, but that a secret may come in the header or in the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AppAuthentication {
    None,
    Secret,
    SecretJwt,
    PrivateKeyJwt,
}

#[derive(Clone)]
pub(crate) struct AppSecret {
    pub(crate) value: String,
    pub(crate) ends_at: Option<Moment>,
}

impl AppSecret {
    pub(crate) fn new(value: String) -> Self {
        Self {
            value,
            ends_at: None,
        }
    }
}

/// An application of the tenant.
///
/// ```
/// use std::time::Duration;
/// use logto_testkit::App;
///
/// let web = App::traditional("my-app", "my-secret")
///     .redirect_uri("http://localhost:3000/callback")
///     .post_logout_redirect_uri("http://localhost:3000/")
///     .refresh_token_ttl(Duration::from_secs(100));
/// ```
#[derive(Clone)]
pub struct App {
    pub(crate) id: String,
    pub(crate) kind: AppKind,
    pub(crate) authentication: AppAuthentication,
    pub(crate) secrets: Vec<AppSecret>,
    /// JWKs, for `private_key_jwt`.
    pub(crate) public_keys: Vec<Value>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    pub(crate) refresh_token_ttl: Duration,
    pub(crate) id_token_ttl: Duration,
    pub(crate) rotate_refresh_token: bool,
    pub(crate) always_issue_refresh_token: bool,
    pub(crate) backchannel_logout: Option<BackchannelLogout>,
    pub(crate) roles: Vec<String>,
    pub(crate) token_exchange: bool,
    pub(crate) device_flow: bool,
    pub(crate) third_party: Option<UserConsentScopes>,
}

#[derive(Clone, Debug)]
pub(crate) struct BackchannelLogout {
    pub(crate) uri: String,
    pub(crate) session_required: bool,
}

impl App {
    /// A web application with a server, which keeps a secret.
    pub fn traditional(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, AppKind::Traditional, Some(secret.into()))
    }

    /// A single-page application: no secret, PKCE required, a new refresh token at every refresh.
    pub fn spa(id: impl Into<String>) -> Self {
        Self::new(id, AppKind::SinglePage, None)
    }

    /// A native application: as [`App::spa`], and the port of a loopback redirect URI is free.
    pub fn native(id: impl Into<String>) -> Self {
        Self::new(id, AppKind::Native, None)
    }

    /// A service that acts for itself, with the client credentials grant.
    pub fn machine_to_machine(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, AppKind::MachineToMachine, Some(secret.into()))
    }

    /// Registers a redirect URI; an authorization request must name one of them, character by character.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Registers a post sign-out redirect URI.
    #[must_use]
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// How long a refresh token lives. Default: 14 days.
    #[must_use]
    pub fn refresh_token_ttl(mut self, ttl: Duration) -> Self {
        self.refresh_token_ttl = ttl;
        self
    }

    /// How long an ID token lives. Default: 3600 seconds.
    #[must_use]
    pub fn id_token_ttl(mut self, ttl: Duration) -> Self {
        self.id_token_ttl = ttl;
        self
    }

    /// Whether refresh tokens rotate. Default: `true`. An application with a secret gets a new one when 70 %
    /// of the lifetime has passed; one without gets a new one at every refresh.
    #[must_use]
    pub fn rotate_refresh_token(mut self, rotate: bool) -> Self {
        self.rotate_refresh_token = rotate;
        self
    }

    /// Whether a refresh token is issued without the scope `offline_access` too. Such a token ends with the
    /// user's session at Logto. Native applications ignore it.
    #[must_use]
    pub fn always_issue_refresh_token(mut self, always: bool) -> Self {
        self.always_issue_refresh_token = always;
        self
    }

    /// Where a logout token is sent when the user's session at Logto ends; `sid` is then part of ID tokens
    /// and of logout tokens.
    #[must_use]
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout = Some(BackchannelLogout {
            uri: uri.into(),
            session_required: true,
        });
        self
    }

    /// The same as [`App::backchannel_logout_uri`] with "session required" switched off: no token has a
    /// `sid`.
    #[must_use]
    pub fn backchannel_logout_uri_without_sid(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout = Some(BackchannelLogout {
            uri: uri.into(),
            session_required: false,
        });
        self
    }

    /// Gives a machine-to-machine application a role of the tenant.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }

    /// Allows the token exchange grant (RFC 8693). Default: not allowed.
    #[must_use]
    pub fn allow_token_exchange(mut self) -> Self {
        self.token_exchange = true;
        self
    }

    /// Makes a native application one for devices without a browser (RFC 8628).
    #[must_use]
    pub fn device_flow(mut self) -> Self {
        self.device_flow = true;
        self
    }

    /// Makes it a third-party application: a consent page asks the user, for these scopes at most.
    #[must_use]
    pub fn third_party(mut self, scopes: UserConsentScopes) -> Self {
        self.third_party = Some(scopes);
        self
    }

    /// The client ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Logto lets an application go without PKCE when it sends a secret.
    pub(crate) fn needs_pkce(&self) -> bool {
        self.authentication != AppAuthentication::Secret
    }

    /// The `sid` goes into its ID tokens and logout tokens.
    pub(crate) fn includes_sid(&self) -> bool {
        self.backchannel_logout
            .as_ref()
            .is_some_and(|logout| logout.session_required)
    }

    pub(crate) fn allows_grant(&self, grant_type: &str) -> bool {
        match grant_type {
            "client_credentials" => self.kind == AppKind::MachineToMachine,
            "authorization_code" => self.kind != AppKind::MachineToMachine && !self.device_flow,
            "refresh_token" => self.kind != AppKind::MachineToMachine,
            DEVICE_CODE => self.device_flow,
            TOKEN_EXCHANGE => self.token_exchange,
            _ => false,
        }
    }

    fn new(id: impl Into<String>, kind: AppKind, secret: Option<String>) -> Self {
        let authentication = match secret {
            Some(_) => AppAuthentication::Secret,
            None => AppAuthentication::None,
        };
        Self {
            id: id.into(),
            kind,
            authentication,
            secrets: secret.into_iter().map(AppSecret::new).collect(),
            public_keys: Vec::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            refresh_token_ttl: 14 * DAY,
            id_token_ttl: Duration::from_secs(3600),
            rotate_refresh_token: true,
            always_issue_refresh_token: false,
            backchannel_logout: None,
            roles: Vec::new(),
            token_exchange: false,
            device_flow: false,
            third_party: None,
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("redirect_uris", &self.redirect_uris)
            .finish_non_exhaustive()
    }
}

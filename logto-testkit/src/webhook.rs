//! Webhooks: the requests by which Logto tells an application what happened.

use std::fmt;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{
    Method, Request,
    header::{CONTENT_TYPE, USER_AGENT},
};
use serde_json::{Map, Value};

use crate::{
    json::Members,
    logto::Logto,
    model::{App, AppKind, User},
};

const SIGNATURE: &str = "logto-signature-sha-256";
/// The user agent and the IP address of every user of this provider.
const BROWSER: &str = "logto-testkit";
const ADDRESS: &str = "127.0.0.1";

/// A webhook as set up in the Console ([Logto's documentation](https://docs.logto.io/developers/webhooks)).
#[derive(Clone)]
pub struct Webhook {
    id: String,
    endpoint: String,
    signing_key: String,
}

/// An interaction of users at Logto's pages, and the name of its event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Interaction {
    /// `PostSignIn`.
    SignIn,
    /// `PostRegister`.
    Register,
    /// `PostResetPassword`.
    ForgotPassword,
}

impl Webhook {
    /// A webhook that sends to `endpoint`, a URL, and signs with `signing_key`. Its default id is
    /// `test-hook`; see [`Webhook::id`].
    pub fn new(endpoint: impl Into<String>, signing_key: impl Into<String>) -> Self {
        Self {
            id: "test-hook".to_owned(),
            endpoint: endpoint.into(),
            signing_key: signing_key.into(),
        }
    }

    /// The `hookId` of its deliveries.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    fn delivery(&self, payload: Members) -> Result<Request<Bytes>, http::Error> {
        let body = payload.with("hookId", self.id.as_str()).to_json();
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.signing_key.as_bytes());
        let signature = hmac::sign(&key, body.as_bytes());
        let digits = signature.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header(USER_AGENT, "Logto (https://logto.io/)")
            .header(SIGNATURE, digits.collect::<String>())
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Interaction {
    /// The names of the interaction and of the event.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SignIn => ("SignIn", "PostSignIn"),
            Self::Register => ("Register", "PostRegister"),
            Self::ForgotPassword => ("ForgotPassword", "PostResetPassword"),
        }
    }
}

impl Logto {
    /// The delivery that Logto sends when a user completes an interaction: signed, with the current state of
    /// the user and the application. Either is left out if it does not exist. Nothing is sent: pass the
    /// request to the application.
    ///
    /// ```
    /// use logto_testkit::{Interaction, Logto, Webhook};
    ///
    /// let logto = Logto::demo().build()?;
    /// let webhook = Webhook::new("https://app.example.com/webhooks", "the signing key");
    /// let delivery = logto.interaction_webhook(&webhook, Interaction::SignIn, "alice", "my-app")?;
    /// assert!(delivery.headers().contains_key("logto-signature-sha-256"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the webhook's endpoint is not a URI.
    pub fn interaction_webhook(
        &self,
        webhook: &Webhook,
        interaction: Interaction,
        username: &str,
        client_id: &str,
    ) -> Result<Request<Bytes>, http::Error> {
        let (interaction, event) = interaction.names();
        let payload = self.with(|cx| {
            let tenant = &cx.state.tenant;
            let user = tenant.user_by_identifier(username);
            let app = tenant.apps.get(client_id);
            Members::new()
                .with("event", event)
                .with("interactionEvent", interaction)
                .with("createdAt", cx.now.to_iso())
                .with("sessionId", cx.state.random.token())
                .with("userAgent", BROWSER)
                .with_some("userId", user.map(|user| user.id.as_str()))
                .with("userIp", ADDRESS)
                .with_some("user", user.map(user_entity))
                .with_some("application", app.map(application))
        });
        webhook.delivery(payload)
    }

    /// The delivery that Logto sends when data has changed: `event` is a name such as `User.Data.Updated`,
    /// `details` is an object with what Logto says of the change: `data`, and where the Management API made
    /// it `path`, `method`, `status`, `params` and `matchedRoute`; other members are left out. Signed;
    /// nothing is sent.
    ///
    /// ```
    /// # use logto_testkit::{Logto, Webhook};
    /// # use serde_json::json;
    /// # let logto = Logto::demo().build()?;
    /// # let webhook = Webhook::new("https://app.example.com/webhooks", "the signing key");
    /// let details = json!({ "data": logto.user_entity("alice") });
    /// let delivery = logto.data_webhook(&webhook, "User.Created", details)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the webhook's endpoint is not a URI.
    pub fn data_webhook(
        &self,
        webhook: &Webhook,
        event: &str,
        details: Value,
    ) -> Result<Request<Bytes>, http::Error> {
        let mut payload = Members::new()
            .with("event", event)
            .with("createdAt", self.with(|cx| cx.now.to_iso()))
            .with("userAgent", BROWSER)
            .with("ip", ADDRESS);
        let mut details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        for name in ["path", "method", "status", "params", "matchedRoute", "data"] {
            if let Some(value) = details.remove(name) {
                payload.push(name, value);
            }
        }
        webhook.delivery(payload)
    }

    /// A user as webhooks and the Management API show them. `None` when there is no such user.
    pub fn user_entity(&self, username: &str) -> Option<Value> {
        let state = self.state();
        let user = state.tenant.user_by_identifier(username)?;
        serde_json::to_value(user_entity(user)).ok()
    }
}

fn user_entity(user: &User) -> Members {
    Members::new()
        .with("id", user.id.as_str())
        .with("username", user.username.as_str())
        .with("primaryEmail", user.email.clone())
        .with("primaryPhone", user.phone.clone())
        .with("name", user.name.clone())
        .with("avatar", user.picture.clone())
        .with("customData", user.custom_data.clone())
        .with("identities", Value::Object(Map::new()))
        .with("lastSignInAt", user.last_sign_in_at)
        .with("createdAt", user.created_at)
        .with("updatedAt", user.updated_at)
        .with("profile", profile(user))
        .with("applicationId", Value::Null)
        .with("isSuspended", user.suspended)
}

/// The profile's members have the names of the claims, in camel case.
fn profile(user: &User) -> Map<String, Value> {
    let members = user.profile.iter();
    members
        .map(|(claim, value)| (camel_case(claim), value.clone()))
        .collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &initial.into_iter().chain(letters).collect::<String>()
    })
}

/// An application goes by its id here, so that is its name too.
fn application(app: &App) -> Members {
    let kind = match app.kind {
        AppKind::Traditional => "Traditional",
        AppKind::SinglePage => "SPA",
        AppKind::Native => "Native",
        AppKind::MachineToMachine => "MachineToMachine",
    };
    Members::new()
        .with("id", app.id.as_str())
        .with("type", kind)
        .with("name", app.id.as_str())
        .with("description", Value::Null)
}

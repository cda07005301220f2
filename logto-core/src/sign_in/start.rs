//! The authorization request
//! ([OpenID Connect Core 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).

use std::{fmt, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::{
    PendingSignIn, ReturnTo,
    authorization_request::AuthorizationRequest,
    requested::{Additions, Requested, invalid},
};
use crate::{
    config::LogtoConfig,
    error::UsageError,
    metadata::ProviderMetadata,
    pushed_authorization::PushAuthorization,
    secret::Secret,
    session::SessionId,
    time::UnixTime,
    vocabulary::{DirectSignIn, FirstScreen, Identifier, Prompt},
};

/// The number of random bytes of a sign-in: 32 each for verifier, state and nonce, 16 for the session id.
pub const SIGN_IN_RANDOM_BYTES: usize = 112;

/// Parameters that the SDK sets, or that have their own method.
const OWN_PARAMETERS: [&str; 25] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "resource",
    "prompt",
    "login_hint",
    "first_screen",
    "identifier",
    "direct_sign_in",
    "one_time_token",
    "ui_locales",
    "organization_id",
    "google_one_tap_credential",
    "max_age",
    "acr_values",
    "request",
    "request_uri",
    "client_assertion",
    "client_secret",
];

/// A sign-in to be started, with every option that Logto offers.
///
/// Settings that are not set here come from the [`LogtoConfig`]. The response type is always `code` and the
/// challenge always S256; `state` and `nonce` are always sent.
///
/// It can be serialized, to start the same sign-in again. A one-time token and a Google credential are left
/// out, because each is valid for one use, and so is the [`state`](Self::state).
#[derive(Clone, Default)]
pub struct SignIn {
    pub(super) redirect_uri: Option<Url>,
    pub(super) return_to: Option<String>,
    pub(super) app_state: Option<Value>,
    pub(super) additions: Additions,
    pub(super) first_screen: Option<FirstScreen>,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) login_hint: Option<String>,
    pub(super) direct_sign_in: Option<DirectSignIn>,
    pub(super) one_time_token: Option<Secret>,
    pub(super) ui_locales: Vec<String>,
    pub(super) organization_id: Option<String>,
    pub(super) google_one_tap_credential: Option<Secret>,
    pub(super) max_age: Option<Duration>,
    pub(super) acr_values: Vec<String>,
    pub(super) form_post: bool,
    pub(super) extra: Vec<(String, String)>,
    pub(super) state: Option<Secret>,
}

impl SignIn {
    /// A sign-in as configured.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sign-in that starts with the registration page.
    pub fn sign_up() -> Self {
        Self::new().first_screen(FirstScreen::Register)
    }

    /// A sign-in without user interaction (`prompt=none`). Its callback contains a code, or the error
    /// `login_required`, `consent_required` or `interaction_required`, which change nothing.
    pub fn silent() -> Self {
        Self::new().prompt([Prompt::None])
    }

    /// A redirect URI that replaces the configured one. It must be registered at Logto.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: Url) -> Self {
        self.redirect_uri = Some(redirect_uri);
        self
    }

    /// Where to go after the sign-in: a path of the application. Anything else, including what an attacker
    /// supplies, falls back to the base URL; see [`ReturnTo`].
    #[must_use]
    pub fn return_to(mut self, path: impl Into<String>) -> Self {
        self.return_to = Some(path.into());
        self
    }

    /// State of the application that is returned with the callback, as a part of the pending sign-in. The web
    /// layer seals it into the `state` of the URL: keep it below a kilobyte.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if it cannot be serialized to JSON.
    pub fn app_state<T: Serialize>(mut self, app_state: &T) -> Result<Self, UsageError> {
        let value = serde_json::to_value(app_state)
            .map_err(|error| invalid(format!("app_state: {error}")))?;
        self.app_state = Some(value);
        Ok(self)
    }

    /// Whether there is an [`app_state`](Self::app_state).
    pub fn has_app_state(&self) -> bool {
        self.app_state.is_some()
    }

    /// A `state` that replaces the random one, for a program that seals what it needs at the callback into
    /// the `state` itself. It must be unguessable, different at every start, and bound to this browser.
    #[must_use]
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Scopes in addition to the configured ones.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.additions.add_scopes(scopes);
        self
    }

    /// API resources in addition to the configured ones.
    #[must_use]
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = S>) -> Self {
        self.additions.add_resources(resources);
        self
    }

    /// Prompts that replace the configured ones. `login` together with `consent` forces a new login and still
    /// returns a refresh token; without `consent` Logto drops `offline_access`.
    #[must_use]
    pub fn prompt(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.additions.set_prompts(prompts);
        self
    }

    /// The first page the user sees.
    #[must_use]
    pub fn first_screen(mut self, first_screen: FirstScreen) -> Self {
        self.first_screen = Some(first_screen);
        self
    }

    /// The identifiers that the first page offers.
    #[must_use]
    pub fn identifiers(mut self, identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        self.identifiers = identifiers.into_iter().collect();
        self
    }

    /// The user who is about to sign in: an email address, a phone number or a user name.
    #[must_use]
    pub fn login_hint(mut self, login_hint: impl Into<String>) -> Self {
        self.login_hint = Some(login_hint.into());
        self
    }

    /// Skips Logto's first page: straight to a social or enterprise connector.
    #[must_use]
    pub fn direct_sign_in(mut self, direct_sign_in: DirectSignIn) -> Self {
        self.direct_sign_in = Some(direct_sign_in);
        self
    }

    /// The one-time token of a magic link. Set [`login_hint`](Self::login_hint) too.
    #[must_use]
    pub fn one_time_token(mut self, token: impl Into<Secret>) -> Self {
        self.one_time_token = Some(token.into());
        self
    }

    /// The languages of the sign-in pages, best first, as BCP 47 tags.
    #[must_use]
    pub fn ui_locales<S: Into<String>>(mut self, locales: impl IntoIterator<Item = S>) -> Self {
        self.ui_locales = locales.into_iter().map(Into::into).collect();
        self
    }

    /// The organization whose branding the sign-in pages show.
    #[must_use]
    pub fn organization_branding(mut self, organization_id: impl Into<String>) -> Self {
        self.organization_id = Some(organization_id.into());
        self
    }

    /// The credential of Google One Tap.
    #[must_use]
    pub fn google_one_tap_credential(mut self, credential: impl Into<Secret>) -> Self {
        self.google_one_tap_credential = Some(credential.into());
        self
    }

    /// How long ago the user may have logged in at Logto, in whole seconds. The `auth_time` of the ID token
    /// must confirm it.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(Duration::from_secs(max_age.as_secs()));
        self
    }

    /// Authentication context classes, best first. The ID token must contain one of them.
    #[must_use]
    pub fn acr_values<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Makes the callback a POST (`response_mode=form_post`), so that no URL contains the code. The POST
    /// comes from another site: the cookie of the pending sign-in must be `SameSite=None`.
    #[must_use]
    pub fn form_post(mut self) -> Self {
        self.form_post = true;
        self
    }

    /// A parameter without a method of its own.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] for a parameter that the SDK sets, or one that was set before.
    pub fn extra_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, UsageError> {
        let name = name.into();
        if OWN_PARAMETERS.contains(&name.as_str()) || name.is_empty() {
            return Err(invalid(format!(
                "`{name}` cannot be an extra parameter; the SDK sets it"
            )));
        }
        if self.extra.iter().any(|(given, _)| *given == name) {
            return Err(invalid(format!("`{name}` is given twice")));
        }
        self.extra.push((name, value.into()));
        Ok(self)
    }

    /// Starts the sign-in. Returns the URL to send the browser to, and what to keep until the callback.
    ///
    /// `random` must be fresh bytes from the operating system's random source that are used for nothing else.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if parameters are malformed or contradict each other.
    pub fn start(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<(Url, PendingSignIn), UsageError> {
        let pending = self.pending(config, metadata, random, now)?;
        let url = self.url(metadata.authorization_endpoint(), config, &pending)?;
        Ok((url, pending))
    }

    /// Starts the sign-in with a pushed authorization request ([RFC
    /// 9126](https://www.rfc-editor.org/rfc/rfc9126)). Returns the request to send to the provider, whose
    /// response contains the URL to send the browser to, and what to keep until the callback. The parameters
    /// are the same as those of [`start`](Self::start).
    ///
    /// # Errors
    /// The same as [`start`](Self::start), and [`UsageError::EndpointNotAdvertised`].
    pub fn start_pushed(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<(PushAuthorization, PendingSignIn), UsageError> {
        let pending = self.pending(config, metadata, random, now)?;
        let mut endpoint = metadata.authorization_endpoint().clone();
        endpoint.set_query(None);
        let url = self.url(&endpoint, config, &pending)?;
        let parameters = url.query_pairs().into_owned().collect();
        let push = PushAuthorization::new(config, metadata, parameters)?;
        Ok((push, pending))
    }

    fn url(
        &self,
        endpoint: &Url,
        config: &LogtoConfig,
        pending: &PendingSignIn,
    ) -> Result<Url, UsageError> {
        let request = AuthorizationRequest {
            endpoint,
            client_id: config.app_id(),
            redirect_uri: &pending.redirect_uri,
            state: pending.state.expose(),
            code_verifier: pending.code_verifier.expose(),
            scopes: &pending.scopes,
            parameters: &self.parameters(config, pending)?,
        };
        Ok(request.url())
    }

    fn pending(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        random: &[u8; SIGN_IN_RANDOM_BYTES],
        now: UnixTime,
    ) -> Result<PendingSignIn, UsageError> {
        let (verifier, rest) = random.split_at(32);
        let (state, rest) = rest.split_at(32);
        let (nonce, name) = rest.split_at(32);
        let mut session_id = [0; 16];
        session_id.copy_from_slice(name);
        let text = |bytes: &[u8]| Secret::new(URL_SAFE_NO_PAD.encode_to_string(bytes));

        let Requested { scopes, resources } = self.additions.merge(config)?;
        Ok(PendingSignIn {
            issuer: metadata.issuer().to_owned(),
            client_id: config.app_id().to_owned(),
            redirect_uri: match &self.redirect_uri {
                Some(redirect_uri) if redirect_uri.fragment().is_some() => {
                    return Err(invalid("redirect_uri contains a fragment: remove it"));
                }
                Some(redirect_uri) => redirect_uri.clone(),
                None => config.redirect_uri()?.clone(),
            },
            state: self.state.clone().unwrap_or_else(|| text(state)),
            nonce: text(nonce),
            code_verifier: text(verifier),
            session_id: SessionId::from_random(session_id),
            scopes,
            resources,
            max_age: self.max_age,
            acr_values: self.acr_values.clone(),
            return_to: self.destination(config),
            app_state: self.app_state.clone(),
            created_at: now,
        })
    }

    /// Where the sign-in leads: [`return_to`](Self::return_to) if it is a path of the application, otherwise
    /// the base URL.
    pub fn destination(&self, config: &LogtoConfig) -> ReturnTo {
        match (config.base_url(), &self.return_to) {
            (Some(base_url), Some(path)) => ReturnTo::within(base_url, path),
            (Some(base_url), None) => ReturnTo::base(base_url),
            (None, _) => ReturnTo::root(),
        }
    }

    /// The optional parameters of an authorization request.
    fn parameters(
        &self,
        config: &LogtoConfig,
        pending: &PendingSignIn,
    ) -> Result<Vec<(String, String)>, UsageError> {
        let prompts = self.additions.prompts(config)?;
        let is_silent = prompts.contains(&Prompt::None);
        if is_silent && self.max_age.is_some_and(|age| age.as_secs() == 0) {
            return Err(invalid(
                "a max_age of zero demands a login, which prompt `none` forbids",
            ));
        }
        let mut parameters = Parameters(Vec::new());
        parameters.add("nonce", pending.nonce.expose());
        parameters.add_list("prompt", prompts.iter().map(|prompt| prompt.as_str()));
        for resource in &pending.resources {
            parameters.add("resource", resource);
        }
        parameters.add_some("login_hint", self.login_hint.as_deref());
        parameters.add_some("first_screen", self.first_screen.map(FirstScreen::as_str));
        parameters.add_list(
            "identifier",
            self.identifiers
                .iter()
                .map(|identifier| identifier.as_str()),
        );
        parameters.add_some(
            "direct_sign_in",
            self.direct_sign_in
                .as_ref()
                .map(ToString::to_string)
                .as_deref(),
        );
        parameters.add_some(
            "one_time_token",
            self.one_time_token.as_ref().map(Secret::expose),
        );
        parameters.add_list("ui_locales", self.ui_locales.iter().map(String::as_str));
        parameters.add_some("organization_id", self.organization_id.as_deref());
        parameters.add_some(
            "google_one_tap_credential",
            self.google_one_tap_credential.as_ref().map(Secret::expose),
        );
        parameters.add_some(
            "max_age",
            self.max_age.map(|age| age.as_secs().to_string()).as_deref(),
        );
        parameters.add_list("acr_values", self.acr_values.iter().map(String::as_str));
        parameters.add_some("response_mode", self.form_post.then_some("form_post"));
        parameters.0.extend(self.extra.iter().cloned());
        Ok(parameters.0)
    }
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn add_list<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<&str> = values.collect();
        if !values.is_empty() {
            self.add(name, &values.join(" "));
        }
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("additions", &self.additions)
            .field("first_screen", &self.first_screen)
            .field("return_to", &self.return_to)
            .finish_non_exhaustive()
    }
}

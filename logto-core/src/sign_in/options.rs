//! The settings of a sign-in.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::{
    ReturnTo,
    requested::{Additions, invalid},
};
use crate::{
    config::LogtoConfig,
    error::UsageError,
    secret::Secret,
    vocabulary::{DirectSignIn, FirstScreen, Identifier, Prompt},
};

/// How many times a sign-in is started again automatically.
const MAX_RESTARTS: u8 = 1;

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
/// It can be serialized, to [start the same sign-in again](Self::again). A one-time token and a Google credential are left
/// out, because each is valid for one use, and so is the [`state`](Self::state).
#[derive(Clone, Default, PartialEq)]
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
    /// How many times it was started again automatically.
    pub(super) restarts: u8,
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

    /// Makes the callback a POST (`response_mode=form_post`), so that no URL contains the code. The POST is a
    /// cross-site request: the cookie of the pending sign-in must be `SameSite=None`.
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

    /// The same sign-in, to start instead of one that was interrupted when its code may be spent; `None` if it
    /// was started again already, because a failure that repeats is shown to the user.
    ///
    /// It has the same settings, including `prompt`, `max_age` and `acr_values`, but nothing that is valid for
    /// one use. The user's session at Logto usually makes it invisible.
    pub fn again(&self) -> Option<Self> {
        if self.restarts >= MAX_RESTARTS {
            return None;
        }
        Some(Self {
            restarts: self.restarts.saturating_add(1),
            ..self.reusable()
        })
    }

    /// Without what is valid for one use.
    pub(super) fn reusable(&self) -> Self {
        Self {
            one_time_token: None,
            google_one_tap_credential: None,
            state: None,
            ..self.clone()
        }
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

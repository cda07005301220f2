//! The routes of an application, and the parameters of a link to the sign-in.

use http::Method;
use logto_core::{SignIn, vocabulary::Prompt};

/// A route that [`LogtoApp`](super::LogtoApp) answers.
///
/// | route | default path | methods |
/// |---|---|---|
/// | `SignIn` | `/sign-in` | GET |
/// | `SignUp` | `/sign-up` | GET |
/// | `Callback` | the configuration's `callback_path` | GET, POST |
/// | `SignOut` | `/sign-out` | POST, and GET where [links may sign out](super::LogtoAppBuilder::sign_out_links) |
/// | `SignOutLocally` | none: name one with [`path`](super::LogtoAppBuilder::path) | POST |
/// | `User` | `/user` | GET |
/// | `BackChannelLogout` | `/back-channel-logout` | POST |
/// | `Webhook` | none: see [`webhook`](super::LogtoAppBuilder::webhook) | POST |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// Sends the browser to Logto. `return_to` and `first_screen` come from the query.
    SignIn,
    /// As `SignIn`, but starts with the registration.
    SignUp,
    /// Logto redirects the browser here.
    Callback,
    /// Ends the session here and at Logto.
    SignOut,
    /// Ends the session here only. The next sign-in shows no form.
    SignOutLocally,
    /// Returns the signed-in user as JSON.
    User,
    /// Logto reports here that a user has signed out elsewhere.
    BackChannelLogout,
    /// Logto reports here that a user was suspended or deleted, or that a password changed.
    Webhook,
}

impl Route {
    pub(super) fn methods(self, sign_out_links: bool) -> &'static [Method] {
        match self {
            Self::SignIn | Self::SignUp | Self::User => &[Method::GET],
            Self::Callback => &[Method::GET, Method::POST],
            Self::SignOut if sign_out_links => &[Method::POST, Method::GET],
            Self::SignOut | Self::SignOutLocally | Self::BackChannelLogout | Self::Webhook => {
                &[Method::POST]
            }
        }
    }
}

/// A parameter of a sign-in that a link may set, if the application
/// [allows it](super::LogtoAppBuilder::link_parameters).
///
/// Anyone can make such a link, so no parameter is allowed by default. With an attacker's one-time token, a
/// link signs its victim in as another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkParameter {
    /// `login_hint`: the identifier that the form is filled in with.
    LoginHint,
    /// `prompt`. Unknown values are ignored.
    Prompt,
    /// `one_time_token`, for [magic links](https://docs.logto.io/end-user-flows/one-time-token). It also takes
    /// effect only together with a `login_hint`.
    OneTimeToken,
}

impl LinkParameter {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LoginHint => "login_hint",
            Self::Prompt => "prompt",
            Self::OneTimeToken => "one_time_token",
        }
    }

    pub(super) fn apply(self, sign_in: SignIn, value: &str) -> SignIn {
        match self {
            Self::LoginHint => sign_in.login_hint(value),
            Self::OneTimeToken => sign_in.one_time_token(value),
            Self::Prompt => {
                let words = value.split_ascii_whitespace();
                let prompts: Vec<Prompt> = words.filter_map(|word| word.parse().ok()).collect();
                match prompts.is_empty() {
                    true => sign_in,
                    false => sign_in.prompt(prompts),
                }
            }
        }
    }
}

//! The routes of an application, and what a link to the sign-in may say.

use http::Method;
use logto_core::{SignIn, vocabulary::Prompt};

/// A route that [`LogtoApp`](super::LogtoApp) answers.
///
/// | route | path unless changed | methods |
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
    /// As `SignIn`, beginning with the registration.
    SignUp,
    /// Where Logto sends the browser back.
    Callback,
    /// Ends the session here and at Logto.
    SignOut,
    /// Ends the session here only: the next sign-in shows no form.
    SignOutLocally,
    /// Who is signed in, as JSON.
    User,
    /// Where Logto reports that a user has signed out elsewhere.
    BackChannelLogout,
    /// Where Logto reports that a user was suspended or deleted.
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
/// None is allowed unless it is named: anybody can make such a link. With a foreign one-time token it would
/// sign its victim in as somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkParameter {
    /// `login_hint`: what the form is filled in with.
    LoginHint,
    /// `prompt`: words that are not known are ignored.
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

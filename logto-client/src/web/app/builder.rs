//! The settings of an application's web layer.

use std::{fmt, sync::Arc};

use logto_core::{Secret, SignIn, sign_out::SignOut};

use super::{AppState, ErrorPage, LinkParameter, LogtoApp, Route};
use crate::web::{callback::SignInHook, location, routes::LogtoWeb};

/// Builds a [`LogtoApp`]. Everything has a default.
#[must_use]
pub struct LogtoAppBuilder {
    inner: AppState,
}

impl LogtoAppBuilder {
    pub(super) fn new(web: LogtoWeb) -> Self {
        let callback = web.client().config().callback_path().to_owned();
        let inner = AppState {
            web,
            paths: Vec::new(),
            sign_in: SignIn::new(),
            sign_out: SignOut::new(),
            link_parameters: Vec::new(),
            allows_sign_out_links: false,
            allows_cross_site_forms: false,
            webhook_signing_key: None,
            sign_in_hook: None,
            error_page: None,
        };
        Self { inner }
            .path(Route::SignIn, "/sign-in")
            .path(Route::SignUp, "/sign-up")
            .path(Route::Callback, &callback)
            .path(Route::SignOut, "/sign-out")
            .path(Route::User, "/user")
            .path(Route::BackChannelLogout, "/back-channel-logout")
    }

    /// Changes the path of a route, below the path of the base URL. The path of the callback is part of the
    /// configuration: [`callback_path`](logto_core::config::LogtoConfigBuilder::callback_path).
    pub fn path(mut self, route: Route, path: &str) -> Self {
        self = self.without(route);
        let base_url = self.inner.web.client().config().base_url();
        let path = location::below(base_url, path).into_owned();
        self.inner.paths.push((route, path));
        self
    }

    /// Switches a route off, because the application has its own or needs none.
    pub fn without(mut self, route: Route) -> Self {
        self.inner.paths.retain(|(other, _)| *other != route);
        self
    }

    /// Sets the parameters of every sign-in: `first_screen`, `max_age`, languages and so on.
    pub fn sign_in(mut self, sign_in: SignIn) -> Self {
        self.inner.sign_in = sign_in;
        self
    }

    /// Lets links to the sign-in set these parameters, in addition to `return_to` and `first_screen`.
    pub fn link_parameters(mut self, parameters: impl IntoIterator<Item = LinkParameter>) -> Self {
        self.inner.link_parameters = parameters.into_iter().collect();
        self
    }

    /// Sets how users sign out, for example where Logto redirects them.
    pub fn sign_out(mut self, sign_out: SignOut) -> Self {
        self.inner.sign_out = sign_out;
        self
    }

    /// Allows sign-out by GET, for a plain link. It works from pages of the application and when a user types
    /// the address, but not for images, prefetches, and browsers that do not report who caused a request.
    pub fn sign_out_links(mut self) -> Self {
        self.inner.allows_sign_out_links = true;
        self
    }

    /// Opens the user's session for forms and scripts of other sites too: for an API that pages of another
    /// origin call with cookies. The application then has to check what such a request may do. By default, it
    /// fails with [`RequestError::CrossSite`](crate::error::RequestError::CrossSite).
    pub fn cross_site_forms(mut self) -> Self {
        self.inner.allows_cross_site_forms = true;
        self
    }

    /// Receives Logto's webhooks at this path, and signs users out who are suspended or deleted, or whose
    /// password changes. `signing_key` is that of the webhook in the Console.
    pub fn webhook(mut self, path: &str, signing_key: impl Into<Secret>) -> Self {
        self.inner.webhook_signing_key = Some(signing_key.into());
        self.path(Route::Webhook, path)
    }

    /// Sets the hook that is called at every sign-in.
    pub fn on_sign_in(mut self, hook: impl SignInHook + 'static) -> Self {
        self.inner.sign_in_hook = Some(Arc::new(hook));
        self
    }

    /// Sets the error page. Default: a small page for a browser, JSON for a script.
    pub fn error_page(mut self, page: impl ErrorPage + 'static) -> Self {
        self.inner.error_page = Some(Arc::new(page));
        self
    }

    /// Builds the application.
    pub fn build(self) -> LogtoApp {
        LogtoApp {
            inner: Arc::new(self.inner),
        }
    }
}

impl fmt::Debug for LogtoAppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogtoAppBuilder")
            .field("web", &self.inner.web)
            .field("paths", &self.inner.paths)
            .finish_non_exhaustive()
    }
}

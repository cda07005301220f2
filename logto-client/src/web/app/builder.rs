//! Settings of an application's web layer.

use std::{fmt, sync::Arc};

use logto_core::{Secret, SignIn, sign_out::SignOut};

use super::{ErrorPage, Inner, LinkParameter, LogtoApp, Route};
use crate::web::{location, routes::LogtoWeb, sign_in::SignInHook};

/// Builds a [`LogtoApp`]. Everything has a default.
#[must_use]
pub struct LogtoAppBuilder {
    inner: Inner,
}

impl LogtoAppBuilder {
    pub(super) fn new(web: LogtoWeb) -> Self {
        let callback = web.client().config().callback_path().to_owned();
        let inner = Inner {
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

    /// Puts a route at another path, below the path of the base URL. The callback belongs to the
    /// configuration: [`callback_path`](logto_core::config::LogtoConfigBuilder::callback_path).
    pub fn path(mut self, route: Route, path: &str) -> Self {
        self = self.without(route);
        let base_url = self.inner.web.client().config().base_url();
        let path = location::below(base_url, path).into_owned();
        self.inner.paths.push((route, path));
        self
    }

    /// Leaves a route out: the application has one of its own, or none.
    pub fn without(mut self, route: Route) -> Self {
        self.inner.paths.retain(|(other, _)| *other != route);
        self
    }

    /// What every sign-in asks for: `first_screen`, `max_age`, languages and so on.
    pub fn sign_in(mut self, sign_in: SignIn) -> Self {
        self.inner.sign_in = sign_in;
        self
    }

    /// Lets links to the sign-in set these parameters too, besides `return_to` and `first_screen`.
    pub fn link_parameters(mut self, parameters: impl IntoIterator<Item = LinkParameter>) -> Self {
        self.inner.link_parameters = parameters.into_iter().collect();
        self
    }

    /// How users sign out: where Logto sends them, for example.
    pub fn sign_out(mut self, sign_out: SignOut) -> Self {
        self.inner.sign_out = sign_out;
        self
    }

    /// Signs out by GET as well, for a plain link. Only pages of the application, and a user who types the
    /// address, can follow it; images, prefetches and browsers that do not say who caused a request cannot.
    pub fn sign_out_links(mut self) -> Self {
        self.inner.allows_sign_out_links = true;
        self
    }

    /// Opens the user's session for forms and scripts of other sites too: for an API that the pages of another
    /// origin call, with cookies that their browsers send there. What such a request may do is then for the
    /// application to check. By default it gets [`RequestError::CrossSite`](crate::error::RequestError::CrossSite).
    pub fn cross_site_forms(mut self) -> Self {
        self.inner.allows_cross_site_forms = true;
        self
    }

    /// Receives Logto's webhooks at this path: users who are suspended or deleted, or whose password changes,
    /// are signed out. The signing key is that of the webhook in the Console.
    pub fn webhook(mut self, path: &str, signing_key: impl Into<Secret>) -> Self {
        self.inner.webhook_signing_key = Some(signing_key.into());
        self.path(Route::Webhook, path)
    }

    /// Takes part in every sign-in.
    pub fn on_sign_in(mut self, hook: impl SignInHook + 'static) -> Self {
        self.inner.sign_in_hook = Some(Arc::new(hook));
        self
    }

    /// Shows errors in the application's own look. The default is a small page for a browser and JSON for a
    /// script.
    pub fn error_page(mut self, page: impl ErrorPage + 'static) -> Self {
        self.inner.error_page = Some(Arc::new(page));
        self
    }

    /// The application.
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
